"""Production's items in the test spool, to be run there again; production is only read.

What the test spool has of such an item is removed first. It gets the tickets of a new item, or, to begin at a stage,
production's results and files of what comes before as its own: copies, because a time set on a link is set on all, and
a handler may write into a file. A crash leaves tickets without a birth record, as one while publishing does: what waits
among them is completed by the next sweep, and cloning the item again replaces all of them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from rivus.model.children import MAX_DEPTH, parent_of
from rivus.model.item import Ticket
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.model.states import RESTING, Box
from rivus.spool import atomic
from rivus.spool.hands import birth, key_at
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.publish import publish, publishing
from rivus.spool.reader import Unreadable, dump
from rivus.spool.release import release
from rivus.spool.results import last_result
from rivus.talk import plain, say

SHOWN = 3
"""Keys that are named of all that cannot be cloned for one reason."""


def clone(
    production: Spool, test: Spool, plan: Plan, most: int, begin: str | None, owner: Owner
) -> dict[str, tuple[str, ...]]:
    """Puts the `most` newest items of production into the test spool, whose directories exist. begin: the stage to
    begin with; without it they begin anew. Gives for each (the name of its file) the stages that are to run.

    The newest are those that were done last, in all stages of which production has results; only if these are fewer,
    those that failed or are held. Those that another item of this job makes again come after all others, and not if
    it is there. What cannot be read, or runs in a test now, is passed over with a word.
    """
    before = plan.ancestors(begin) if begin else ()
    tickets: list[Ticket] = []
    written: list[str] = []
    running: dict[str, tuple[str, ...]] = {}
    refused: dict[str, list[str]] = {}
    for name in _parents_first(production, plan, _newest(production, plan, before), before, running):
        if len(tickets) == most:
            break
        taken = _taken(production, plan, begin, name)
        try:
            ticket = _laid(production, test, plan, name, taken, owner, written)
        except (Unreadable, ValueError, KeyError, FileNotFoundError) as error:
            refused.setdefault(str(error), []).append(key_at(production, plan.job, name))
            continue
        tickets.append(ticket)
        running[name] = tuple(stage for stage in plan.order if stage not in taken)
    for why, keys in refused.items():
        few = ", ".join(keys[:SHOWN]) + (", …" if len(keys) > SHOWN else "")
        say(f"{plan.job}: {len(keys)} cannot be cloned: {plain(why)} ({plain(few)})")
    atomic.sync_all([*written, *(test.box(plan.job, stage, Box.DONE) for stage in plan.order)])
    for ticket in publish(test, plan, tickets, owner):
        for stage in plan.order:
            release(test, plan, stage, ticket.name, ticket.key)
    return running


def _newest(spool: Spool, plan: Plan, needed: Sequence[str]) -> Iterator[str]:
    """The names of items, those to be cloned first before the others. needed: stages that must be done."""
    known = [stage for stage in plan.order if any(names(spool.box(plan.job, stage, Box.DONE)))]
    if not set(needed) <= set(known):
        return
    given: set[str] = set()
    for name in _by_age(spool, [spool.box(plan.job, stage, Box.DONE) for stage in known[-1:]]):
        if spool.ended(plan.job, known, name):
            given.add(name)
            yield name
    ill = [spool.box(plan.job, stage, box) for stage in plan.order for box in (Box.FAILED, Box.HELD)]
    for name in _by_age(spool, ill):
        if name not in given and spool.ended(plan.job, needed, name):
            given.add(name)
            yield name


def _parents_first(
    spool: Spool, plan: Plan, every: Iterable[str], before: Sequence[str], given: Container[str]
) -> Iterator[str]:
    """These items, what they emit themselves after all others, and only while what emits it is not in `given`."""
    children: list[tuple[int, str, list[str]]] = []
    for name in every:
        if above := _above(spool, plan, name, before):
            children.append((len(above), name, above))
        else:
            yield name
    for _, name, above in sorted(children, key=lambda child: child[0]):
        if not any(one in given for one in above):
            yield name


def _above(spool: Spool, plan: Plan, name: str, before: Sequence[str]) -> list[str]:
    """The items of this job that make this one again, the nearest first. before: stages that do not run again."""
    above: list[str] = []
    while len(above) < MAX_DEPTH:
        try:
            ticket = birth(spool, plan.job, name)
        except (Unreadable, ValueError, KeyError):
            break
        meta = ticket.meta if ticket else {}
        parent = parent_of(meta)
        if parent is None or parent.job != plan.job or str(meta.get("strategy")).removeprefix("emit:") in before:
            break
        name = parent.name
        above.append(name)
    return above


def _by_age(spool: Spool, folders: Sequence[str]) -> Iterator[str]:
    """The names in these folders, the newest first."""
    found = [(_modified(f"{folder}/{name}"), name) for folder in folders for name in names(folder)]
    return (name for _, name in sorted(found, reverse=True))


def _modified(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def _taken(production: Spool, plan: Plan, begin: str | None, name: str) -> tuple[str, ...]:
    """The stages whose results are taken from production: those that are done there and do not follow `begin`."""
    if begin is None:
        return ()
    before = (stage for stage in plan.order if stage != begin and begin not in plan.ancestors(stage))
    return tuple(stage for stage in before if production.ended(plan.job, [stage], name))


def _laid(
    production: Spool, test: Spool, plan: Plan, name: str, taken: Sequence[str], owner: Owner, written: list[str]
) -> Ticket:
    """Clears the way for an item and lays what is taken over; the rest is for `publish`. Adds to `written` what is to
    be made durable before that. Raises ValueError, KeyError, Unreadable, OSError."""
    ticket = birth(production, plan.job, name)
    if ticket is None or ticket.name != name:
        raise ValueError("it has no birth record")
    results = {stage: _result(production, ticket, stage) for stage in taken}
    emitting = [stage for stage, result in results.items() if result["receipt"].get("emitted")]
    if emitting and not plan.children.keys() <= results.keys():
        raise ValueError(f"its children are not in the test spool; begin with {emitting[0]}, which emits them")
    with publishing(test, plan.job):
        _clear(test, plan.job, name, owner)
        for stage, result in results.items():
            written += _copy_files(production, test, plan.job, stage, name, result["receipt"])
        for stage, result in results.items():
            draft, path = owner.draft(), test.ticket(plan.job, stage, Box.DONE, name)
            atomic.write_new(draft, dump(result), sync=False)
            atomic.rename(draft, path)
            written.append(path)
    return ticket


def _result(production: Spool, ticket: Ticket, stage: str) -> Json:
    """What production recorded of a stage, but for its tries and what they cost: a test has not paid it."""
    found = last_result(production, ticket.job, stage, ticket.name)
    if found is None:
        raise ValueError(f"{stage} has no result any more")
    output, receipt = found.get("output"), found.get("receipt") or {}
    if not isinstance(output, dict | None) or not isinstance(receipt, dict):
        raise ValueError(f"the result of {stage} is not what a stage writes")
    unpaid = {field: value for field, value in receipt.items() if field != "cost"}
    return {**ticket.public(), **({"output": output} if output else {}), "receipt": unpaid}


def _clear(test: Spool, job: str, name: str, owner: Owner) -> None:
    """Removes an item. Its birth record goes first: who claims a ticket from then on waits for the lock that the caller
    holds, and finds the new item. Raises ValueError, with nothing changed, if it is running."""
    if test.archived(job, name):
        raise ValueError("it is in the archive of the test spool")
    path, aside = f"{test.births(job)}/{name}", owner.draft()
    known = atomic.rename(path, aside)
    stages = test.stages(job)
    places = [test.where(job, stage, name) for stage in stages]
    if any(place and place[0] is Box.RUNNING for place in places):
        if known:
            atomic.rename(aside, path)
        raise ValueError("it is running in a test now")
    for ticket in (test.ticket(job, stage, box, name) for stage in stages for box in sorted(RESTING)):
        if os.path.lexists(ticket):
            atomic.remove(ticket)
    atomic.remove_tree(test.files(job, name))
    if known:
        atomic.remove(aside)


def _copy_files(
    production: Spool, test: Spool, job: str, stage: str, name: str, receipt: Mapping[str, object]
) -> list[str]:
    """Copies the files that a stage left, and gives their paths. Raises ValueError if one that its receipt names is not
    there any more."""
    source, target = f"{production.files(job, name)}/{stage}", f"{test.files(job, name)}/{stage}"
    copied = []
    for folder, _, files in os.walk(source):
        inside = target + folder[len(source) :]
        for path in (test.files(job, name), inside):
            atomic.make_folder(path)
        for file in files:
            if stat.S_ISREG(os.lstat(f"{folder}/{file}").st_mode):
                atomic.copy(f"{folder}/{file}", f"{inside}/{file}")
                copied.append(f"{inside}/{file}")
    noted = receipt.get("files")
    for one in noted if isinstance(noted, list) else ():
        if not isinstance(one, dict) or f"{test.files(job, name)}/{one.get('file')}" not in copied:
            raise ValueError(f"a file of {stage} is gone")
    return copied
