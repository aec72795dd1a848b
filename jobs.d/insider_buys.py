"""What only the job `insider_buys` needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rivus.model.outcome import ItemFailed, Skip

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False
PURCHASE = "P"
"""Form 4's code for a purchase in the market or from another person."""


def purchase(item: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """What an insider has bought.

    Takes: a row of `finnhub_insider`: `symbol`, `name`, `date`, `code`, `change`, `price`, `share` (held afterwards).
    Gives: `shares`, `price`, `value` (USD), `increase_percent` (of what was held before; null if nothing was), `text`.

    Raises Skip for what is no purchase of shares, ItemFailed for one without a price.
    """
    shares, price, after = (number(item, name) or 0 for name in ("change", "price", "share"))
    if item["code"] != PURCHASE or shares <= 0 or item.get("is_derivative"):
        raise Skip(f"no purchase of shares (code {item['code']})")
    if price <= 0:
        raise ItemFailed("the purchase has no price")
    value = round(shares * price)
    held = after - shares
    text = f"{item['name']} bought {shares:,} {item['symbol']} at {price:,.2f} for {value:,} USD on {item['date']}"
    increase = round(100 * shares / held, 1) if held > 0 else None
    return {"shares": shares, "price": price, "value": value, "increase_percent": increase, "text": text}


def number(item: dict[str, Any], name: str) -> float | None:
    """The number in a field; None for what is none."""
    value = item.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
