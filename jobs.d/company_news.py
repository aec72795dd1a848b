"""What only the job `company_news` needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rivus.model.outcome import Skip

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False


def first(item: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Lets a story pass that nobody has told before.

    Takes: `near` as `dedupe.near` gives it. Gives: `first`: true.
    Raises Skip for a story that an earlier item tells.
    """
    if item["near"]:
        raise Skip(f"says what {item['near']} has said")
    return {"first": True}
