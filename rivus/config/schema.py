"""What a job and a limit are. The `…Fields` are what a file may say; the classes below them add what the
program knows. Values are as written and converted; rules that concern more than one field are in `rules`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from rivus.config.convert import Seconds
from rivus.config.problem import Mark, Where
from rivus.model.plan import Plan
from rivus.model.quantity import Rate

Text = Annotated[str, Meta(min_length=1)]
Above0 = Annotated[Seconds, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Folder = Annotated[str, Meta(pattern=r"^(?!.*/\.\.(/|\Z))/[\w/.,@+=~-]+\Z", examples=["/srv/data"])]
Memory = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[KMGT]\Z", examples=["512M", "2G"])]
Cpu = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,4}%\Z", examples=["50%", "150%"])]
Calendar = Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ,.*/:~_+-]+\Z", examples=["Mon..Fri 07:30 America/New_York"])]
Nice = Annotated[int, Meta(ge=-20, le=19)]
Secret = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z", examples=["finnhub_token"])]

Awaited = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}:[a-z][a-z0-9_]{0,63}\Z", examples=["pages:score"])]


class Expect(Struct, frozen=True, kw_only=True):
    """What an output must fulfil. required: fields (dotted) that must be there and not be empty.
    min_length: the least length of a field. forbidden: phrases that no text in the output may hold, in
    upper or lower case."""

    required: list[Text] = []
    min_length: dict[str, Count] = {}
    forbidden: list[Text] = []


class Sandbox(Struct, frozen=True, kw_only=True):
    """What a stage's systemd unit may do. network, javascript (a program that writes its own code at run time): None
    leaves it to what the handler's module says. read, write: folders besides jobs.d and the spool, absolute."""

    network: bool | None = None
    javascript: bool | None = None
    read: list[Folder] = []
    write: list[Folder] = []


class Budget(Struct, frozen=True, kw_only=True):
    """What may be spent between two midnights (UTC): dollars, and calls that were reported."""

    usd: Annotated[float, Meta(ge=0)] | None = None
    calls: Annotated[int, Meta(ge=0)] | None = None
    per: Literal["day"] = "day"


class Keep(Struct, frozen=True, kw_only=True):
    """For how long a job's past stays, in seconds; None: for ever. done: items, after all their stages have ended,
    until they are archived. files: their large files. journal: the lines about their moves."""

    done: Above0 | None = None
    files: Above0 | None = None
    journal: Above0 | None = None


class Children(Struct, frozen=True, kw_only=True):
    """One of the needs of a stage: all children of the item in a job must be done with one of its stages. children:
    `JOB:STAGE`."""

    children: Awaited

    @property
    def target(self) -> tuple[str, str]:
        job, _, stage = self.children.partition(":")
        return job, stage


class StageFields(Struct, frozen=True, kw_only=True):
    """timeout and retry in seconds: `retry` has one delay for each try after the first. breaker: so many failures of
    one kind in a row pause the job; 0: never. version: stands for the code, which then does not count. version_deps:
    what a result depends on besides: files and globs below jobs.d, `package NAME`, {name: value}. auto_bless: which
    word of the language model makes older versions count as the present one; None: a person does that."""

    handler: Text | None = None
    command: Annotated[list[Text], Meta(min_length=1)] | None = None
    needs: list[str | Children]
    limit: str | None = None
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 4
    timeout: Above0 = 300.0
    retry: list[Seconds] = field(default_factory=lambda: [60.0, 600.0, 3600.0])
    interruptions: Annotated[int, Meta(ge=0)] = 3
    breaker: Annotated[int, Meta(ge=0)] = 5
    expect: Expect = Expect()
    version: Text | None = None
    version_deps: list[Text | dict[str, str | int | float | bool]] = []
    auto_bless: Literal["cosmetic"] | None = None
    sandbox: Sandbox = Sandbox()
    budget: Budget | None = None
    with_: dict[str, Any] = field(default_factory=dict, name="with")


