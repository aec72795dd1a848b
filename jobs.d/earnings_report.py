"""What a company earned, against what was expected: a handler that belongs to one job lies beside its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rivus.model.outcome import Skip

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False  # so its systemd unit gets none


def summary(item: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """One sentence and the figures for a row of the calendar (`symbol`, `eps_actual`, `eps_estimate`, `revenue_actual`,
    `revenue_estimate`). Raises Skip while the company has not reported."""
    if item.get("eps_actual") is None:
        raise Skip(f"{item['symbol']} has not reported yet")
    earnings = surprise(item["eps_actual"], item.get("eps_estimate"))
    revenue = surprise(item.get("revenue_actual"), item.get("revenue_estimate"))
    return {"text": f"{item['symbol']}: {_words(earnings)}", "eps": earnings, "revenue": revenue}


def surprise(actual: float | None, estimate: float | None) -> dict[str, Any]:
    """`difference` = actual - estimate, and `percent` of the estimate's size. Null where there is nothing to compare,
    or nothing to take a share of."""
    if actual is None or estimate is None:
        return {"actual": actual, "estimate": estimate, "difference": None, "percent": None}
    difference = round(actual - estimate, 4)
    percent = round(100 * difference / abs(estimate), 1) if estimate else None
    return {"actual": actual, "estimate": estimate, "difference": difference, "percent": percent}


def _words(earnings: dict[str, Any]) -> str:
    if earnings["difference"] is None:
        return f"{earnings['actual']:.2f} a share; nobody had estimated it"
    size = "" if earnings["percent"] is None else f" ({earnings['percent']:+.1f} %)"
    return f"{earnings['actual']:.2f} a share, {earnings['difference']:+.2f} against the estimate{size}"
