"""How pages say things: times, amounts, states, and the addresses of other pages. Pure, for templates."""

from __future__ import annotations

import time
from urllib.parse import quote, urlencode

from rivus.model.decide import FOREVER
from rivus.model.times import epoch

DAY = 86400.0
SIGNS = {
    "wait": "W", "ready": "R", "running": "▶", "later": "L", "done": "✓", "failed": "✕", "held": "H",
    "trouble": "✕", "working": "▶", "waiting": "W", "lost": "?",
}  # fmt: skip
"""A sign for each state, so that it can be told without its colour."""
_STEPS = ((90 * DAY, DAY * 30.44, "mo"), (2 * DAY, DAY, "d"), (2 * 3600.0, 3600.0, "h"), (90.0, 60.0, "min"))


def sign(state: str | None) -> str:
    """The sign of a state; a dot for none."""
    return SIGNS.get(state or "", "·")


def span(seconds: float) -> str:
    """A length of time in one number: `45 s`, `12 min`, `5 h`, `3 d`."""
    for least, unit, name in _STEPS:
        if seconds >= least:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == 0 else f"{seconds:.1f} s"


def took(seconds: float | None) -> str:
    """How long a run took."""
    if seconds is None:
        return "–"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else span(seconds)


def age(moment: str | None, now: float) -> str:
    """How long ago, or in how long, a time is."""
    try:
        ahead = epoch(moment or "") - now
    except ValueError:
        return "–"
    if ahead > FOREVER - now - DAY:
        return "until resumed"
    return f"in {span(ahead)}" if ahead > 1 else f"{span(-ahead)} ago" if ahead < -1 else "now"


def clock(moment: str | None, now: float) -> str:
    """A time as short as it can be told apart, UTC: `05:45:12` today, `20 Nov 05:45` this year, else the day."""
    try:
        then, today = time.gmtime(epoch(moment or "")), time.gmtime(now)
    except (ValueError, OverflowError, OSError):
        return "–"
    if then[:3] == today[:3]:
        return time.strftime("%H:%M:%S", then)
    return time.strftime("%d %b %H:%M" if then[0] == today[0] else "%Y-%m-%d", then)


def count(number: float | None) -> str:
    """A number of things: `12,345`."""
    return "–" if number is None else f"{number:,.0f}"


def brief(number: float) -> str:
    """A number for a narrow place: `950`, `12k`, `3.4M`."""
    for least, name in ((1e6, "M"), (1e4, "k")):
        if abs(number) >= least:
            value = number / (1e3 if name == "k" else 1e6)
            return f"{value:.1f}{name}" if value < 10 else f"{value:.0f}{name}"
    return f"{number:,.0f}" if number == int(number) else f"{number:.3g}"


def usd(amount: float | None) -> str:
    """An amount of money: never 0 for what is not known."""
    if amount is None:
        return "–"
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def size(number: int) -> str:
    """A number of bytes."""
    for least, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")):
        if number >= least:
            return f"{number / least:.1f} {name}"
    return f"{number} B"


def plural(number: int, one: str, more: str = "") -> str:
    """`1 item`, `2 items`."""
    return f"{count(number)} {one if number == 1 else more or one + 's'}"


def item(job: str, key: str) -> str:
    """The address of an item's page, whatever its key is."""
    path = f"/item/{quote(job, safe='')}/{quote(key, safe='')}"
    return f"{path[:-5]}%2Ejson" if path.endswith(".json") else path


def job(name: str, **filters: object) -> str:
    """The address of a job's page. filters: see the page."""
    return f"/job/{quote(name, safe='')}{_query(filters)}"


def table(name: str, **filters: object) -> str:
    """The address of the rows of a table, filtered by the values of columns. `_sort_desc` and the like go through."""
    return f"/rivus/{name}{_query(filters)}"


def group(fingerprint: str) -> str:
    """The address of a group of failures."""
    return f"/failures/{quote(fingerprint, safe='')}"


def _query(filters: dict[str, object]) -> str:
    given = {name: value for name, value in filters.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""


def web(url: object) -> str:
    """An address that may be a link: http and https alone; "" for all else."""
    return url if isinstance(url, str) and url.lower().startswith(("http://", "https://")) else ""
