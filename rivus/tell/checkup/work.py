"""Items that do not get on: held by the dead, stuck, overdue, ready while nothing runs, given up, put aside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from rivus.locks import holders
from rivus.model.quantity import format_duration
from rivus.model.states import RESTING, Box
from rivus.spool.layout import Spool, names
from rivus.spool.reader import Unreadable, read_document
from rivus.tell.checkup.finding import Finding, one_line, word
from rivus.tell.checkup.visit import Visit, count, counted, is_locked, sample
from rivus.tell.look import stages_of

OVERDUE = 300.0
IDLE = 3600.0
PATIENCE = 2.0
"""How many times its timeout an item may be running."""


def dead_owners(visit: Visit) -> Iterator[Finding]:
    """Claims whose owner is gone: nobody works on them until they are recovered."""
    alive = _lives(visit.spool)
    dead: dict[str, int] = {}
    for job, stage in visit.stages:
        running = visit.spool.box(job, stage, Box.RUNNING)
        for owner in names(running):
            if not alive(owner) and (claims := count(f"{running}/{owner}")):
                dead[owner] = dead.get(owner, 0) + claims
    if dead:
        held = counted(sum(dead.values()), "item")
        what = f"{held} held by {counted(len(dead), 'dead worker')} ({one_line(', '.join(dead))})"
        yield Finding(f"{what}; a sweep would have recovered them", visit.commands.rivus("sweep"))


def stuck(visit: Visit) -> Iterator[Finding]:
    """Items that a live worker has had for more than twice the time that its stage gives them."""
    alive = _lives(visit.spool)
    for name, job in visit.jobs.jobs.items():
        for stage in job.stages.values():
            running = visit.spool.box(name, stage.name, Box.RUNNING)
            for owner in names(running):
                # A rename sets the time of change, so this is when the item was claimed, or later.
                ages = [visit.now - state.st_ctime for _, state in sample(f"{running}/{owner}")]
                late = [age for age in ages if age > PATIENCE * stage.timeout]
                if late and alive(owner):
                    what = f"{name}:{stage.name}: {counted(len(late), 'item')} running for {format_duration(max(late))}"
                    allowed = f"(timeout {format_duration(stage.timeout)}) in {one_line(owner)}"
                    yield Finding(f"{what} {allowed}", _end(visit.spool, owner), grave=True)


def overdue(visit: Visit) -> Iterator[Finding]:
    """Items whose time has come and which nobody wakes."""
    for job, stage in visit.stages:
        if job in visit.jobs.jobs and job not in visit.active:
            continue
        times = [state.st_mtime for _, state in sample(visit.spool.box(job, stage, Box.LATER), most=20_000)]
        late = [due for due in times if due < visit.now - OVERDUE]
        if late:
            what = f"{job}:{stage}: {counted(len(late), 'item')} overdue for up to "
            what += f"{format_duration(visit.now - min(late))}: no sweep is running; it belongs on a timer"
            yield Finding(what, visit.commands.rivus("sweep"), grave=True)


def idle(visit: Visit) -> Iterator[Finding]:
    """Items that have been ready for an hour while no worker is at their stage."""
    alive = _lives(visit.spool)
    for name, job in visit.active.items():
        for stage in job.stages:
            ages = [visit.now - state.st_ctime for _, state in sample(visit.spool.box(name, stage, Box.READY))]
            old = [age for age in ages if age > IDLE]
            if old and not any(alive(owner) for owner in names(visit.spool.box(name, stage, Box.RUNNING))):
                what = f"{name}:{stage}: {counted(len(old), 'item')} ready for up to {format_duration(max(old))}"
                mend = visit.commands.rivus("stage", "--no-stdin", f"{name}:{stage}")
                yield Finding(f"{what}, and nothing runs them", mend)


def given_up(visit: Visit) -> Iterator[Finding]:
    """How many items have failed or are held."""
    for job in visit.spool.jobs():
        parts = []
        for stage in stages_of(visit.spool, job, visit.jobs.jobs.get(job)):
            for box in (Box.FAILED, Box.HELD):
                if number := count(visit.spool.box(job, stage, box)):
                    parts.append(f"{number} {box} in {stage}")
        if parts:
            yield Finding(f"{job}: {', '.join(parts)}", visit.commands.rivus("doctor", "failures"))


def removed_stages(visit: Visit) -> Iterator[Finding]:
    """Stages that a job does not have any more: what they made is kept, and nothing runs there."""
    for job, stage in visit.stages:
        sound = visit.jobs.jobs.get(job)
        if sound and stage not in sound.stages:
            folder = visit.spool.stage(job, stage)
            hidden = f"mv -n -- {word(folder)} {word(f'{visit.spool.root}/{job}/.{stage}')}"
            results = count(visit.spool.box(job, stage, Box.DONE))
            others = sum(count(visit.spool.box(job, stage, box)) for box in RESTING - {Box.DONE})
            counts = {"result": results, "unfinished ticket": others}
            kept = [counted(number, what) for what, number in counts.items() if number]
            has = f"keeps {' and '.join(kept)}" if kept else "is empty"
            yield Finding(f"{job} has no stage {stage} any more; it {has}; out of sight", hidden)


def rejected(visit: Visit) -> Iterator[Finding]:
    """What could not become an item and lies in `_rejected`, with the newest reason."""
    folder = visit.spool.rejected
    number = sum(1 for name in names(folder) if not name.endswith(".reason.json"))
    if not number:
        return
    notes = [(state.st_mtime, path) for path, state in sample(folder) if path.endswith(".reason.json")]
    reason = _reason(max(notes)[1]) if notes else "put there by hand"
    seen = f"{folder}/.seen"
    mend = (
        f"mkdir -p {word(seen)} && find {word(folder)} -mindepth 1 -maxdepth 1 ! -name '.*'"
        f" -exec mv --backup=numbered -t {word(seen)} -- {{}} +"
    )
    what = f"{counted(number, 'thing')} could not become an item; the newest: {reason}; once looked at, put away"
    yield Finding(what, mend)


def _reason(path: str) -> str:
    try:
        note = read_document(path)
    except (FileNotFoundError, Unreadable) as error:
        return f"its reason cannot be read ({one_line(error)})"
    name = os.path.basename(path).removesuffix(".reason.json")
    return one_line(f"{name}: {note.get('reason')}")


def _lives(spool: Spool) -> Callable[[str], bool]:
    return cache(lambda owner: is_locked(f"{spool.owners}/{owner}.lock"))


def _end(spool: Spool, owner: str) -> str:
    """Lets a stopped worker go on, so that it ends what is late itself; tells any other one to give it back."""
    lock = f"{spool.owners}/{owner}.lock"
    pids = holders(Path(lock))
    signal = "CONT" if any(map(stopped, pids)) else "TERM"
    return f"kill -{signal} {' '.join(map(str, pids))}" if pids else f"fuser -k -TERM {word(lock)}"


def stopped(pid: int) -> bool:
    """Whether a process has been stopped by a signal (proc_pid_stat(5), field 3)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False
