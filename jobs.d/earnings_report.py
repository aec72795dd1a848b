"""What a company earned, against what was expected: a handler that belongs to one job lies beside its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rivus.model.outcome import Skip

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False  # so its systemd unit gets none


def summary(item: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """One sentence and the figures for a row of the calendar.

    Takes: `symbol`, `eps_actual`, `eps_estimate`, `revenue_actual`, `revenue_estimate`, as the calendar has them;
           `surprise`, `before` and `after` (`finnhub.surprises`, `finnhub.quote`) as far as there are such.
    Gives: `text`; `eps` and `revenue`: see `surprise`; `move` (`before`, `after`, `percent`), null without both prices.

    Raises Skip while the company has not reported.
    """
    known = {"actual": number(item, "eps_actual"), "estimate": number(item, "eps_estimate")}
    known |= item.get("surprise") or {}
    if known["actual"] is None:
        raise Skip(f"{item['symbol']} has not reported yet")
    earnings = surprise(known["actual"], known["estimate"])
    revenue = surprise(number(item, "revenue_actual"), number(item, "revenue_estimate"))
    moved = move(item.get("before"), item.get("after"))
    text = f"{item['symbol']}: {_words(earnings)}{_moved(moved)}"
    return {"text": text, "eps": earnings, "revenue": revenue, "move": moved}


def surprise(actual: float | None, estimate: float | None) -> dict[str, Any]:
    """`difference` = actual - estimate, and `percent` of the estimate's size. Null where there is nothing to compare,
    or nothing to take a share of."""
    if actual is None or estimate is None:
        return {"actual": actual, "estimate": estimate, "difference": None, "percent": None}
    difference = round(actual - estimate, 4)
    percent = round(100 * difference / abs(estimate), 1) if estimate else None
    return {"actual": actual, "estimate": estimate, "difference": difference, "percent": percent}


def move(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, float] | None:
    """By how much the price changed between two quotes; None if there are not two."""
    if not before or not after:
        return None
    first, last = before["price"], after["price"]
    return {"before": first, "after": last, "percent": round(100 * (last - first) / first, 1)}


def number(item: dict[str, Any], name: str) -> float | None:
    """The number in a field; None for what is none."""
    value = item.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _words(earnings: dict[str, Any]) -> str:
    if earnings["difference"] is None:
        return f"{earnings['actual']:.2f} a share; nobody had estimated it"
    size = "" if earnings["percent"] is None else f" ({earnings['percent']:+.1f} %)"
    return f"{earnings['actual']:.2f} a share, {earnings['difference']:+.2f} against the estimate{size}"


def _moved(moved: dict[str, float] | None) -> str:
    return "" if moved is None else f"; the share {moved['percent']:+.1f} %"
