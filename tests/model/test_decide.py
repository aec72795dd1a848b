"""What follows from each thing that a handler can do, and from each word of the doctor: the table, row for row."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rivus.doctor.consult import consult
from rivus.model.decide import BLOCKED_FOR, DONE, FOREVER, JITTER, SKIPPED, Decision, child_runs, decide, describe
from rivus.model.diagnosis import Action, Diagnosis, FailureClass
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, Skip, SourceBlocked
from rivus.model.states import DEFER, FAIL, FINISH, HOLD

NOW = 1_800_000_000.0
DELAYS = (60.0, 600.0, 3600.0)


class OwnError(Exception):
    """Something a handler did not mean to raise."""


def after(error: BaseException, tries: int = 1, spread: float = 0.0) -> Decision:
    """What becomes of an item whose handler raised `error`."""
    return decide(consult(error, "own.fetch", NOW).diagnosis, tries, DELAYS, NOW, spread)


def told(action: Action, seconds: float | None = None, tries: int = 1, spread: float = 0.0) -> Decision:
    """What becomes of an item of which the doctor says `action`."""
    diagnosis = Diagnosis(FailureClass.UNKNOWN, action, seconds, "rule", "why")
    return decide(diagnosis, tries, DELAYS, NOW, spread)


def test_a_result_is_done_and_nothing_to_do_is_done_too_but_marked() -> None:
    assert Decision(FINISH, "done") == DONE
    assert Decision(FINISH, "skipped") == SKIPPED


def test_when_the_world_is_at_fault_the_item_waits_for_the_stages_delay() -> None:
    for tries, delay in enumerate(DELAYS, 1):
        assert after(RetryLater("not yet"), tries) == Decision(DEFER, "retry", due=NOW + delay)


def test_a_retry_can_name_its_own_delay_and_still_uses_up_an_attempt() -> None:
    assert after(RetryLater("not yet", after=7.0)) == Decision(DEFER, "retry", charged=True, due=NOW + 7)
    assert after(RetryLater("not yet", after=0.0)).due == NOW
    assert after(RetryLater("not yet", after=7.0), tries=4).move is FAIL


def test_an_item_at_fault_has_failed_at_once() -> None:
    assert after(ItemFailed("no such thing")) == Decision(FAIL, "failed")


def test_a_source_that_must_rest_is_parked_and_the_item_uses_up_no_attempt() -> None:
    until = NOW + 77
    assert after(SourceBlocked("too many", until=until)) == Decision(
        DEFER, "blocked", charged=False, due=until, park_until=until
    )
    assert after(SourceBlocked("too many"), spread=0.9).due == NOW + BLOCKED_FOR


def test_a_broken_job_is_paused_until_a_person_resumes_it() -> None:
    assert after(Halt("no credential")) == Decision(DEFER, "halted", charged=False, due=FOREVER, pause=True)


def test_an_item_whose_child_runs_waits_longer_each_time_and_uses_up_no_attempt() -> None:
    assert child_runs(0, NOW) == Decision(DEFER, "busy", charged=False, due=NOW + 30)
    assert [child_runs(waits, NOW).due - NOW for waits in (1, 2, 7, 99)] == [60, 120, 3840, 3840]


@pytest.mark.parametrize("error", [SourceBlocked("too many"), Halt("no credential")])
def test_what_uses_up_no_attempt_never_fails_the_item(error: Outcome) -> None:
    decision = after(error, tries=1000)
    assert (decision.move, decision.charged) == (DEFER, False)


def test_an_exception_that_nobody_knows_is_tried_again_and_fails_after_the_last_delay() -> None:
    assert [after(OwnError("oh"), tries).move for tries in (1, 2, 3, 4, 5)] == [DEFER, DEFER, DEFER, FAIL, FAIL]
    assert after(OwnError("oh")) == Decision(DEFER, "retry", due=NOW + 60)
    assert after(OwnError("oh"), tries=4) == Decision(FAIL, "failed")


def test_every_outcome_there_is_stands_in_this_table() -> None:
    assert set(Outcome.__subclasses__()) == {Skip, RetryLater, ItemFailed, SourceBlocked, Halt}


def test_every_action_of_the_doctor_leads_to_a_move() -> None:
    assert {action: told(action).move for action in Action} == {
        Action.RETRY_SOON: DEFER, Action.RETRY_LATER: DEFER, Action.PAUSE_SOURCE: DEFER, Action.PAUSE_JOB: DEFER,
        Action.FAIL_ITEM: FAIL, Action.NEEDS_HUMAN: HOLD,
    }  # fmt: skip
    assert [action for action in Action if not told(action).charged] == [Action.PAUSE_SOURCE, Action.PAUSE_JOB]
    assert [action for action in Action if told(action).pause] == [Action.PAUSE_JOB]
    assert [action for action in Action if told(action).park_until is not None] == [Action.PAUSE_SOURCE]


@pytest.mark.parametrize("action", [Action.RETRY_SOON, Action.RETRY_LATER])
def test_whatever_the_doctor_says_there_are_no_more_tries_than_the_stage_allows(action: Action) -> None:
    assert [told(action, 5.0, tries).move for tries in (1, 3, 4, 99)] == [DEFER, DEFER, FAIL, FAIL]
    diagnosis = Diagnosis(FailureClass.UNKNOWN, action, None, "rule", "why")
    assert decide(diagnosis, 1, (), NOW, 0.5).move is FAIL


def test_what_needs_a_person_is_held_however_often_it_was_tried() -> None:
    assert told(Action.NEEDS_HUMAN, tries=99) == Decision(HOLD, "held")


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 3), st.sampled_from([Action.RETRY_SOON, Action.RETRY_LATER]))
def test_the_delay_is_never_shorter_and_at_most_a_tenth_longer(spread: float, tries: int, action: Action) -> None:
    for seconds, delay in ((None, DELAYS[tries - 1]), (250.0, 250.0)):
        waits = told(action, seconds, tries, spread).due - NOW
        assert delay - 0.001 <= waits <= delay * (1 + JITTER) + 0.001


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_what_ends_a_rest_or_a_pause_is_exact(spread: float) -> None:
    assert told(Action.PAUSE_SOURCE, 5.0, spread=spread).due == NOW + 5
    assert told(Action.PAUSE_JOB, spread=spread).due == FOREVER


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (ItemFailed("private\n  video"), ("ItemFailed", "private video")),
        (ZeroDivisionError("oh"), ("ZeroDivisionError", "oh")),
        (KeyError(), ("KeyError", "KeyError")),
        (OwnError("x"), ("tests.model.test_decide.OwnError", "x")),
        (ItemFailed("x" * 900), ("ItemFailed", "x" * 500)),
    ],
)
def test_an_error_is_described_in_one_short_line(error: Exception, named: tuple[str, str]) -> None:
    assert describe(error) == named


def test_secrets_are_taken_out_of_a_reason_before_it_is_cut() -> None:
    error = RuntimeError("x" * 495 + "hush-hush and more")
    assert "hu" not in describe(error, lambda text: text.replace("hush-hush", "[secret]"))[1]