class Stage(StageFields, frozen=True, kw_only=True):
    """One step that every item of a job goes through. It has a `handler` or a `command`, never both."""

    name: str

    @property
    def plain_needs(self) -> list[str]:
        """The stages that it needs."""
        return [need for need in self.needs if isinstance(need, str)]

    @property
    def awaits(self) -> list[tuple[str, str]]:
        """The jobs and stages that it awaits of the item's children."""
        return [need.target for need in self.needs if isinstance(need, Children) and isinstance(need.children, str)]


class DiscoverFields(Struct, frozen=True, kw_only=True):
    """every: seconds between two looks; calendar: the same in systemd's words; without either a person
    starts it. catch_up: whether a time that passed while the machine was off is made up for, once, when it is back.
    max_new: how many new items one look publishes at the most; the next look goes on."""

    strategy: Text
    limit: str | None = None
    every: Above0 | None = None
    calendar: Calendar | None = None
    catch_up: Literal["once", "never"] = "once"
    max_backlog: Count | None = None
    max_new: Count | None = None
    on_change: Literal["ignore", "update", "rerun"] = "ignore"


class Discover(DiscoverFields, frozen=True, kw_only=True):
    """How a job finds items. params: every other field of the mapping, as written."""

    params: dict[str, Any]


class JobFields(Struct, frozen=True, kw_only=True):
    """allow_private_hosts: addresses, networks (CIDR) and host names that the network guard lets through.
    memory, cpu, nice: what all units of the job together may use, as systemd has it (512M; 150% is one and a half
    cores). columns: what the index shows of an item, name -> path (`data.title`, `score.value`). search: those of them
    that full-text search covers. secrets: names, besides those that the job's own sources and handlers name. budget: of
    all stages together. max_unknown: so many calls of unknown cost in a day stop the job. keep: for how long its past
    stays. discover and stages have more than one form, and are converted on their own."""

    title: Text | None = None
    enabled: bool = True
    discover: Any = None
    stages: Any
    allow_private_hosts: list[str] = []
    columns: dict[str, Text] = {}
    search: list[Text] = []
    memory: Memory | None = None
    cpu: Cpu | None = None
    nice: Nice | None = None
    secrets: list[Secret] = []
    budget: Budget | None = None
    max_unknown: Count | None = None
    keep: Keep = Keep()


class Job(Struct, frozen=True, kw_only=True, dict=True):
    """One file of jobs.d.

    stages: in the order of the file. folder: jobs.d; relative paths in a job start there. digest: SHA-256
    (hex) of the file's bytes. limits: those that the job names, by name. marks: where each part stands in
    the file.
    """

    name: str
    title: str
    enabled: bool
    discover: Discover | None
    stages: dict[str, Stage]
    allow_private_hosts: list[str]
    columns: dict[str, str]
    search: list[str] = []
    memory: str | None = None
    cpu: str | None = None
    nice: int | None = None
    secrets: list[str] = []
    budget: Budget | None = None
    max_unknown: int | None = None
    keep: Keep = Keep()
    folder: Path
    file: Path
    digest: str
    limits: dict[str, Limit]
    marks: dict[Where, Mark]

    @cached_property
    def plan(self) -> Plan:
        """The graph of the stages, as the spool knows it."""
        awaited = {name: tuple(stage.awaits) for name, stage in self.stages.items() if stage.awaits}
        return Plan(self.name, {name: tuple(stage.plain_needs) for name, stage in self.stages.items()}, awaited)

    @property
    def order(self) -> list[str]:
        """The stages so that each comes after all it needs."""
        return list(self.plan.order)

    @property
    def roots(self) -> list[str]:
        """The stages that need no other."""
        return [name for name, stage in self.stages.items() if not stage.plain_needs]

    def ancestors(self, stage: str) -> list[str]:
        """All that `stage` needs, directly or not, the nearest last."""
        return list(self.plan.ancestors(stage))

    def successors(self, stage: str) -> list[str]:
        """The stages that need `stage` directly."""
        return list(self.plan.successors(stage))


class Limit(Struct, frozen=True, kw_only=True):
    """What a source can bear: `slots` at once, and `rate` with `burst` in advance. At least one of the two."""

    slots: Count | None = None
    rate: Rate | None = None
    burst: Count = 1
