"""What a stage does about a failure: ask the doctor, let a verdict overrule it, decide, record, move.

Everything that is known about a failure goes into the attempt's record in the ticket, so that groups, reasons and
replays need nothing else.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from rivus.errors import BadConfig
from rivus.model.decide import FOREVER, Decision, child_runs, decide, describe
from rivus.model.diagnosis import Diagnosis
from rivus.model.outcome import Json
from rivus.model.states import DEFER, FAIL, HOLD
from rivus.model.times import utc
from rivus.spool import streak
from rivus.spool.pause import pause
from rivus.talk import BROKEN, say, scrubbed
from rivus.work import attempt as attempts
from rivus.work.hooks import Event, fire, rearm

_TOLD = ("class", "action", "reason", "fingerprint", "key", "limit")

if TYPE_CHECKING:
    from rivus.doctor.consult import Consulted
    from rivus.spool.desk import Claim
    from rivus.work.run import StageRun


def settle(run: StageRun, claim: Claim, result: attempts.Result, error: BaseException) -> Diagnosis:
    """Does with a claimed item what follows from `error`. Gives the diagnosis that held."""
    from rivus.doctor.consult import consult, facts

    now = time.time()
    told = consult(error, run.stage.handler or (run.stage.command or ["?"])[0], now)
    diagnosis = overruled(run, told, now)
    tries = claim.ticket.tries() + 1
    decision = decide(diagnosis, tries, run.stage.retry, now, random.random())
    _tell_details(error)
    kind, reason = describe(error, scrubbed)
    entry = run.entry(decision, tries, result) | {
        "type": told.failure.error_type or kind,
        "reason": reason,
        "class": str(diagnosis.cls),
        "action": str(diagnosis.action),
        "rule": diagnosis.rule,
        "fingerprint": told.fingerprint,
        "handler": told.failure.handler,
        "facts": facts(told.failure),
    }
    if isinstance(error, TimeoutError) and decision.move is DEFER:
        entry["outcome"] = "timeout"
    decision = _stop_others(run, claim, decision, entry)
    _move(run, claim, decision, entry, expected=attempts.is_expected(error))
    _break(run, claim, decision, entry)
    return diagnosis


def overruled(run: StageRun, told: Consulted, now: float) -> Diagnosis:
    """The verdict of a person or a model on this kind of failure, else what the rules say. A verdict that cannot be
    read is reported and passed over."""
    from rivus.config.verdicts import read_verdict

    try:
        verdict = read_verdict(run.crew.spool.verdicts, told.fingerprint, now)
    except BadConfig as error:
        say(str(error))
        return told.diagnosis
    return verdict.diagnosis() if verdict else told.diagnosis


def wait_for_child(run: StageRun, claim: Claim, result: attempts.Result, why: Exception) -> None:
    """Puts an item off whose result cannot be kept because a child of it runs. No try is used up."""
    before = list(takewhile(lambda entry: entry.get("outcome") == "busy", reversed(claim.ticket.round())))
    decision = child_runs(len(before), time.time())
    entry = run.entry(decision, claim.ticket.tries() + 1, result) | {"reason": str(why)}
    run.crew.put_off += 1
    run.desk.defer(claim, decision.due, entry)
    say(f"{run.label} {claim.ticket.key}: {why}; again at {utc(decision.due)}", 1)
    run.crew.news()


def _stop_others(run: StageRun, claim: Claim, decision: Decision, entry: Json) -> Decision:
    """Pauses the job or parks the source if that follows. The item is due when the rest ends that then holds."""
    by, reason = f"{run.label} {claim.ticket.key}", f"{entry['reason']} [{entry['class']}]"
    if decision.pause:
        _pause(run, reason, by, entry)
    if decision.park_until is not None and run.stage.limit:
        rest = run.crew.limits.park(run.stage.limit, decision.park_until, reason, by, time.time())
        rearm(run.crew.spool, "resumed", f"limit {run.stage.limit}")
        _tell(run, "parked", run.stage.limit, entry | {"limit": run.stage.limit})
        return replace(decision, due=FOREVER if rest.until is None else rest.until)
    return decision


def _pause(run: StageRun, reason: str, by: str, entry: Json) -> None:
    pause(run.crew.spool, run.job.name, reason, by, run.crew.owner)
    said = f"{run.job.name}: PAUSED: {reason}; rivus-limit unpause {run.job.name} lets it go on"
    say(said, BROKEN, entry["class"])
    rearm(run.crew.spool, "resumed", run.job.name)
    _tell(run, "paused", run.job.name, entry)


def _break(run: StageRun, claim: Claim, decision: Decision, entry: Json) -> None:
    """Pauses the job when one stage fails again and again in the same way."""
    if not decision.charged or not run.stage.breaker:
        return
    row = streak.failed(run.crew.spool, run.job.name, run.stage.name, entry["fingerprint"], run.crew.owner)
    if row >= run.stage.breaker:
        reason = f"{row} failures of one kind in a row: {entry['reason']} [{entry['class']}]"
        _pause(run, reason, f"{run.label} {claim.ticket.key}", entry)


def _tell(run: StageRun, event: Event, group: str, entry: Json) -> None:
    told: Json = {name: entry[name] for name in _TOLD if name in entry}
    fire(run.job.folder, run.crew.spool, event, group, {"job": run.job.name, "stage": run.stage.name, **told})


def _move(run: StageRun, claim: Claim, decision: Decision, entry: Json, expected: bool) -> None:
    reason = entry["reason"] if expected else f"{entry['type']}: {entry['reason']}"
    shown = f"{run.label} {claim.ticket.key}: {reason} [{entry['class']}]"
    if decision.move is DEFER:
        run.crew.put_off += 1
        run.desk.defer(claim, decision.due, entry)
        when = "when the job is resumed" if decision.due == FOREVER else f"at {utc(decision.due)}"
        say(f"{shown}; again {when}", 0 if decision.pause else 1, entry["class"])
        run.crew.news()
        return
    run.crew.failed += 1
    error = {name: entry[name] for name in ("type", "reason", "class", "fingerprint")} | {"at": entry["ended"]}
    settled = {FAIL: run.desk.fail, HOLD: run.desk.hold}[decision.move]
    settled(claim, error, entry)
    say(f"{shown}: {decision.outcome}", BROKEN, entry["class"])
    _tell(run, "held" if decision.move is HOLD else "failed", entry["fingerprint"], entry | {"key": claim.ticket.key})
    run.print(claim, decision.outcome, error=entry["reason"])


def _tell_details(error: BaseException) -> None:
    if not attempts.is_expected(error) and error.__traceback__ is not None:
        import traceback

        say("".join(traceback.format_exception(error)).replace("\n", " | "), 2)


def reopened(run: StageRun) -> None:
    """The one try after a source's rest went well: the source is open again."""
    limit = run.stage.limit
    say(f"{run.label}: {limit} answers again")
    rearm(run.crew.spool, "parked", str(limit))
    fire(run.job.folder, run.crew.spool, "resumed", f"limit {limit}", {"limit": limit, "by": run.label})
