"""One try of one item: its input, the call of its handler, what its output must fulfil, and the receipt."""

from __future__ import annotations

import inspect
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivus import __version__
from rivus.model.inputs import ended, input_of, made_from, made_from_children, with_children
from rivus.model.item import Ticket, digest
from rivus.model.outcome import Halt, ItemFailed, Json, Outcome, Skip
from rivus.model.plan import Plan
from rivus.model.times import utc
from rivus.net.fence import fenced
from rivus.net.record import taped
from rivus.spool import atomic
from rivus.spool.children import results_of_children
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable
from rivus.spool.results import last_result
from rivus.work.context import ItemContext

if TYPE_CHECKING:
    from rivus.config.schema import Expect, Job, Stage
    from rivus.versions.parts import Version
    from rivus.work.emit import Emitted

Call = Callable[[Json, ItemContext], Json]


class BadOutput(Exception):
    """The handler returned something that the stage does not take for a result."""


@dataclass(slots=True)
class Result:
    """How a try ended. error: None for a good one. cost: as the handler counted it, {} if it did not. emitted: the
    children, not published yet."""

    error: BaseException | None
    output: Json | None
    input_digest: str
    started: float
    ended: float
    cost: Json = field(default_factory=dict)
    files: list[Json] = field(default_factory=list)
    made_from: dict[str, str] = field(default_factory=dict)
    emitted: Emitted | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """An input, and the digests of what it was made from."""

    item: Json
    made_from: dict[str, str]


def gather(spool: Spool, plan: Plan, stage: str, ticket: Ticket, children: bool = True) -> Gathered:
    """The input of a stage (`rivus.model.inputs`). A result that is being made anew counts as it was. children: with
    what the stage awaits of them. Raises Skip, and ItemFailed if a result is there that cannot be read, or if the
    children give too much."""
    results, receipts = {}, {}
    for ancestor in plan.ancestors(stage):
        try:
            document = last_result(spool, plan.job, ancestor, ticket.name)
            if document is not None:
                results[ancestor] = ended(document.get("output"), document.get("receipt"))
                receipts[ancestor] = document.get("receipt")
        except (Unreadable, ValueError) as error:
            raise ItemFailed(f"the result of {ancestor} cannot be read: {error}") from None
    item = input_of(plan, stage, ticket.data, ticket.meta.get("entered"), results)
    made = made_from(plan, stage, ticket.data, results)
    if not children or stage not in plan.children:
        return Gathered(item, made)
    try:
        found = results_of_children(spool, plan, stage, receipts)
    except (Unreadable, ValueError) as error:
        raise ItemFailed(f"its children cannot be given: {error}") from None
    return Gathered(with_children(item, found), made | made_from_children(found))


def build_input(spool: Spool, plan: Plan, stage: str, ticket: Ticket) -> Json:
    """The input alone and without children, to be shown."""
    return gather(spool, plan, stage, ticket, children=False).item


def caller(job: Job, stage: Stage) -> Call:
    """The function that makes one try of a stage: it takes the input and the context and gives the output.

    Raises Halt if the handler cannot be found, imported or given its parameters.
    """
    if stage.command:
        return _command_caller(job, stage)
    from rivus.config.problem import dotted
    from rivus.errors import BadConfig
    from rivus.plugins import bind, find

    try:
        function = find("handler", stage.handler or "", job.folder)
    except BadConfig as error:
        raise Halt(str(error)) from None
    given, problems = bind(function, stage.with_)
    if problems:
        raise Halt("; ".join(f"{dotted(('with', *path))}: {message}" for path, message in problems))
    if inspect.iscoroutinefunction(function):
        return lambda item, ctx: _call_async(function, item, ctx, given)
    return lambda item, ctx: function(item, ctx, **given)


def _call_async(function: Callable[..., Any], item: Json, ctx: ItemContext, given: Mapping[str, Any]) -> Json:
    import asyncio

    async def timed() -> Json:
        async with asyncio.timeout(ctx.timeout):
            return await function(item, ctx, **given)  # type: ignore[no-any-return]

    try:
        return asyncio.run(timed())
    except TimeoutError:
        raise TimeoutError(f"took longer than {ctx.timeout:g} s") from None


