"""Jobs -> unit files, from the templates. A pure function of the jobs, their modules, the place and the templates:
the same input gives the same text, on a machine without systemd, too.

In a template, @NAME@ stands for a value, and a line of nothing else for any number of lines. Everything that comes
from outside is of a form that has no meaning to systemd: names and patterns are checked where jobs.d is read, paths
by `place.in_unit`; titles and other free text never reach a unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import rivus
from rivus.config.doctor import read_doctor
from rivus.config.schema import Discover, Job, Stage
from rivus.units.hardening import RESOLVERS, installer, nameservers, worker
from rivus.units.needs import Needs, discover_needs, doctor_needs, has_hooks, stage_needs
from rivus.units.place import Place, in_unit

HEADER = "# Made by rivus-units from "
"""How a file of ours begins."""
CLAIM_FOR = 3600
"""Seconds for which a stage takes new items (`--for` in its template)."""
GRACE = 60
SPREAD = 60
"""Seconds by which jobs are kept apart, at the most."""
LONGEST = 10 * 366 * 86_400
_MARK = re.compile(r"@([A-Z]+)@")

Values = Mapping[str, str | list[str]]


def render(jobs: Mapping[str, Job], place: Place) -> dict[str, str]:
    """The name of each unit file, and its text. Jobs that are switched off have none. Raises BadConfig for a path that
    cannot stand in a unit file."""
    return dict(_Renderer(place).all(jobs))


def templates() -> Path:
    """The folder of the templates: in a wheel inside this package, else in the checkout."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(rivus.__file__).parent.parent / "units"


class _Renderer:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._resolvers = nameservers()
        self._hooked = has_hooks(place.jobs)
        self._common: Values = {
            "BIN": in_unit(place.bin),
            "JOBS": in_unit(place.jobs),
            "SPOOL": in_unit(place.spool),
        }

    def all(self, jobs: Mapping[str, Job]) -> Iterator[tuple[str, str]]:
        yield from self._own()
        for name in sorted(jobs):
            if jobs[name].enabled:
                yield from self._job(jobs[name])

    def _own(self) -> Iterator[tuple[str, str]]:
        """The units that are there once, whatever the jobs are."""
        system = not self._place.user
        llm, _ = read_doctor(self._place.jobs)
        doctor = doctor_needs(llm)
        diagnose = f"ExecStart=-{self._place.bin}/rivus-doctor --jobs {self._place.jobs} --spool {self._place.spool}"
        values: dict[str, dict[str, str | list[str]]] = {
            "rivus.slice": {},
            "rivus-sweep.service": {"SANDBOX": self._sandbox(Needs(network=False))},
            "rivus-sweep.timer": {},
            "rivus-doctor.service": {
                "SANDBOX": self._sandbox(doctor),
                "ORDER": self._order(doctor),
                "DIAGNOSE": [f"{diagnose} diagnose"] if llm else [],
            },
            "rivus-doctor.timer": {},
            "rivus-prune.service": {"SANDBOX": self._sandbox(Needs(network=False))},
            "rivus-prune.timer": {},
            "rivus-dash.service": {"SANDBOX": self._sandbox(Needs(network=False))},
            "rivus-dash.socket": {},
            "rivus-failure@.service": {
                "SANDBOX": self._sandbox(Needs(network=False)),
                "JOURNAL": ["SupplementaryGroups=systemd-journal"] if system else [],
            },
            "rivus-units.service": {"SANDBOX": installer(self._place), "MODE": "" if system else " --user"},
            "rivus-units.path": {"ALSO": self._watched()},
        }
        for name, more in values.items():
            yield name, self._text(name, f"its template {name}", name, more)

    def _watched(self) -> list[str]:
        """What is watched besides jobs.d, where it exists: a path that does not makes systemd 252 lose changes of the
        folder above it. Its making is a change of jobs.d."""
        paths = [self._place.jobs / "hooks.d", *([] if self._place.user else [RESOLVERS])]
        return [f"PathChanged={path}" for path in paths if path.exists()]

    def _job(self, job: Job) -> Iterator[tuple[str, str]]:
        slice_ = f"rivus-{job.name}.slice"
        yield self._of(job, slice_, "rivus-job.slice", {"JOB": job.name, "RESOURCES": _resources(job)})
        shared: Values = {"SLICE": slice_, "NICE": self._nice(job)}
        if job.discover:
            yield from self._discover(job, job.discover, shared)
        for stage in job.stages.values():
            yield from self._stage(job, stage, shared)

    def _discover(self, job: Job, discover: Discover, shared: Values) -> Iterator[tuple[str, str]]:
        unit, needs = f"rivus-discover@{job.name}", discover_needs(job)
        values = {**shared, "SANDBOX": self._sandbox(needs), "ORDER": self._order(needs)}
        yield self._of(job, f"{unit}.service", "rivus-discover@.service", values)
        if when := _when(job.name, discover):
            yield self._of(job, f"{unit}.timer", "rivus-discover@.timer", {"WHEN": when})

    def _stage(self, job: Job, stage: Stage, shared: Values) -> Iterator[tuple[str, str]]:
        unit, needs = f"rivus-stage@{job.name}:{stage.name}", stage_needs(job, stage)
        values = {**shared, "SANDBOX": self._sandbox(needs), "ORDER": self._order(needs)}
        values["TIMEOUT"] = f"{_seconds(CLAIM_FOR + stage.timeout + GRACE)}s"
        yield self._of(job, f"{unit}.service", "rivus-stage@.service", values)
        ready = in_unit(self._place.spool / job.name / stage.name / "ready")
        yield self._of(job, f"{unit}.path", "rivus-stage@.path", {"READY": ready})

    def _of(self, job: Job, name: str, template: str, values: Values) -> tuple[str, str]:
        return name, self._text(name, in_unit(self._place.jobs / f"{job.name}.yaml"), template, values)

    def _text(self, name: str, source: str, template: str, values: Values) -> str:
        edit = f"systemctl {'--user ' if self._place.user else ''}edit {name}"
        header = f"{HEADER}{source}. Do not edit: `{edit}` makes a drop-in that stays.\n"
        return header + _filled(_template(template), {**self._common, **values})

    def _sandbox(self, needs: Needs) -> list[str]:
        """Hooks are started by whatever unit has something to tell, and talk to the network."""
        return worker(self._place, replace(needs, network=needs.network or self._hooked), self._resolvers)

    def _order(self, needs: Needs) -> list[str]:
        """A user's manager does not know when the network is there."""
        if self._place.user or not needs.network:
            return []
        return ["Wants=network-online.target", "After=network-online.target nss-lookup.target"]

    def _nice(self, job: Job) -> list[str]:
        """A user's manager may not make anything more urgent."""
        if job.nice is None:
            return []
        return [f"Nice={max(job.nice, 0) if self._place.user else job.nice}"]


