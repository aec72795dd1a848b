"""How Datasette's own tables show a value: keys, jobs and groups lead to their pages, states have a sign and a class,
long texts are cut, and nothing that came from outside is markup, or a link that is not http."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from rivus.dash.pages import words
from rivus.model.states import BOXES

STATES = frozenset({*map(str, BOXES), "trouble", "working", "waiting", "lost"})
LONGEST = 300
"""Letters of a text in a table."""
_LINK = Markup('<a href="{}">{}</a>')
_STATE = Markup('<span class="state state-{}">{} {}</span>')
_NUMBER = Markup('<span class="number">{}</span>')
_NOTHING = Markup('<span class="nothing">–</span>')
_CUT = Markup('<span title="{}">{}…</span>')
_OUTSIDE = Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>')


def cell(row: Any, value: object, column: str, table: str | None) -> Markup | str | None:
    """A value as HTML, or as text that is still to be escaped; None leaves it to Datasette."""
    if value is None:
        return _NOTHING
    if isinstance(value, int | float):
        return _NUMBER.format(value)
    if not isinstance(value, str):
        return None
    if (column == "state" or column.endswith("_state")) and value in STATES:
        return _STATE.format(value, words.sign(value), value)
    if (address := _address(row, value, column, table)) is not None:
        return _LINK.format(address, _short(value) or "(empty)")
    if web := words.web(value):
        return _OUTSIDE.format(web, _short(web))
    return _CUT.format(value[:2000], _short(value)[:-1]) if len(value) > LONGEST else value


def _address(row: Any, value: str, column: str, table: str | None) -> str | None:
    """The page that a value is about, if there is one."""
    if column == "parent" and "/" in value:
        return words.item(*value.split("/", 1))
    if column in ("key", "example_key"):
        job = _job(row, table)
        return words.item(job, value) if job and value else None
    if column == "job" or (column, table) == ("name", "jobs"):
        return words.job(value)
    return words.group(value) if column == "fingerprint" and value and value != "none" else None


def _job(row: Any, table: str | None) -> str | None:
    if table and table.startswith("job_"):
        return table.removeprefix("job_")
    names = row.keys() if hasattr(row, "keys") else ()
    job = row["job"] if "job" in names else None
    return job if isinstance(job, str) else None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
