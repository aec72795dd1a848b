"""How `json_api` makes things found of the rows of an answer."""

from __future__ import annotations

from typing import Any

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, RetryLater
from rivus.sources.answer import described, expression, projects_nothing
from rivus.sources.dates import Span, from_any
from rivus.sources.keys import key_of, text_of

MOST = 100_000
"""Rows of one answer: millions of small ones fit into its bytes."""


class Rows:
    """How an answer becomes things found. span: what is asked for; told: whether the server knows its two ends."""

    def __init__(
        self, items: str, key: str, fields: dict[str, str] | None, published: str | None, span: Span,
        told: tuple[bool, bool],
    ) -> None:  # fmt: skip
        self._where, self._list = items, expression(items, "items")
        self._path, self._key = key, expression(key, "key")
        self._fields = {name: expression(text, f"fields.{name}") for name, text in (fields or {}).items()}
        self._published = expression(published, "published") if published else None
        self.span, self.count = span, 0
        self._trusting = all(known for known, bound in zip(told, span, strict=True) if bound)
        dated = published or fields is None or "published" in fields
        if not (dated or self._trusting):
            raise Halt("since, until: nothing tells when a row is from: `published`, or since_param and until_param")

    def of(self, look: Look, answer: Any) -> list[Found]:
        """All rows of an answer, in its order. Raises RetryLater if there is no list, or no row with a key."""
        rows = self._list(answer)
        told = f"the answer is {described(answer)}"
        if not isinstance(rows, list):
            raise RetryLater(f"items: {self._where!r} gives {described(rows)}, not a list: {told}")
        if not rows and projects_nothing(self._where, answer):
            raise RetryLater(f"items: {self._where!r} finds nothing in any row: {told}")
        if len(rows) > MOST:
            look.log.warning("%d of %d rows are left out", len(rows) - MOST, len(rows))
        self.count, rows = len(rows), rows[:MOST]
        found = [one for one in map(self._found, rows) if one is not None]
        if rows and not found:
            raise RetryLater(f"key: {self._path!r} is no text or number in any row: the first is {described(rows[0])}")
        if self._fields and found and not any(one.data for one in found):
            raise RetryLater(f"fields: none is in any row: the first is {described(rows[0])}")
        if found and not self.span.open and not self._trusting and not any(map(_date, found)):
            raise RetryLater(f"published: no row has a date: the first is {described(rows[0])}")
        if len(found) < len(rows):
            look.log.warning("%d of %d rows are left out: they have no key", len(rows) - len(found), len(rows))
        return found

    def within(self, one: Found) -> bool:
        """Whether it is in the span that was asked for."""
        date = _date(one)
        return (date is None and self._trusting) or self.span.holds(date)

    def _found(self, row: Any) -> Found | None:
        key = text_of(self._key(row))
        return Found(key_of(key), self._data(row)) if key else None

    def _data(self, row: Any) -> Json:
        data: Json = row if isinstance(row, dict) else {"value": row}
        if self._fields:
            picked = {name: pick(row) for name, pick in self._fields.items()}
            data = {name: value for name, value in picked.items() if value is not None}
        given = self._published(row) if self._published else data.get("published")
        date = from_any(given)
        return {**data, "published": date} if date else data


def _date(one: Found) -> Any:
    return from_any(one.data.get("published")) or one.data.get("published")
