"""What handlers read from an item, checked; and where in their output they put what they found."""

from __future__ import annotations

from typing import Any

from rivus.model.outcome import ItemFailed, Json


def address_in(item: Json, field: str = "url") -> str:
    """The http or https address in that field (`a.b`: in the object `a`). Raises ItemFailed if there is none."""
    url = value_at(item, field)
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
        raise ItemFailed(f"`{field}` is no http address")
    return url


def value_at(item: Json, field: str) -> Any:
    """The value of a field, or of one in an object of the item (`first.url`); None where there is none."""
    found: Any = item.get(field)
    if found is None and "." in field:
        outer, _, inner = field.partition(".")
        found = value_at(item[outer], inner) if isinstance(item.get(outer), dict) else None
    return found


def nested(output: Json, into: str | None) -> Json:
    """The output as it is, or as the one field `into`, so that it covers nothing an earlier stage has given."""
    return {into: output} if into else output
