"""What only the job `ipo_watch` needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False
_PRICE = re.compile(r"\d{1,9}(?:\.\d{1,6})?")


def size(item: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """How large an offering is.

    Takes: a row of `finnhub_ipo`: `name` or `symbol`, `date`, and `status`, `price` (`16.00-18.00`),
           `number_of_shares`, `total_shares_value`, as far as they are known.
    Gives: `status`; `low` and `high` of the price, `amount` (the middle of the price x the shares, else the value that
           the row gives), all in USD and null where they are not known; `text`: one sentence.
    """
    low, high = prices(item.get("price"))
    shares, amount = number(item, "number_of_shares"), number(item, "total_shares_value")
    if shares and low is not None and high is not None:
        amount = round((low + high) / 2 * shares)
    status = item.get("status") or "unknown"
    told = f", about {amount / 1e6:,.0f} million USD" if amount else ""
    price = "" if low is None else f" at {low:.2f}" if low == high else f" at {low:.2f} to {high:.2f}"
    text = f"{item.get('name') or item['symbol']}: {status} for {item['date']}{price}{told}"
    return {"status": status, "low": low, "high": high, "amount": amount, "text": text}


def prices(text: Any) -> tuple[float | None, float | None]:
    """The lowest and the highest price in a text; None and None if there is none."""
    found = [float(price) for price in _PRICE.findall(str(text or ""))]
    return (min(found), max(found)) if found else (None, None)


def number(item: dict[str, Any], name: str) -> float | None:
    """The number in a field; None for what is none."""
    value = item.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
