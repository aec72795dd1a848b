"""What only the job `person_intel` needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rivus.handlers.http import Scalar, get_json
from rivus.model.outcome import Skip

if TYPE_CHECKING:
    from rivus.model.context import Context


def lookup(
    item: dict[str, Any], ctx: Context, *, field: str, url: str, select: str, into: str,
    params: dict[str, Scalar] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What a source says of a person: `http.json`, with its parameters, for those who have `field`.

    Raises Skip for who does not have it or is not known there, and what `http.json` raises.
    """
    if not item.get(field):
        raise Skip(f"there is no `{field}` of {item.get('name', ctx.key)}")
    return get_json(item, ctx, url=url, params=params, select=select, into=into, absent="skip")
