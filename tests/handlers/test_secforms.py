from __future__ import annotations

from typing import Any

import pytest

from rivus.handlers.secforms import form_fields
from rivus.model.outcome import ItemFailed

FORM_4 = """<?xml version="1.0"?>
<ownershipDocument>
  <schemaVersion>X0508</schemaVersion><documentType>4</documentType><periodOfReport>2024-01-31</periodOfReport>
  <issuer><issuerCik>0000000042</issuerCik><issuerName>ACME Corp</issuerName>
    <issuerTradingSymbol>acme</issuerTradingSymbol></issuer>
  <reportingOwner>
    <reportingOwnerId><rptOwnerCik>0000000043</rptOwnerCik>
      <rptOwnerName>Coyote Wile E.</rptOwnerName></reportingOwnerId>
    <reportingOwnerRelationship><isDirector>1</isDirector><isOfficer>true</isOfficer>
      <isTenPercentOwner>0</isTenPercentOwner><officerTitle>Chief Tester</officerTitle></reportingOwnerRelationship>
  </reportingOwner>
  <nonDerivativeTable>
    <nonDerivativeTransaction>
      <securityTitle><value>Common Stock</value></securityTitle>
      <transactionDate><value>2024-01-30</value></transactionDate>
      <transactionCoding><transactionCode>S</transactionCode></transactionCoding>
      <transactionAmounts><transactionShares><value>1250</value></transactionShares>
        <transactionPricePerShare><value>655.81</value><footnoteId id="F1"/></transactionPricePerShare>
        <transactionAcquiredDisposedCode><value>D</value></transactionAcquiredDisposedCode></transactionAmounts>
      <postTransactionAmounts><sharesOwnedFollowingTransaction><value>57234</value></sharesOwnedFollowingTransaction>
      </postTransactionAmounts>
      <ownershipNature><directOrIndirectOwnership><value>D</value></directOrIndirectOwnership></ownershipNature>
    </nonDerivativeTransaction>
    <nonDerivativeHolding><securityTitle><value>Held</value></securityTitle></nonDerivativeHolding>
  </nonDerivativeTable>
  <derivativeTable><derivativeTransaction>
      <securityTitle><value>Option</value></securityTitle><conversionOrExercisePrice><value>20.5</value></conversionOrExercisePrice>
      <underlyingSecurity><underlyingSecurityTitle><value>Common Stock</value></underlyingSecurityTitle>
        <underlyingSecurityShares><value>10</value></underlyingSecurityShares></underlyingSecurity>
  </derivativeTransaction></derivativeTable>
</ownershipDocument>"""
FORM_D = """<?xml version="1.0"?>
<edgarSubmission>
  <submissionType>D/A</submissionType>
  <primaryIssuer><cik>0000000044</cik><entityName>Fund LP</entityName><issuerAddress><city>Tucson</city>
    <stateOrCountry>AZ</stateOrCountry></issuerAddress><jurisdictionOfInc>DELAWARE</jurisdictionOfInc>
    <entityType>Limited Partnership</entityType></primaryIssuer>
  <relatedPersonsList><relatedPersonInfo><relatedPersonName><firstName>Ada</firstName><lastName>Smith</lastName>
    </relatedPersonName><relatedPersonRelationshipList><relationship>Executive Officer</relationship>
    <relationship>Director</relationship></relatedPersonRelationshipList></relatedPersonInfo></relatedPersonsList>
  <offeringData>
    <industryGroup><industryGroupType>Pooled Investment Fund</industryGroupType></industryGroup>
    <issuerSize><revenueRange>Decline to Disclose</revenueRange></issuerSize>
    <federalExemptionsExclusions><item>06b</item><item>3C</item></federalExemptionsExclusions>
    <typeOfFiling><newOrAmendment><isAmendment>true</isAmendment></newOrAmendment>
      <dateOfFirstSale><value>2024-01-02</value></dateOfFirstSale></typeOfFiling>
    <minimumInvestmentAccepted>25000</minimumInvestmentAccepted>
    <offeringSalesAmounts><totalOfferingAmount>Indefinite</totalOfferingAmount><totalAmountSold>1500000</totalAmountSold>
      <totalRemaining>0</totalRemaining></offeringSalesAmounts>
    <investors><totalNumberAlreadyInvested>0</totalNumberAlreadyInvested></investors>
  </offeringData>
</edgarSubmission>"""


def test_an_ownership_form_has_issuer_persons_and_transactions() -> None:
    assert form_fields(FORM_4) == {
        "form": "4", "period": "2024-01-31", "issuer": {"cik": "0000000042", "name": "ACME Corp", "symbol": "ACME"},
        "persons": [{"cik": "0000000043", "name": "Coyote Wile E.", "relationship": ["director", "officer"],
                     "officer_title": "Chief Tester"}],
        "transactions": [
            {"security": "Common Stock", "date": "2024-01-30", "code": "S", "shares": 1250, "price": 655.81,
             "acquired_disposed": "D", "shares_after": 57234, "ownership": "D", "derivative": False},
            {"security": "Option", "exercise_price": 20.5, "underlying": "Common Stock", "underlying_shares": 10,
             "derivative": True},
        ],
    }  # fmt: skip


def test_form_d_has_issuer_amounts_and_persons() -> None:
    assert form_fields(FORM_D) == {
        "form": "D/A", "issuer": {"cik": "0000000044", "name": "Fund LP", "type": "Limited Partnership",
                                  "jurisdiction": "DELAWARE", "city": "Tucson", "state": "AZ"},
        "amounts": {"offering": "Indefinite", "sold": 1500000, "remaining": 0}, "minimum": 25000, "investors": 0,
        "industry": "Pooled Investment Fund", "revenue": "Decline to Disclose", "first_sale": "2024-01-02",
        "persons": [{"name": "Ada Smith", "relationship": ["Executive Officer", "Director"]}],
        "exemptions": ["06b", "3C"], "amendment": True,
    }  # fmt: skip


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><ownershipDocument>&b;</ownershipDocument>'


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        (BOMB, "entities"),
        ("<ownershipDocument>", "no element found"),
        ("<edgarSubmission><submissionType>13F-HR</submissionType></edgarSubmission>", "13F-HR"),
        ("<edgarSubmission/>", "without a name"),
        ("<other/>", "other"),
        ("<ownershipDocument>" + "<a>" * 60 + "</a>" * 60 + "</ownershipDocument>", "inside each other"),
        ("<ownershipDocument>" + " " * 5_000_000 + "</ownershipDocument>", "5,000,000"),
    ],
)
def test_other_xml_fails_the_item(xml: str, why: str) -> None:
    with pytest.raises(ItemFailed, match=why):
        form_fields(xml)


@pytest.mark.parametrize("number", ["1e9", "NaN", "1,250", "9" * 30, "", "٣"])
def test_what_is_no_number_stays_text(number: str) -> None:
    found: Any = form_fields(FORM_4.replace("1250", number))["transactions"][0].get("shares", "")
    assert found == number


def test_a_form_has_a_bounded_number_of_transactions() -> None:
    row = FORM_4[FORM_4.index("<nonDerivativeTransaction>") : FORM_4.index("<nonDerivativeHolding>")]
    assert len(form_fields(FORM_4.replace(row, row * 600))["transactions"]) == 500
