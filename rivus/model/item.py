"""An item, its key, the name of its files, and the ticket that stands for it in each stage."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from rivus.model.outcome import Json

MAX_KEY = 1024
MAX_NAME = 180
KEPT_ATTEMPTS = 50
NAME = re.compile(r"[a-z][a-z0-9_]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]|^[.-]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def check_key(key: object) -> str:
    """`key` if it can be one, else ValueError with the reason: a string of 1 to 1,024 characters without
    control characters and without `.` or `..` as a part of a path."""
    if not isinstance(key, str) or not key:
        raise ValueError("the key is not a non-empty string")
    if len(key) > MAX_KEY:
        raise ValueError(f"the key has {len(key)} characters, more than {MAX_KEY}")
    if _CONTROL.search(key):
        raise ValueError("the key holds control characters")
    if not {".", ".."}.isdisjoint(key.split("/")):
        raise ValueError("the key has . or .. as a part of a path")
    return key


def stem(key: str) -> str:
    """The name of `key` in a directory: percent-encoded where it must be; a long one cut, with `+` (which no
    uncut name holds) and 32 hex digits of the key's SHA-256."""
    name = _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), key)
    if len(name) > MAX_NAME:
        return f"{name[: MAX_NAME - 33]}+{sha256(key.encode()).hexdigest()[:32]}"
    return name


def file_name(key: str) -> str:
    """The name of a ticket's file."""
    return stem(key) + ".json"


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, in hex; equal values have equal digests whatever the order of their fields."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class Ticket:
    """What a file in a box holds.

    attempts: one object for each run that ended or was interrupted, oldest first, at most 50; one with
    `final` ends a round, so that a retried ticket starts to count anew. error: of a failed or held ticket.
    """

    job: str
    key: str
    data: Json
    meta: Json
    attempts: list[Json] = field(default_factory=list)
    error: Json | None = None
    output: Json | None = None
    receipt: Json | None = None

    @property
    def name(self) -> str:
        return file_name(self.key)

    def round(self) -> list[Json]:
        """The attempts since the ticket last was done or given up."""
        ends = [number for number, attempt in enumerate(self.attempts) if attempt.get("final")]
        return self.attempts[ends[-1] + 1 :] if ends else self.attempts

    def tries(self) -> int:
        """How many attempts of this round count (an interruption and a wait do not)."""
        return sum(1 for attempt in self.round() if attempt.get("charged"))

    def interruptions(self) -> int:
        return sum(1 for attempt in self.round() if attempt.get("outcome") == "interrupted")

    def add_attempt(self, attempt: Json) -> None:
        self.attempts = [*self.attempts, attempt][-KEPT_ATTEMPTS:]

    def to_json(self) -> Json:
        whole: Json = {"job": self.job, "key": self.key, "data": self.data, "meta": self.meta}
        for name in ("attempts", "error", "output", "receipt"):
            if value := getattr(self, name):
                whole[name] = value
        return whole

    def public(self) -> Json:
        """What discover and inject print."""
        return {"job": self.job, "key": self.key, "data": self.data, "meta": self.meta}


def is_ticket(document: Json) -> bool:
    """Whether a document was written as a ticket, rather than dropped in as bare data."""
    return (
        isinstance(document.get("job"), str)
        and isinstance(document.get("data"), dict)
        and isinstance(document.get("meta"), dict)
        and "key" in document
    )


def ticket_of(document: Json, job: str) -> Ticket:
    """The ticket in `document`. Raises ValueError: of another job, a bad key, a part of the wrong type."""
    if document["job"] != job:
        raise ValueError(f"the ticket is of job {document['job']!r}")
    parts: dict[str, tuple[type, ...]] = {"attempts": (list,), "error": (dict,), "output": (dict,), "receipt": (dict,)}
    for name, types in parts.items():
        if name in document and not isinstance(document[name], types):
            raise ValueError(f"{name} is not of the right type")
    attempts = document.get("attempts", [])
    if not all(isinstance(attempt, dict) for attempt in attempts):
        raise ValueError("attempts holds something that is not an object")
    return Ticket(
        job, check_key(document["key"]), document["data"], document["meta"], attempts,
        document.get("error"), document.get("output"), document.get("receipt"),
    )  # fmt: skip


def dropped_key(document: Json, name: str) -> str:
    """The key of a dropped document: its `key`, `id` or `url`, else the file's name. Raises ValueError."""
    for field_name in ("key", "id", "url"):
        value = document.get(field_name)
        if isinstance(value, bool) or value is None or value == "":
            continue
        return check_key(str(value) if isinstance(value, int) else value)
    return check_key(name.removesuffix(".json"))


def dropped_ticket(document: Json, job: str, name: str, meta: Json) -> Ticket:
    """The ticket of whatever JSON object was dropped in by hand. Raises ValueError."""
    key = dropped_key(document, name)
    inner = document.get("data")
    bare = not (isinstance(inner, dict) and document.keys() <= {"job", "key", "data", "meta"})
    if not bare and document.get("job", job) != job:
        raise ValueError(f"the item is of job {document['job']!r}")
    data = document if bare or not isinstance(inner, dict) else inner
    return Ticket(job, key, data, {**meta, "strategy": "drop"})
