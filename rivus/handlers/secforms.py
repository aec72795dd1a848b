"""What is filed with the SEC as XML, as plain fields: ownership (forms 3, 4, 5) and offerings without registration (D).

The elements are those of the SEC's technical specifications (https://www.sec.gov/submit-filings/technical-specifications).
"""

from __future__ import annotations

import re
from typing import Any

from rivus.model.outcome import ItemFailed, Json
from rivus.sources.elements import Element, elements
from rivus.sources.keys import one_line

MOST = 500
"""Persons, and transactions, of a filing."""
LONGEST_XML = 5_000_000
_ROOTS = frozenset({"ownershipdocument", "edgarsubmission"})
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,10})?", re.ASCII)
_TRUE = {"1": True, "true": True, "0": False, "false": False}
_RELATIONS = {
    "isdirector": "director", "isofficer": "officer", "istenpercentowner": "ten_percent_owner", "isother": "other",
}  # fmt: skip
_TRANSACTION = {
    "security": ("securitytitle", "value"), "date": ("transactiondate", "value"),
    "code": ("transactioncoding", "transactioncode"), "shares": ("transactionamounts", "transactionshares", "value"),
    "price": ("transactionamounts", "transactionpricepershare", "value"),
    "acquired_disposed": ("transactionamounts", "transactionacquireddisposedcode", "value"),
    "shares_after": ("posttransactionamounts", "sharesownedfollowingtransaction", "value"),
    "ownership": ("ownershipnature", "directorindirectownership", "value"),
    "exercise_price": ("conversionorexerciseprice", "value"), "expires": ("expirationdate", "value"),
    "underlying": ("underlyingsecurity", "underlyingsecuritytitle", "value"),
    "underlying_shares": ("underlyingsecurity", "underlyingsecurityshares", "value"),
}  # fmt: skip
_AMOUNTS = {"offering": "totalofferingamount", "sold": "totalamountsold", "remaining": "totalremaining"}
_NUMBERS = {"shares", "price", "shares_after", "exercise_price", "underlying_shares", *_AMOUNTS, "investors", "minimum"}


def form_fields(xml: str) -> Json:
    """The fields of an ownership form or a form D. Raises ItemFailed for any other XML, and for what is not
    well-formed or declares entities."""
    if len(xml) > LONGEST_XML:
        raise ItemFailed(f"the form has more than {LONGEST_XML:,} characters")
    read = elements(xml.strip(), _ROOTS, 1)
    if read.flaw or not read.found:
        raise ItemFailed(f"this XML is no form that can be read: {read.flaw or read.root or 'no element'}")
    root = read.found[0]
    return _ownership(root) if root.name == "ownershipdocument" else _offering(root)


def _ownership(root: Element) -> Json:
    issuer = {"cik": root.told("issuer", "issuercik"), "name": root.told("issuer", "issuername"),
              "symbol": root.told("issuer", "issuertradingsymbol").upper()}  # fmt: skip
    transactions = [
        {**_picked(row, _TRANSACTION), "derivative": kind == "derivative"}
        for kind in ("nonderivative", "derivative")
        for table in root.all(f"{kind}table")
        for row in table.all(f"{kind}transaction")
    ]
    return _filled({
        "form": root.told("documenttype"), "period": root.told("periodofreport"), "issuer": _filled(issuer),
        "persons": [_owner(person) for person in root.all("reportingowner")[:MOST]],
        "transactions": transactions[:MOST],
    })  # fmt: skip


def _owner(person: Element) -> Json:
    relation = next(iter(person.all("reportingownerrelationship")), Element(""))
    return _filled({
        "cik": person.told("reportingownerid", "rptownercik"), "name": person.told("reportingownerid", "rptownername"),
        "relationship": [name for theirs, name in _RELATIONS.items() if _TRUE.get(relation.told(theirs).lower())],
        "officer_title": relation.told("officertitle"), "other": relation.told("othertext"),
    })  # fmt: skip


def _offering(root: Element) -> Json:
    kind = root.told("submissiontype")
    if not kind.upper().startswith("D"):
        raise ItemFailed(f"this XML is no form that can be read: a submission of the type {kind or 'without a name'!r}")
    data = next(iter(root.all("offeringdata")), Element(""))
    persons = [person for outer in root.all("relatedpersonslist") for person in outer.all("relatedpersoninfo")]
    amounts = _picked(data, {name: ("offeringsalesamounts", theirs) for name, theirs in _AMOUNTS.items()})
    more = {
        "industry": ("industrygroup", "industrygrouptype"), "revenue": ("issuersize", "revenuerange"),
        "first_sale": ("typeoffiling", "dateoffirstsale", "value"), "minimum": ("minimuminvestmentaccepted",),
        "investors": ("investors", "totalnumberalreadyinvested"),
    }  # fmt: skip
    amended = _TRUE.get(data.told("typeoffiling", "neworamendment", "isamendment").lower())
    claimed = [each for outer in data.all("federalexemptionsexclusions") for each in outer.all("item")]
    return _filled({
        "form": kind, "issuer": _issuer(root), "amounts": amounts, **_picked(data, more),
        "persons": [_related(person) for person in persons[:MOST]],
        "exemptions": [one_line(each.text, 20) for each in claimed[:MOST]],
    }) | ({} if amended is None else {"amendment": amended})  # fmt: skip


def _issuer(root: Element) -> Json:
    issuer = next(iter(root.all("primaryissuer")), Element(""))
    return _picked(issuer, {
        "cik": ("cik",), "name": ("entityname",), "type": ("entitytype",), "jurisdiction": ("jurisdictionofinc",),
        "city": ("issueraddress", "city"), "state": ("issueraddress", "stateorcountry"),
    })  # fmt: skip


def _related(person: Element) -> Json:
    names = [person.told("relatedpersonname", part) for part in ("firstname", "middlename", "lastname")]
    lists = person.all("relatedpersonrelationshiplist")
    return _filled({
        "name": " ".join(filter(None, names)),
        "relationship": [one_line(each.text, 100) for outer in lists for each in outer.all("relationship")][:20],
        "clarification": person.told("relationshipclarification"),
    })  # fmt: skip


def _picked(element: Element, paths: dict[str, tuple[str, ...]]) -> Json:
    return _filled({name: _value(name, element.told(*path)) for name, path in paths.items()})


def _value(name: str, text: str) -> str | int | float:
    """A number where one belongs; the text where there is none ("Indefinite")."""
    if name not in _NUMBERS or not _NUMBER.fullmatch(text):
        return text[:1_000]
    return float(text) if "." in text else int(text)


def _filled(found: dict[str, Any]) -> Json:
    return {name: value for name, value in found.items() if value not in ("", [], {})}
