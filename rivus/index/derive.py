"""From documents to rows: pure, so that an index built at once and one kept in step for years are the same.

Whatever a document holds, of whatever type, gives a row. Texts are cut, without NULs, without halves of characters, and
without the secrets that this process knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any

from rivus.index.reading import Place, Seen
from rivus.index.schema import COUNTED
from rivus.model.children import parent_of
from rivus.model.item import file_name
from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.model.times import epoch, utc
from rivus.talk import scrubbed

REASON = 300
TEXT = 1000
Row = tuple[Any, ...]

_MOMENT = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_INT64 = 2**63
_MOST = 10**12
_MOST_USD = 1e9
_LONGEST_SECRET = 1 << 16
_ORDER = ("trouble", "working", "waiting", "done")
_SUMMARY = dict.fromkeys(Box, "waiting") | {
    Box.FAILED: "trouble", Box.HELD: "trouble", Box.RUNNING: "working", Box.DONE: "done",
}  # fmt: skip


def text(value: object, most: int = TEXT) -> str | None:
    """`value` as a text that SQLite and a terminal can hold; None for none, and for an empty one."""
    if not isinstance(value, str):
        value = None if value is None else str(value) if isinstance(value, int | float) else compact(value)
    if not value:
        return None
    clean = value[: most + _LONGEST_SECRET].replace("\0", "\ufffd")
    if not clean.isascii():
        clean = clean.encode(errors="replace").decode()
    return scrubbed(clean)[:most]


def compact(value: object) -> str:
    """A list or an object as JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def scalar(value: object) -> str | int | float | None:
    """The value of a column: a number as it is if 64 bits hold it, all else as text."""
    if isinstance(value, bool | int) and -_INT64 <= value < _INT64:
        return int(value)
    if isinstance(value, float) and isfinite(value):
        return value
    return text(value)


def moment(value: object) -> str | None:
    """A time as it stands in documents; None for what is none."""
    if not isinstance(value, str):
        return None
    if _MOMENT.fullmatch(value):
        return value
    try:
        return utc(epoch(value))
    except (ValueError, OverflowError, OSError):
        return None


def moment_of(nanoseconds: int) -> str | None:
    """The time of a file."""
    try:
        return utc(nanoseconds / 1e9)
    except (ValueError, OverflowError, OSError):
        return None


def part(whole: object, name: str) -> Json:
    """The object `name` of an object; {} if there is none."""
    value = whole.get(name) if isinstance(whole, dict) else None
    return value if isinstance(value, dict) else {}


def item_row(job: str, name: str, seen: Seen | None, values: Mapping[str, object], summary: Row) -> Row:
    """The row of `items` without its id. seen: the birth record. values: of the job's columns. summary: state and
    changed."""
    document = seen.document if seen else {}
    meta, url = part(document, "meta"), part(document, "data").get("url")
    title = values.get("title")
    return (
        job, key_of(document, name), stored(name), None if title is None else text(title),
        text(url) if isinstance(url, str) and url.lower().startswith(("http://", "https://")) else None,
        moment(meta.get("discovered")), text(meta.get("strategy")), _parent(meta), *summary,
        seen.inode if seen else None, seen.mtime if seen else None,
    )  # fmt: skip


def _parent(meta: Json) -> str | None:
    parent = parent_of(meta)
    return text(f"{parent.job}/{parent.key}") if parent else None


def summary_of(states: Iterable[str], since: Iterable[str | None]) -> Row:
    """state and changed of an item whose tickets are in these boxes since then."""
    found = {_SUMMARY[Box(state)] for state in states}
    return next((word for word in _ORDER if word in found), "lost"), max(filter(None, since), default=None)


def ticket_row(job: str, name: str, place: Place, seen: Seen) -> Row:
    """The row of `tickets` without the item's id."""
    document, attempts = seen.document, attempts_of(seen.document)
    receipt = part(document, "receipt")
    last = attempts[-1] if attempts else {}
    made = receipt if receipt.get("ended") else last
    due = moment_of(seen.mtime) if place.box is Box.LATER else None
    return (
        job, place.stage, key_of(document, name), str(place.box),
        moment(receipt.get("ended")) or moment(last.get("ended")) or moment(part(document, "meta").get("discovered")),
        due, None if place.owner is None else shown(place.owner), len(attempts),
        sum(1 for one in attempts if one.get("outcome") == "interrupted"), duration(made),
        *_cost(receipt), text(part(receipt, "version").get("id"), REASON), *_failure(seen, last),
        text(receipt.get("skipped"), REASON), seen.inode, seen.mtime,
    )  # fmt: skip


