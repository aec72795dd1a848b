"""What handlers read from an item, checked."""

from __future__ import annotations

from rivus.model.outcome import ItemFailed, Json


def address_in(item: Json, field: str = "url") -> str:
    """The http or https address in that field. Raises ItemFailed if there is none."""
    url = item.get(field)
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
        raise ItemFailed(f"`{field}` is no http address")
    return url
