"""rivus in Datasette: its pages, the guard around all of them, and what Datasette's own pages show of the index.

`plug_in` registers this module, once in a process. Of Datasette's plugins those that log people in are taken out, and
those that happen to be installed beside it too: nothing but this runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from datasette.plugins import pm
from pluggy import HookimplMarker

from rivus import __version__
from rivus.dash import faults, opened
from rivus.dash.guard import App, Guard
from rivus.dash.metadata import metadata
from rivus.dash.show import cell
from rivus.index.tables import TABLES
from rivus.model.times import utc

if TYPE_CHECKING:
    import sqlite3

    from datasette.utils.asgi import Request, Response

UNWANTED = (
    "datasette.handle_exception", "datasette.actor_auth_cookie", "datasette.default_menu_links",
    "datasette.default_magic_parameters", "datasette.publish.heroku", "datasette.publish.cloudrun",
)  # fmt: skip
PAGES = {
    r"/(\.json)?$": "home.home",
    r"/job/[^/]+$": "job.job",
    r"/item/[^/]+/.+$": "item.item",
    r"/failures(\.json)?$": "failures.failures",
    r"/failures/[^/]+$": "failures.group",
    r"/runs(\.json)?$": "runs.runs",
    r"/limits(\.json)?$": "limits.limits",
    r"/stale(\.json)?$": "stale.stale",
}
"""The pages by their addresses: a module of rivus.dash.pages and the function in it."""
NAV = ({"label": "failures", "href": "/failures"}, {"label": "runs", "href": "/runs"},
       {"label": "limits", "href": "/limits"}, {"label": "stale", "href": "/stale"},
       {"label": "tables", "href": "/rivus"})  # fmt: skip
HELP = {name: table.help for name, table in TABLES.items()}
_HERE = {"": "home", ".json": "home", "job": "job", "item": "job", "rivus": "tables"}

hookimpl = HookimplMarker("datasette")
Page = Callable[[Any, "Request"], Awaitable["Response"]]


def plug_in() -> None:
    """Makes Datasette load this, and nothing else of others'."""
    plugin = sys.modules[__name__]
    if pm.is_registered(plugin):
        return
    for name in UNWANTED:
        pm.unregister(name=name)
    for other, _ in pm.list_plugin_distinfo():
        if pm.is_registered(other):
            pm.unregister(other)
    pm.register(plugin, "rivus")


@hookimpl
def register_routes() -> list[tuple[str, Page]]:
    return [(address, _page(name)) for address, name in PAGES.items()]


def _page(name: str) -> Page:
    module, _, function = name.partition(".")

    async def page(datasette: Any, request: Request) -> Response:
        try:
            make: Page = getattr(import_module(f"rivus.dash.pages.{module}"), function)
            return await make(datasette, request)
        except Exception as error:  # noqa: BLE001 - Datasette would send an address with a % somewhere else
            return await faults.answer(datasette, request, error)

    return page


@hookimpl
def handle_exception(datasette: Any, request: Request, exception: Exception) -> Awaitable[Response]:
    return faults.answer(datasette, request, exception)


@hookimpl
def asgi_wrapper(datasette: Any) -> Callable[[App], App]:
    return lambda app: Guard(app, datasette.rivus.hosts, datasette.began, datasette.ended)


@hookimpl
def prepare_connection(conn: sqlite3.Connection, database: str, datasette: Any) -> None:
    if database == "rivus":
        opened.restrict(conn, datasette.rivus.allow_sql)


@hookimpl
def get_metadata(datasette: Any) -> dict[str, Any]:
    return metadata(datasette.rivus)


@hookimpl
def render_cell(row: Any, value: object, column: str, table: str | None) -> object:
    return cell(row, value, column, table)


@hookimpl
def extra_template_vars(datasette: Any, request: Request | None) -> dict[str, object]:
    first = request.path.split("/")[1] if request and "/" in request.path else ""
    return {
        "rivus_version": __version__,
        "nav": NAV,
        "nav_jobs": [_link(job) for job in datasette.rivus.jobs.values()],
        "here": _HERE.get(first, first.removesuffix(".json")),
        "index_time": _time(datasette.rivus.updated),
        "job_views": {f"job_{name}": job["title"] or "" for name, job in datasette.rivus.jobs.items()},
        "table_help": HELP,
    }


def _link(job: dict[str, Any]) -> dict[str, str]:
    note = "broken" if job["problem"] else "paused" if job["paused"] else "" if job["enabled"] else "off"
    return {"href": f"/job/{job['name']}", "label": job["name"], "note": note}


def _time(path: str) -> str:
    try:
        seconds = os.stat(path).st_mtime
    except OSError:
        return ""
    return utc(seconds) if seconds else ""
