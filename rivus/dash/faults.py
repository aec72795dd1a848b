"""What becomes of an error while a page is made: a page of ours, or JSON for an address that asks for it.

Datasette answers 500 to many an address that is only odd: a sort by no column, a number that is none, a `_next` cut
short. Here those are 400; an index that cannot be read now is 503; 500 is left for mistakes of the pages.
"""

from __future__ import annotations

import errno
import sqlite3
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from datasette.database import MultipleValues, QueryInterrupted
from datasette.utils.asgi import Base400, Response
from datasette.views.base import DatasetteError

from rivus.dash.keeper import is_damage
from rivus.errors import RivusError
from rivus.talk import say

if TYPE_CHECKING:
    from datasette.utils.asgi import Request

OURS = Path(__file__).parent
_BETWEEN = frozenset({"opened.py", "guard.py"})
"""Files of ours that Datasette's own errors come through."""
ODD = (
    ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError, MultipleValues, MemoryError,
    sqlite3.Error, sqlite3.Warning,
)  # fmt: skip
"""What Datasette's own code raises over an address that it does not expect."""
GONE = frozenset({
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY,
})  # fmt: skip
"""Errors that are the index's."""
MAKING = "The index is being made, or cannot be read just now. This page will be there in a moment; try again."
SLOW = "This took too long and was stopped. Fewer rows, a filter or another order may be quick enough."


class Fault(NamedTuple):
    status: int
    title: str
    text: str


def fault(error: Exception) -> Fault:
    """What an error is called on a page."""
    if isinstance(error, Base400):
        return Fault(error.status, "Not found" if error.status == 404 else "Not understood", _text(error))
    if isinstance(error, QueryInterrupted) or isinstance(error.__context__, QueryInterrupted):
        return Fault(503 if _is_ours(error) else 400, "Too slow", SLOW)
    if _code(error) in GONE or _code(error.__context__) in GONE:
        return Fault(503, "Not now", MAKING)
    if isinstance(error, DatasetteError):
        status = error.status if 400 <= error.status < 500 else 400
        return Fault(status, error.title or "Not understood", str(error.message))
    if isinstance(error, RivusError):
        return Fault(503, "Not now", str(error))
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR):
        return Fault(404, "Not found", "There is no such file.")
    if isinstance(error, ODD) and not _is_ours(error):
        return Fault(400, "Not understood", f"This address cannot be answered: {_text(error)}")
    return Fault(500, "A mistake of rivus", f"{type(error).__name__}; the journal of rivus-dash has more.")


def _text(error: Exception) -> str:
    text = str(error.args[0]) if error.args else ""
    return "There is no such page." if text in ("", "404") and isinstance(error, Base400) else text[:300]


def _code(error: BaseException | None) -> int:
    """SQLite's number for it, 0 for another error."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _is_ours(error: Exception) -> bool:
    files = {Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)}
    return any(OURS in file.parents and file.name not in _BETWEEN for file in files)


async def answer(datasette: Any, request: Request, error: Exception) -> Response:
    """The answer to a request that ended in an error. What is a mistake of rivus goes to stderr, in one line."""
    status, title, text = found = fault(error)
    datasette.rivus.damaged |= is_damage(error) or is_damage(error.__context__)
    if status >= 500:
        frames = (f"{one.filename}:{one.lineno}" for one in reversed(traceback.extract_tb(error.__traceback__)))
        say(f"dash: {request.path}: {type(error).__name__}: {error}", 0 if status == 500 else 1)
        say(f"dash: {' < '.join(frames)}", 1)
    headers = {"Retry-After": "2"} if status == 503 else {}
    if request.path.endswith(".json"):
        return Response.json({"ok": False, "status": status, "title": title, "error": text}, status, headers)
    html = await datasette.render_template("error.html", found._asdict(), request=request)
    return Response.html(html, status=status, headers=headers)
