"""The files of an item, as a page shows them: bounded, without secrets, whatever is in them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rivus.dash.pages import words
from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.model.times import utc
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, read_document
from rivus.talk import scrubbed

MOST = 64 << 10
"""Characters of JSON of one part that a page shows; what is longer is in the file alone."""
SHOWN = 4000
"""Characters of one field."""
FILES = 200
FIELDS = 100


@dataclass(frozen=True, slots=True)
class Paper:
    """A document. fault: why it cannot be read, "" if it can."""

    document: Json
    fault: str = ""

    def part(self, name: str) -> Json:
        """An object of it, short enough to be shown; of a longer one, its size."""
        value = self.document.get(name)
        if not isinstance(value, dict):
            return {}
        text = scrubbed(json.dumps(value, ensure_ascii=False))
        if len(text) > MOST:
            return {"": f"{len(text):,} characters, too long to be shown here", **_short(value)}
        whole: Json = json.loads(text)
        return whole

    def attempts(self) -> list[Json]:
        """The attempts that are on record, oldest first."""
        found = self.document.get("attempts")
        return [_short(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def paper(path: str) -> Paper | None:
    """The document at `path`; None if nothing is there."""
    try:
        return Paper(read_document(path))
    except FileNotFoundError:
        return None
    except Unreadable as error:
        return Paper({}, str(error))
    except OSError as error:
        return Paper({}, str(error.strerror))


def stage_of(spool: Spool, job: str, stage: str, name: str, now: float) -> Json | None:
    """An item's ticket in a stage: where it is and what it holds; None if there is none. `paper` is the document."""
    place = spool.where(job, stage, name)
    found = paper(place[1]) if place else None
    if place is None or found is None:
        return None
    box, path = place
    return {
        "name": stage, "state": str(box), "path": path, "due": _modified(path) if box is Box.LATER else None,
        "fault": found.fault, "output": found.part("output"), "receipt": found.part("receipt"),
        "error": found.part("error"), "attempts": [_judged(spool, one, now) for one in found.attempts()],
        "paper": found,
    }  # fmt: skip


def _judged(spool: Spool, attempt: Json, now: float) -> Json:
    """An attempt, and of a failed one what today's rules and verdicts say about it."""
    if "reason" not in attempt:
        return attempt
    from rivus.tell.decisions import judged

    try:
        today = judged(spool, attempt, now)
    except (ValueError, TypeError, LookupError, ArithmeticError):  # anybody can write a ticket
        return attempt
    told = {"class": str(today.cls), "action": str(today.action), "rule": today.rule, "why": today.why}
    return {**attempt, "today": {name: scrubbed(text) for name, text in told.items()}}


def files_of(folder: str) -> list[Json]:
    """What handlers left beside the item: name and size; links are not followed."""
    found = []
    for where, _, names in os.walk(folder):
        for name in sorted(names):
            path = f"{where}/{name}"
            try:
                size = os.lstat(path).st_size
            except OSError:
                continue
            shown = path.encode(errors="replace").decode()
            found.append({"name": os.path.relpath(shown, folder), "path": shown, "size": size})
            if len(found) >= FILES:
                return found
    return found


def fields(document: Json) -> list[Json]:
    """The fields of an object for people: name, text, whether that was cut, and an address if it is a web page's."""
    rows = []
    for name, value in document.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
        cut = len(text) - SHOWN
        rows.append({"name": name, "text": text[:SHOWN], "cut": max(cut, 0), "href": words.web(value)})
    return rows


def _short(document: Json) -> Json:
    """Scalars, and texts of some length, of an object; not more than some."""
    short = ((name, _cut(value)) for name, value in document.items() if not isinstance(value, dict | list))
    return dict(islice(short, FIELDS))


def _cut(value: Any) -> Any:
    return scrubbed(value)[:SHOWN] if isinstance(value, str) else value


def _modified(path: str) -> str | None:
    try:
        return utc(os.lstat(path).st_mtime)
    except (OSError, ValueError, OverflowError):
        return None
