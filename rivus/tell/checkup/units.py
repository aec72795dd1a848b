"""The units of systemd: those that have failed, do not wait for their time, or are not what jobs.d asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.tell.checkup.endings import ending_in, managers, meaning, states
from rivus.tell.checkup.finding import Finding, as_root, one_line, word
from rivus.tell.checkup.visit import Visit

if TYPE_CHECKING:
    from rivus.units.place import Place

SWEEP, SWEEPER = "rivus-sweep.timer", "rivus-sweep.service"
State = Mapping[str, str]


def units(visit: Visit) -> Iterator[Finding]:
    """Findings about the units of each service manager that has some; without any, people start rivus otherwise."""
    for user in managers():
        # By its name too: a service that nothing refers to is not in the manager's memory.
        found = [state for state in states(user, "rivus-*", SWEEPER) if state.get("LoadState") == "loaded"]
        known = {state["Id"]: state for state in found}
        yield from failed(list(known.values()), visit.folder, user)
        if served := serving(known.get(SWEEPER, {}), visit):
            yield from unlike(visit, known, user, served)


def failed(known: Sequence[State], jobs: Path, user: bool) -> Iterator[Finding]:
    """A finding for each unit that has failed. user: of a user's own manager."""
    for state in known:
        if state.get("ActiveState") == "failed":
            told = meaning(ending_in(state, user), jobs)
            yield Finding(told.what, told.mend, grave=True)


def serving(sweep: State, visit: Visit) -> str:
    """The folder of the launchers that the sweep's unit starts, "" if it does not sweep this spool."""
    _, _, rest = sweep.get("ExecStart", "").partition("argv[]=")
    words = rest.partition(" ;")[0].split()
    base = os.path.abspath(os.path.dirname(visit.spool.limits))
    if visit.spool.root != os.path.dirname(visit.spool.limits) or "--spool" not in words[:-1]:
        return ""
    return os.path.dirname(words[0]) if words[words.index("--spool") + 1] == base else ""


def unlike(visit: Visit, known: Mapping[str, State], user: bool, launchers: str) -> Iterator[Finding]:
    """What is not as `rivus-units install` leaves it. launchers: the folder that the units start."""
    from rivus.units.place import place
    from rivus.units.render import render

    here = place(user, visit.folder, Path(os.path.dirname(visit.spool.limits)))
    wanted = render(visit.jobs.jobs, replace(here, bin=Path(launchers)))
    mend = _install(here)
    asleep = [name for name in wanted if _starts(name) and known.get(name, {}).get("ActiveState") not in AWAKE]

    def waking(names: Sequence[str]) -> str:
        """What a person stopped, or what did not start, another installation leaves as it is."""
        there = all(_same(here, name, wanted[name]) for name in names)
        units = " ".join(map(word, sorted(names)))
        return (f"systemctl --user start {units}" if user else as_root(f"systemctl start {units}")) if there else mend

    if SWEEP in asleep:
        what = f"the unit {SWEEP} is not active: nothing is woken, recovered or released"
        yield Finding(what, waking([SWEEP]), grave=True)
        asleep.remove(SWEEP)
    if asleep:
        runs = "what it starts does not run" if len(asleep) == 1 else "what they start does not run"
        yield Finding(f"{_counted(asleep)} not active, so {runs}", waking(asleep), grave=True)
    if other := [name for name, text in wanted.items() if name not in asleep and not _same(here, name, text)]:
        yield Finding(f"{_counted(other)} not what jobs.d asks for", mend)


AWAKE = ("active", "activating", "failed")
"""Of a timer or a path unit. One that has failed is a finding of its own."""


def _install(here: Place) -> str:
    """Makes the units anew; without the folders it would make those of other jobs, and remove these."""
    from rivus.config.folders import jobs_folder, spool_folder

    folders = {"--jobs": (here.jobs, jobs_folder), "--spool": (here.spool, spool_folder)}
    unusual = [(name, at) for name, (at, usual) in folders.items() if at != usual(None, here.user, here=False)]
    options = "".join(f" {name} {word(str(at))}" for name, at in unusual)
    return f"rivus-units install --user{options}" if here.user else as_root(f"rivus-units install{options}")


def _starts(name: str) -> bool:
    return name.endswith((".timer", ".path"))


def _same(here: Place, name: str, text: str) -> bool:
    try:
        return (here.units / name).read_text("utf-8") == text
    except (OSError, ValueError):
        return False


def _counted(found: Sequence[str]) -> str:
    rest = f" and {len(found) - 1} more units are" if len(found) > 1 else " is"
    return f"{one_line(sorted(found)[0])}{rest}"