def run_rows(ticket: Row, document: Json) -> list[Row]:
    """The rows of `runs` without the item's id. ticket: as `ticket_row` gives it."""
    job, stage, key = ticket[:3]
    return [
        (
            job, stage, key, number, text(one.get("owner"), REASON), moment(one.get("started")),
            moment(one.get("ended")), duration(one), _outcome(one.get("outcome")), *_cost(one), *_failure_of(one),
        )
        for number, one in _tries(document)
    ]  # fmt: skip


def _tries(document: Json) -> Iterator[tuple[int, Json]]:
    """The attempts on record, from 1 on. One that made the result may have told its cost in the receipt alone; if the
    record does not have it any more, the receipt stands for it, as 0."""
    attempts, receipt = attempts_of(document), part(document, "receipt")
    cost, ended = part(receipt, "cost"), receipt.get("ended")
    made = next((one for one in attempts if one.get("ended") == ended), None)
    if cost and made is None:
        yield 0, {**receipt, "outcome": "skipped" if receipt.get("skipped") else "done"}
    for number, one in enumerate(attempts, 1):
        yield number, {**one, "cost": cost} if one is made and not part(one, "cost") else one


def attempts_of(document: Json) -> list[Json]:
    attempts = document.get("attempts")
    return [one for one in attempts if isinstance(one, dict)] if isinstance(attempts, list) else []


def values_of(columns: Mapping[str, str], sources: Mapping[str, Json]) -> dict[str, str | int | float | None]:
    """The values of a job's columns. sources: `data`, `meta` and the output of each stage that is done."""
    found: dict[str, str | int | float | None] = {}
    for name, path in columns.items():
        source, *fields = path.split(".")
        value: Any = sources.get(source)
        for field in fields:
            value = value.get(field) if isinstance(value, dict) else None
        found[name] = scalar(value)
    return found


def duration(record: Json) -> float | None:
    """Seconds from `started` to `ended`."""
    started, ended = moment(record.get("started")), moment(record.get("ended"))
    return round(_seconds(ended) - _seconds(started), 3) if started and ended else None


def amount(value: object) -> float | None:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST_USD
    return float(value) if fine else None  # type: ignore[arg-type]


def count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else None


@lru_cache(64)
def _minute(text: str) -> float:
    return epoch(f"{text}:00.000Z")


def _seconds(moment: str) -> float:
    return _minute(moment[:16]) + float(moment[17:23])


def key_of(document: Json, name: str) -> str:
    """The key that a document names, if the file's name is the one that belongs to it; else that name."""
    key = document.get("key")
    return key if isinstance(key, str) and file_name(key) == name else shown(name.removesuffix(".json"))


def stored(name: str) -> str | bytes:
    """The name of a file as it stands in the index."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode(errors="surrogateescape")
    return name


def named(value: str | bytes) -> str:
    """The inverse of `stored`."""
    return value if isinstance(value, str) else value.decode(errors="surrogateescape")


def shown(name: str) -> str:
    """A name as people may read it."""
    return name.encode(errors="replace").decode()


def _cost(record: Json) -> Row:
    """usd, calls, tokens and the calls of unknown cost, of an attempt or a receipt."""
    cost = part(record, "cost")
    return amount(cost.get("usd")), count(cost.get("calls")), count(cost.get("tokens")), count(cost.get("unknown"))


def _outcome(value: object) -> str | None:
    if isinstance(value, str) and value in COUNTED:
        return value
    return "other" if value else None


def _failure(seen: Seen, last: Json) -> Row:
    """class, fingerprint and reason: of the last try, else of the ticket's error, else why the file has no ticket."""
    if seen.fault:
        return None, None, text(seen.fault, REASON)
    return _failure_of(last if "reason" in last else part(seen.document, "error"))


def _failure_of(record: Json) -> Row:
    if "reason" not in record:
        return None, None, None
    fingerprint = record.get("fingerprint")
    known = isinstance(fingerprint, str) and _FINGERPRINT.fullmatch(fingerprint)
    return text(record.get("class"), REASON), fingerprint if known else "none", text(record["reason"], REASON)
