"""`/item/JOB/KEY`: one item, read from the spool itself: where it stands and why, what each stage made of it, what went
wrong and what was decided, its story, and the commands that move it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from rivus.dash.pages import words
from rivus.dash.pages.answer import answer, asked, jobs_of, missing, rows, setup_of
from rivus.dash.pages.papers import fields, files_of, paper, stage_of
from rivus.dash.setup import Setup
from rivus.index.derive import named
from rivus.model.children import parent_of
from rivus.model.item import NAME, file_name
from rivus.model.outcome import Json
from rivus.model.reason import with_options
from rivus.spool.layout import Spool
from rivus.tell.checkup.finding import commands, word
from rivus.tell.family import children_of

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.utils.asgi import Request, Response

    from rivus.config import Jobs

LONGEST_STORY = 400
"""Lines of the story that are shown, the newest."""


async def item(datasette: Datasette, request: Request) -> Response:
    """The page. Context: `job`, `key`, `data`, `meta`, `parent`, `children`, `stages`, `reasons`, `files`,
    `story`, `commands`."""
    parts, as_json = asked(request, "item")
    job, key = parts[0], "/".join(parts[1:])
    if not NAME.fullmatch(job) or not key or "\0" in key:
        return await missing(datasette, request, f"There is no item {'/'.join(parts)}.")
    found = await _found(datasette, job, key)
    if found is None and as_json:  # an address typed by hand, of a key that ends in .json itself
        key, found = f"{key}.json", await _found(datasette, job, f"{key}.json")
    if found is None:
        return await missing(datasette, request, f"There is no item {key} of {job}.")
    shown = {"data_fields": fields(found["data"]), "meta_fields": fields(found["meta"]), "fields_of": fields}
    return await answer(datasette, request, "item", found, shown)


async def _found(datasette: Datasette, job: str, key: str) -> Json | None:
    sql = "SELECT name, title, url, discovered, changed, state FROM items WHERE job = :job AND key = :key"
    known = await rows(datasette, sql, job=job, key=key)
    name = named(known[0]["name"]) if known else file_name(key)
    if len(name) > 255 or "/" in name:
        return None
    found = await asyncio.to_thread(_gather, setup_of(datasette), job, key, name)
    if found is not None:
        found["title"] = (known[0]["title"] if known else None) or key
        found["state"] = known[0]["state"] if known else None
    return found


def _gather(setup: Setup, job: str, key: str, name: str) -> Json | None:
    from rivus.tell.look import stages_of

    spool, jobs = setup.spool, _jobs(setup)
    order = stages_of(spool, job, jobs.jobs.get(job))
    birth = paper(f"{spool.births(job)}/{name}")
    stages = [found for stage in order if (found := stage_of(spool, job, stage, name, time.time()))]
    if birth is None and not stages:
        return None
    source = birth or stages[0]["paper"]
    parent = parent_of(source.part("meta"))
    for stage in stages:
        del stage["paper"]
    return {
        "job": job, "key": key, "name": name, "data": source.part("data"), "meta": source.part("meta"),
        "url": words.web(source.part("data").get("url")), "fault": source.fault, "stages": stages,
        "reasons": _reasons(setup, jobs, job, name, key), "files": files_of(spool.files(job, name)),
        "parent": parent.to_json() if parent else None,
        "children": children_of({stage["name"]: stage for stage in stages}),
        "story": _story(spool, job, order, key), "commands": _commands(setup, job, key, stages),
    }  # fmt: skip


def _jobs(setup: Setup) -> Jobs:
    from rivus.config import Jobs
    from rivus.errors import RivusError

    try:
        return jobs_of(setup.jobs_folder)
    except (RivusError, OSError):
        return Jobs()


def _reasons(setup: Setup, jobs: Jobs, job: str, name: str, key: str) -> list[Json]:
    """Why it is not running, as `rivus-why` tells it, flat: each with how deep it is below its root."""
    from pathlib import Path

    from rivus.limits import Limits
    from rivus.tell.evidence import Evidence
    from rivus.tell.why import explain

    evidence = Evidence(setup.spool, jobs, Limits(Path(setup.spool.limits), jobs.limits), time.time())
    options = commands(setup.spool, setup.jobs_folder).options
    found: list[Json] = []

    def add(reasons: Any, depth: int) -> None:
        for reason in reasons:
            command = reason.override
            found.append({
                "stage": reason.stage, "kind": str(reason.kind), "text": reason.line(evidence.now),
                "depth": min(depth, 5), "group": reason.group,
                "command": with_options(command, options), "short": command,
            })  # fmt: skip
            add(reason.causes, depth + 1)

    add(explain(evidence, job, name, key), 0)
    return found


def _story(spool: Spool, job: str, stages: list[str], key: str) -> list[Json]:
    from rivus.tell.story import story

    return story(spool, job, stages, key, None)[-LONGEST_STORY:]


def _commands(setup: Setup, job: str, key: str, stages: list[Json]) -> list[Json]:
    """What a person may want to do with it now, each with what it does."""
    states = {stage["state"] for stage in stages}
    able = [
        ("run again what failed or waits", {"failed", "later"}, "rivus-move retry"),
        ("let go what is held", {"held"}, "rivus-move release"),
        ("park it for a person", {"wait", "ready", "later", "failed"}, "rivus-move hold"),
        ("end it without a result", {"wait", "ready", "later", "failed", "held"}, "rivus-move drop"),
        ("why it is not running", states - {"done"}, "rivus-why"),
        ("its whole story, with the system's journal", states, "rivus-log"),
        ("everything there is of it", states, "rivus-show --json"),
    ]
    address, options = word(f"{job}/{key}"), commands(setup.spool, setup.jobs_folder).options
    told = [(what, f"{command} {address}") for what, when, command in able if states & when]
    told += [
        (f"run {stage['name']} again", f"rivus-move retry --stage {stage['name']} {address}")
        for stage in stages if stage["state"] == "done"
    ]  # fmt: skip
    return [{"what": what, "short": command, "command": with_options(command, options)} for what, command in told]
