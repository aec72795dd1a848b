"""What rivus-stale does and prints, verb by verb."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from rivus.commands.frame import House
from rivus.errors import BadConfig
from rivus.model.outcome import Json
from rivus.model.reason import with_options
from rivus.talk import plain, say

if TYPE_CHECKING:
    from rivus.config.schema import Job


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a reset is kept to."""

    most: int | None
    where: str | None
    usd: float | None


def tell(house: House, asked: Sequence[tuple[Job, str | None]], as_json: bool) -> int:
    """Prints a line, or two, for each stage that has something stale; as JSON for every stage. 1 if something could not
    be judged."""
    from rivus.stale.survey import Survey

    spool, unreadable = house.spool(look=True), 0
    for job, stage in asked:
        survey = Survey(spool, job)
        for row in survey.rows():
            if stage in (None, row["stage"]):
                _print(row, as_json, house.options())
        if survey.unreadable:
            say(f"{job.name}: {survey.unreadable} items cannot be read; rivus-doctor --fsck names them")
        unreadable += survey.unreadable
    return 1 if unreadable else 0


def reset(house: House, job: Job, stage: str, bounds: Bounds, as_json: bool) -> None:
    """Makes stale results ready to run again. With `as_json` prints a line for each, fit for rivus-stage."""
    from rivus.stale import redo
    from rivus.stale.survey import Survey

    field, equals, value = (bounds.where or "").partition("=")
    if bounds.where and not (field and equals):
        raise click.UsageError("--where takes FIELD=VALUE")
    wanted = redo.field_is(field, value) if field else lambda paper: True
    survey, count = Survey(house.spool(), job), 0
    for key in redo.reset(survey, stage, wanted, bounds.most, bounds.usd):
        count += 1
        if as_json:
            click.echo(json.dumps({"job": job.name, "key": key, "stage": stage}, ensure_ascii=False))
    if not count and (waits := survey.counts[stage].waits):
        say(f"{job.name}:{stage}: not yet: {_waiting(waits)}")
    say(f"{job.name}:{stage}: {count} run again", 1)


def bless(house: House, job: Job, stage: str, why: str) -> None:
    """Makes what older versions made count as current."""
    from rivus.spool.owners import Owner
    from rivus.spool.reader import Unreadable
    from rivus.stale.redo import blessing
    from rivus.stale.survey import Survey

    spool = house.spool()
    with Owner(spool) as owner:
        try:
            count = blessing(spool, Survey(spool, job), stage, why, owner)
        except Unreadable as error:
            raise BadConfig(str(error)) from None
    say(f"{job.name}:{stage}: {count} results count as current", 1)


def judge(house: House, job: Job, stage: str, as_json: bool) -> None:
    """Prints what a language model says about each change that made results stale."""
    from rivus.config.doctor import load_doctor
    from rivus.spool.owners import Owner
    from rivus.stale.opinions import opinions
    from rivus.stale.survey import Survey

    spool, llm = house.spool(), load_doctor(house.jobs_folder)
    with Owner(spool) as owner:
        for row in opinions(Survey(spool, job), stage, llm, owner):
            _print_opinion(row, as_json)


def diff(house: House, job: Job, stage: str) -> None:
    """Prints what has changed since the version that made what is stale."""
    from rivus.stale.diff import differences
    from rivus.stale.survey import Survey

    for line in differences(Survey(house.spool(look=True), job), stage):
        click.echo(plain(line))


def _print(row: Json, as_json: bool, options: str) -> None:
    if as_json:
        click.echo(json.dumps(row, ensure_ascii=False))
        return
    place = f"{row['job']}:{row['stage']}"
    if row.get("fault"):
        say(f"{place}: {plain(row['fault'])}")
    if row.get("removed"):
        click.echo(f"{place}  is not in jobs.d any more; {row['results']} results are kept")
    elif row["stale"]:
        why = ", ".join(f"{plain(name)} {count}" for name, count in row["why"].items())
        click.echo(f"{place}  {row['stale']} of {row['results']} stale: {why}")
        click.echo(f"    redo: {_price(row['redo'])}{_follows(row['follows'])}")
        if row["ready"]:
            click.echo(f"    {row['ready']} can run now: {with_options(f'rivus-stale reset {place}', options)}")
        if row["waits"]:
            click.echo(f"    not yet: {_waiting(row['waits'])}")
    for one in row.get("blessed", ()):
        if "diff" in one:  # no person has said it
            who = f"{one.get('by')}, {one.get('when')}: {one.get('why')}"
            click.echo(plain(f"{place}  {one['version']} counts as {one['as']} by the word of {who}"))


def _print_opinion(row: Json, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(row, ensure_ascii=False))
        return
    place, who = f"{row['job']}:{row['stage']}", f" ({row['model']})" if row["model"] else ""
    click.echo(plain(f"{place}  {row['version']}, {row['results']} stale: {row['verdict']}{who}: {row['why']}"))
    if row["blessed"]:
        click.echo(f"    they count as current now: auto_bless of {place}")


def _price(redo: Json) -> str:
    calls = "calls unknown" if redo["calls"] is None else f"{redo['calls']} calls"
    minutes = "time unknown" if redo["minutes"] is None else f"{redo['minutes']:g} min"
    usd = "price unknown" if redo["usd_p50"] is None else f"{redo['usd_p50']:g} to {redo['usd_p95']:g} USD"
    part = redo["price_unknown"]
    unknown = f" (price of {part:.0%} of the past runs unknown)" if redo["usd_p50"] is not None and part else ""
    return f"{calls}, {minutes}, {usd}{unknown}"


def _waiting(waits: Mapping[str, int]) -> str:
    from rivus.stale.judge import NO_CHILDREN, NO_FILES

    words = {NO_CHILDREN: "its children are not done", NO_FILES: "files of earlier stages are not kept any more"}
    return ", ".join(f"{count} ({words.get(what, f'{what} comes first')})" for what, count in waits.items())


def _follows(follows: dict[str, int]) -> str:
    return "; may follow: " + ", ".join(f"{stage} {count}" for stage, count in follows.items()) if follows else ""
