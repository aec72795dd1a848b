"""rivus-doctor: groups failures, decides about them; checks the installation and the spool."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version
from rivus.errors import BadInput
from rivus.talk import plain

if TYPE_CHECKING:
    from rivus.model.states import Move

EXIT_CODES = OK | FAULTS | {1: "There are findings, or something failed; it was said."}


@click.group("rivus-doctor", invoke_without_command=True)
@click.option("--fsck", is_flag=True, help="Also look at every file: of each item each stage must hold exactly one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@version
@house
def command(house: House, fsck: bool, as_json: bool) -> int:
    """Without a command: a check-up of the configuration, the machine, the sources and the spool. Each finding comes
    with the command that mends it; exit code 0 when there is none."""
    context = click.get_current_context()
    context.obj = house
    if context.invoked_subcommand:
        return 0
    from rivus.tell.checkup import checkup
    from rivus.tell.fsck import fsck as check_files

    spool, jobs = house.spool(), house.jobs()
    findings = checkup(spool, jobs, house.jobs_folder, time.time())
    findings += check_files(spool, jobs) if fsck else []
    for one in findings:
        whole = {"what": one.what, "mend": one.mend, "grave": one.grave}
        click.echo(json.dumps(whole) if as_json else f"{'!' if one.grave else '-'} {plain(one.what)}\n    {one.mend}")
    return 1 if findings else 0


@command.command("failures")
@click.argument("job", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@click.pass_obj
def failures(house: House, job: str | None, as_json: bool) -> int:
    """Lists what has failed, is held, or waits after a failure (of JOB), in groups: one outage is one line."""
    from rivus.tell.failures import groups

    spool = house.spool()
    if job and job not in spool.jobs() and job not in house.jobs().jobs:
        raise BadInput(f"{job}: no such job")
    for group in groups(spool, [job] if job else None):
        view = group.to_json()
        click.echo(json.dumps(view, ensure_ascii=False) if as_json else _line(view))
    return 0


def _line(view: dict[str, object]) -> str:
    items = view["items"]
    assert isinstance(items, list)
    some = " ".join(map(plain, items[:3])) + (f" and {len(items) - 3} more" if len(items) > 3 else "")
    head = f"{view['group']}  {view['count']} x {view['class']} -> {view['action']}  {view['boxes']}"
    when = plain(f"{view['first']} to {view['last']}")
    return f"{plain(head)}\n    {plain(str(view['example']))[:160]}\n    {when}: {some}"


@command.command("retry")
@click.argument("group")
@click.option("--why", default="", metavar="TEXT", help="The reason, for the journal.")
@click.pass_obj
def retry(house: House, group: str, why: str) -> int:
    """Runs all items of GROUP again now (its name in `failures`, or how that begins)."""
    from rivus.model.states import RETRY

    return _move_all(house, group, RETRY, why)


@command.command("hold")
@click.argument("group")
@click.option("--why", default="", metavar="TEXT", help="The reason, for the journal.")
@click.option("--always", is_flag=True, help="Also from now on: writes a verdict.")
@click.pass_obj
def hold(house: House, group: str, why: str, always: bool) -> int:
    """Parks all items of GROUP for a person."""
    from rivus.model.states import HOLD

    return _move_all(house, group, HOLD, why, "needs_human" if always else "")


@command.command("fail")
@click.argument("group")
@click.option("--why", default="", metavar="TEXT", help="The reason, for the journal.")
@click.option("--always", is_flag=True, help="Also from now on: writes a verdict.")
@click.pass_obj
def fail(house: House, group: str, why: str, always: bool) -> int:
    """Gives up all items of GROUP."""
    from rivus.model.states import GIVE_UP

    return _move_all(house, group, GIVE_UP, why, "fail_item" if always else "")


def _move_all(house: House, start: str, row: Move, why: str, verdict: str = "") -> int:
    from rivus.tell.decisions import decide_about
    from rivus.tell.failures import group_of

    spool = house.spool()
    group = group_of(spool, start)
    click.echo(f"{decide_about(spool, group, row, why, verdict)} of {len(group.cases)} items", err=True)
    return 0


@command.command("explain")
@click.argument("address", metavar="JOB/KEY")
@click.pass_obj
def explain(house: House, address: str) -> int:
    """Tells what went wrong with an item, what was decided, by which rule and why, and what would be decided now."""
    from rivus.commands.items import parse_address
    from rivus.tell.decisions import explanation

    asked = parse_address(address)
    for line in explanation(house.spool(), asked.job, asked.key):
        click.echo(plain(line))
    return 0


@command.command("classify")
def classify() -> int:
    """Reads failures on standard input, as JSON Lines `{"handler", "error_type", "message", "status"?}`, and prints
    them with `class`, `action`, `after` (seconds) and `rule` added."""
    from rivus.commands.items import Lines
    from rivus.doctor.classify import classify as judge
    from rivus.doctor.failure import failure_from_record

    lines = Lines(sys.stdin.buffer)
    for row in lines:
        found = judge(failure_from_record(row), time.time())
        told = {"class": found.cls, "action": found.action, "after": found.after, "rule": found.rule}
        click.echo(json.dumps(row | told, ensure_ascii=False))
    return 65 if lines.bad else 0


@command.command("backtest")
@click.pass_obj
def backtest(house: House) -> int:
    """Judges all recorded failures by today's rules and verdicts, and prints what would change, as JSON Lines."""
    from rivus.tell.decisions import changes

    for line in changes(house.spool()):
        click.echo(json.dumps(line))
    return 0


@command.command("diagnose")
@click.pass_obj
def diagnose(house: House) -> int:
    """Asks the model that jobs.d/doctor.yaml names about each kind of failure that no rule knows, once per kind, and
    keeps the answer as a verdict; and about what made results stale, where a stage has `auto_bless`. Without a model it
    does nothing."""
    from rivus.config.doctor import load_doctor
    from rivus.spool.owners import Owner
    from rivus.stale.opinions import allowed
    from rivus.tell.decisions import ask_about_unknown

    spool, llm = house.spool(), load_doctor(house.jobs_folder)
    for line in ask_about_unknown(spool, house.jobs_folder):
        click.echo(json.dumps(line))
    with Owner(spool) as owner:
        for line in allowed(spool, house.jobs().jobs.values(), llm, owner):
            click.echo(json.dumps(line))
    return 0


@command.command("unit")
@click.argument("name")
@click.pass_obj
def unit(house: House, name: str) -> int:
    """Tells why the unit NAME of systemd has failed and what mends it, notes it in the spool's journal, and starts the
    hooks on-unit, once per unit, meaning and day. Every unit of rivus that fails has this run."""
    import os

    from rivus.spool.journal import record
    from rivus.tell.checkup.endings import ending, last_words, meaning, work_of
    from rivus.work.hooks import drain, fire

    end = ending(name, os.environ)
    if end.result == "success":
        click.echo(f"the unit {name} has not failed")
        return 0
    found, said, (job, stage) = meaning(end, house.jobs_folder), last_words(end), work_of(name)
    click.echo("\n".join([f"! {found.what}", *(f"    | {line}" for line in said), f"    {found.mend}"]))
    spool = house.spool()
    told = {"unit": name, "class": found.kind, "reason": found.what, "result": end.result, "status": end.status}
    record(spool, "unit", job, stage, "", **told)
    told |= {"job": job, "stage": stage, "mend": found.mend, "said": "\n".join(said)}
    fire(house.jobs_folder, spool, "unit", f"{name} {found.kind}", told)
    drain()
    return 0


def main() -> None:
    run(command)
