"""What follows from each thing that a handler can do: the table of outcomes, row for row."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rivus.model.decide import BLOCKED_FOR, FOREVER, JITTER, Decision, decide, describe
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, Skip, SourceBlocked
from rivus.model.states import DEFER, FAIL, FINISH

NOW = 1_000_000.0
DELAYS = (60.0, 600.0, 3600.0)


class OwnError(Exception):
    """Something a handler did not mean to raise."""


def after(error: BaseException | None, tries: int = 1, spread: float = 0.0) -> Decision:
    return decide(error, tries, DELAYS, NOW, spread)


def test_a_result_is_done() -> None:
    assert after(None) == Decision(FINISH, "done")
    assert after(None, tries=99) == Decision(FINISH, "done")


def test_nothing_to_do_is_done_too_but_marked() -> None:
    assert after(Skip("no captions")) == Decision(FINISH, "skipped")


def test_when_the_world_is_at_fault_the_item_waits_for_the_stages_delay() -> None:
    for tries, delay in enumerate(DELAYS, 1):
        assert after(RetryLater("503"), tries) == Decision(DEFER, "retry", due=NOW + delay)


def test_a_retry_can_name_its_own_delay_and_still_uses_up_an_attempt() -> None:
    assert after(RetryLater("503", after=7.0)) == Decision(DEFER, "retry", charged=True, due=NOW + 7)
    assert after(RetryLater("503", after=0.0)).due == NOW
    assert after(RetryLater("503", after=7.0), tries=4).move is FAIL


def test_an_item_at_fault_has_failed_at_once() -> None:
    assert after(ItemFailed("private video")) == Decision(FAIL, "failed")


def test_a_source_that_must_rest_is_parked_and_the_item_uses_up_no_attempt() -> None:
    until = NOW + 77
    assert after(SourceBlocked("429", until=until)) == Decision(
        DEFER, "blocked", charged=False, due=until, park_until=until
    )
    assert after(SourceBlocked("429"), spread=0.9).due == NOW + BLOCKED_FOR


def test_a_broken_job_is_paused_until_a_person_resumes_it() -> None:
    assert after(Halt("no credential")) == Decision(DEFER, "halted", charged=False, due=FOREVER, pause=True)


@pytest.mark.parametrize("error", [SourceBlocked("429"), Halt("no credential")])
def test_what_uses_up_no_attempt_never_fails_the_item(error: Outcome) -> None:
    decision = after(error, tries=1000)
    assert (decision.move, decision.charged) == (DEFER, False)


@pytest.mark.parametrize("error", [OwnError("oh"), ZeroDivisionError(), OSError(28, "disk full"), SystemExit(3)])
def test_any_other_exception_is_tried_again_and_fails_after_the_last_delay(error: BaseException) -> None:
    assert [after(error, tries).move for tries in (1, 2, 3, 4, 5)] == [DEFER, DEFER, DEFER, FAIL, FAIL]
    assert after(error).charged
    assert after(error, tries=4) == Decision(FAIL, "failed")


def test_without_delays_the_first_error_fails_the_item() -> None:
    assert decide(OwnError(), 1, (), NOW, 0.5).move is FAIL
    assert decide(RetryLater("503", after=1), 1, (), NOW, 0.5).move is FAIL


def test_a_timeout_is_tried_again_under_a_name_of_its_own() -> None:
    assert after(TimeoutError("took longer")) == Decision(DEFER, "timeout", due=NOW + 60)
    assert after(TimeoutError("took longer"), tries=4).outcome == "failed"


def test_every_outcome_there_is_stands_in_this_table() -> None:
    assert set(Outcome.__subclasses__()) == {Skip, RetryLater, ItemFailed, SourceBlocked, Halt}


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 3), st.sampled_from([RetryLater("x"), OwnError("x")]))
def test_the_delay_is_never_shorter_and_at_most_a_tenth_longer(spread: float, tries: int, error: Exception) -> None:
    delay = after(error, tries, spread).due - NOW
    assert DELAYS[tries - 1] <= delay <= DELAYS[tries - 1] * (1 + JITTER) + 0.001


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_what_ends_a_rest_or_a_pause_is_exact(spread: float) -> None:
    assert after(SourceBlocked("429", until=NOW + 5), spread=spread).due == NOW + 5
    assert after(Halt("x"), spread=spread).due == FOREVER


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