def _resources(job: Job) -> list[str]:
    given = {"MemoryMax": job.memory, "CPUQuota": job.cpu}
    return [f"{name}={value}" for name, value in given.items() if value]


def _when(name: str, discover: Discover) -> list[str]:
    """What a timer waits for. A time that passed while the machine was off is made up for once, unless it shall not.
    Jobs of the same hour do not start in one second: each has a shift of its own, the same each time."""
    once = discover.catch_up == "once"
    if discover.calendar:
        lines = [f"OnCalendar={discover.calendar}", f"Persistent={'true' if once else 'false'}"]
        return [*lines, f"RandomizedDelaySec={SPREAD}s", "FixedRandomDelay=true"]
    if discover.every is None:
        return []
    every = _seconds(discover.every)
    first = _shift(name, min(SPREAD, every // 10)) if once else every
    return [f"OnActiveSec={first}s", f"OnUnitActiveSec={every}s"]


def _shift(name: str, most: int) -> int:
    return 1 + int.from_bytes(sha256(name.encode()).digest()[:4]) % (most + 1)


def _seconds(duration: float) -> int:
    return max(1, round(min(duration, LONGEST)))


@cache
def _template(name: str) -> str:
    return (templates() / name).read_text("utf-8")


def _filled(text: str, values: Values) -> str:
    """The template with its values, in one pass: a value is never searched for marks."""
    lines: list[str] = []
    for line in text.splitlines():
        mark = _MARK.fullmatch(line)
        block = values[mark[1]] if mark else None
        lines += block if isinstance(block, list) else [_MARK.sub(lambda found: str(values[found[1]]), line)]
    return "\n".join(lines) + "\n"
