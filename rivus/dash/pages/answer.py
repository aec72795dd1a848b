"""What every page shares: rows of the index, the folders behind it, the address it was asked for, and its answer.

The context of a page is plain data: it is the answer to an address that ends in `.json`, and what the template gets.
Charts are drawn from it for the template alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from rivus.dash.pages import words
from rivus.model.outcome import Json
from rivus.model.states import BOXES

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.utils.asgi import Request, Response

    from rivus.config import Jobs
    from rivus.dash.setup import Setup

DATABASE = "rivus"
_kept: dict[str, tuple[object, Any]] = {}


def setup_of(datasette: Datasette) -> Setup:
    """What the server was started for: the spool and jobs.d."""
    setup: Setup = datasette.rivus
    return setup


def jobs_of(folder: Path) -> Jobs:
    """All of jobs.d, read again when a file of it has changed. Raises BadConfig if it cannot be read at all."""
    from rivus.config import load_jobs

    states = {one.name: one.stat() for one in sorted(folder.glob("*.y*ml"))}
    stamp = str(folder), [(name, state.st_mtime_ns, state.st_size) for name, state in states.items()]
    known = _kept.get("jobs")
    if known is None or known[0] != stamp:
        known = _kept["jobs"] = stamp, load_jobs(folder)
    jobs: Jobs = known[1]
    return jobs


async def rows(datasette: Datasette, sql: str, **values: object) -> list[dict[str, Any]]:
    """What a query gives. values: for `:name` in it."""
    result = await datasette.get_database(DATABASE).execute(sql, values)
    return [dict(row) for row in result.rows]


async def numbers(datasette: Datasette, sql: str, **values: object) -> dict[str, Any]:
    """The one row that a query gives."""
    return (await rows(datasette, sql, **values))[0]


def asked(request: Request, page: str) -> tuple[list[str], bool]:
    """The parts of the address after `/PAGE/`, decoded, and whether it asks for JSON: `/item/dml/a%2Fb.json` is
    `["dml", "a/b"], True`. A part that itself ends in .json has its dot encoded."""
    raw = request.scope.get("raw_path") or request.path.encode()
    whole = raw.decode("latin-1").partition("?")[0].removeprefix(f"/{page}").strip("/")
    as_json = whole.endswith(".json")
    return [unquote(part) for part in whole.removesuffix(".json").split("/")], as_json


async def answer(
    datasette: Datasette, request: Request, name: str, context: Json, drawn: Mapping[str, object] | None = None
) -> Response:
    """The context as the page `name`, or as JSON if the address asks for that. drawn: charts, for the page alone."""
    return await _answer(datasette, request, name, context, drawn or {}, 200)


async def missing(datasette: Datasette, request: Request, what: str) -> Response:
    """The page that says that something is not there, with status 404."""
    return await _answer(datasette, request, "missing", {"missing": what}, {}, 404)


async def _answer(
    datasette: Datasette, request: Request, name: str, context: Json, drawn: Mapping[str, object], status: int
) -> Response:
    from datasette.utils.asgi import Response

    if asked(request, "")[1]:
        text = json.dumps(context, ensure_ascii=True, default=str)
        return Response(text, status=status, content_type="application/json; charset=utf-8")
    helpers = {"now": time.time(), "words": words, "boxes": [str(box) for box in BOXES], "request": request}
    html = await datasette.render_template(f"rivus_{name}.html", {**context, **drawn, **helpers}, request=request)
    return Response.html(html, status=status)