def _command_caller(job: Job, stage: Stage) -> Call:
    from rivus.handlers.command import run_command

    argv = list(stage.command or ())
    if "/" in argv[0]:
        argv[0] = str((job.folder / argv[0]).resolve())

    def call(item: Json, ctx: ItemContext) -> Json:
        children = ctx.emit_file
        env = {
            "RIVUS_JOB": job.name,
            "RIVUS_STAGE": stage.name,
            "RIVUS_KEY": ctx.key,
            "RIVUS_ATTEMPT": str(ctx.attempt),
            "RIVUS_IDEMPOTENCY_KEY": ctx.idempotency_key,
            "RIVUS_WORKDIR": str(ctx.workdir),
            "RIVUS_JOBS": str(job.folder.resolve()),
            "RIVUS_EMIT": str(children),
        }
        output = run_command(argv, item, timeout=ctx.timeout, cwd=ctx.workdir, env=env, hold_fds=ctx.slot_fds)
        _take_emitted(ctx, children)
        return output

    return call


def _take_emitted(ctx: ItemContext, file: Path) -> None:
    """Takes the children that a program has left in `file`. Raises BadOutput, and as `ctx.emit`."""
    if ctx.emitted is None or not os.path.lexists(file):
        return
    try:
        ctx.emitted.add_lines(file)
    except ValueError as error:
        raise BadOutput(str(error)) from None
    finally:
        atomic.remove(str(file))


def run_once(call: Call, given: Gathered, ctx: ItemContext, expect: Expect) -> Result:
    """Makes the try. Whatever the handler raises is the result's `error`; nothing is raised from here but what
    ends the process."""
    started = time.time()
    error: BaseException | None = None
    output: Json | None = None
    files: list[Json] = []
    digested, process = digest(given.item), os.getpid()
    try:
        with fenced(ctx.private_hosts), taped(ctx.tape):
            output = call(given.item, ctx)
        if os.getpid() != process:  # a handler that forks returns twice; the copy has no part in what follows
            os._exit(0)
        check_output(output, expect)
        files = ctx.written()
    except BaseException as raised:  # noqa: BLE001 - whatever a handler does, sys.exit() included, is data
        if os.getpid() != process:
            os._exit(1)
        error, output = raised, None
    finally:
        ctx.close()
    emitted = ctx.emitted if error is None else None
    return Result(error, output, digested, started, time.time(), ctx.costs, files, given.made_from, emitted)


def check_output(output: Any, expect: Expect) -> Json:
    """`output` if it is a result. Raises BadOutput: not a dict, empty, or not what `expect` asks for."""
    if not isinstance(output, dict):
        raise BadOutput(f"the handler returned {type(output).__name__}, not a dict")
    if not output:
        raise BadOutput("the handler returned an empty dict; Skip(reason) says that there is nothing to do")
    for path in expect.required:
        if field_of(output, path) in (None, "", [], {}):
            raise BadOutput(f"expected {path}: it is missing or empty")
    for path, least in expect.min_length.items():
        value = field_of(output, path)
        length = len(value) if isinstance(value, str | list | dict) else 0
        if length < least:
            raise BadOutput(f"expected {path} of length {least} or more: it has {length}")
    if expect.forbidden:
        _check_forbidden(output, [phrase.casefold() for phrase in expect.forbidden])
    return output


def field_of(value: Any, path: str) -> Any:
    """The field at a dotted path, or None."""
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _check_forbidden(value: Any, phrases: list[str]) -> None:
    if isinstance(value, str):
        folded = value.casefold()
        for phrase in phrases:
            if phrase in folded:
                raise BadOutput(f"holds the forbidden phrase {phrase!r}")
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_forbidden(part, phrases)


def version_of_stage(job: Job, stage: Stage) -> Version:
    """The version of a stage as it is now. Raises Halt if its code or a dependency cannot be read."""
    from rivus.errors import BadConfig
    from rivus.versions.parts import version_of

    try:
        return version_of(job, stage)
    except BadConfig as error:
        raise Halt(str(error)) from None


def receipt_of(result: Result, stage: Stage, version: Json, owner: str, attempt: int) -> Json:
    """What a stage leaves beside its output: who made it, when, from what, with what, at what cost."""
    receipt: Json = {
        "owner": owner,
        "host": os.uname().nodename,
        "attempt": attempt,
        "started": utc(result.started),
        "ended": utc(result.ended),
        "handler": stage.handler or os.path.basename((stage.command or ["?"])[0]),
        "version": version,
        "input": result.input_digest,
        "tools": {"rivus": __version__, "python": ".".join(map(str, sys.version_info[:3]))},
    }
    if result.made_from:
        receipt["made_from"] = result.made_from
    if isinstance(result.error, Skip):
        receipt["skipped"] = str(result.error)
    if result.output is not None:
        receipt["output"] = digest(result.output)
    if result.cost:
        receipt["cost"] = result.cost
    if result.files:
        receipt["files"] = result.files
    return receipt


def is_expected(error: BaseException) -> bool:
    """Whether a handler raised this on purpose, so that its traceback would tell nothing."""
    return isinstance(error, Outcome | BadOutput | TimeoutError)
