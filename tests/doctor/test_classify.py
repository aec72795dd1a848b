"""What follows from a failure, and when."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from rivus.doctor.classify import classify
from rivus.doctor.failure import Failure, failure_from_record, failure_of
from rivus.model.diagnosis import Action, Diagnosis, FailureClass
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, SourceBlocked

NOW = 1_800_000_000.0
DAY = 86_400.0


def told(message: str, error_type: str = "") -> Diagnosis:
    row = {"handler": "a.b", "error_type": error_type, "message": message}
    return classify(failure_from_record(row), NOW)


def test_a_429_lets_the_source_rest_as_long_as_it_asks() -> None:
    failure = Failure("a.b", "requests.exceptions.HTTPError", status=429, retry_after=120.0)
    found = classify(failure, NOW)
    assert (found.cls, found.action, found.after) == ("rate_limited", "pause_source", 120.0)


def test_a_server_cannot_ask_for_more_than_a_day() -> None:
    assert classify(Failure("a.b", "E", status=429, retry_after=1e9), NOW).after == DAY


def test_a_time_that_is_over_means_now() -> None:
    assert classify(Failure("a.b", "E", status=429, until=NOW - 5), NOW).after == 0.0


def test_an_upcoming_video_waits_for_its_time() -> None:
    found = told("[youtube] abc: This live event will begin in 2 days.", "yt_dlp.utils.DownloadError")
    assert (found.cls, found.action, found.after) == ("not_yet_available", "retry_later", 2 * DAY)


def test_a_release_time_is_better_than_words() -> None:
    failure = Failure("a.b", "E", message="Premieres in 3 hours", retry_after=10_800.0, until=NOW + 9000)
    assert classify(failure, NOW).after == 9000.0


def test_a_premiere_far_away_is_looked_at_every_fortnight() -> None:
    assert told("Premieres in 3 months").after == 14 * DAY


def test_a_model_that_says_when_is_asked_again_then() -> None:
    soon = told("Rate limit reached for gpt-4o on tokens per min. Please try again in 20s.", "openai.RateLimitError")
    assert (soon.action, soon.after) == (Action.RETRY_SOON, 20.0)
    late = told("Rate limit reached for gpt-4o on tokens per min. Please try again in 2h.", "openai.RateLimitError")
    assert (late.action, late.after) == (Action.RETRY_LATER, 7200.0)


def test_a_server_that_failed_is_tried_again_by_the_stages_list() -> None:
    found = told("503 Server Error: Service Unavailable for url: https://a/b", "requests.exceptions.HTTPError")
    assert (found.action, found.after) == (Action.RETRY_SOON, None)


def test_a_full_disk_pauses_the_job_whoever_meets_it() -> None:
    for error in (OSError(28, "No space left on device"), sqlite3.OperationalError("database or disk is full")):
        found = classify(failure_of(error, "a.b"), NOW)
        assert (found.cls, found.action) == ("resource_exhausted", "pause_job")


def test_a_private_video_fails_its_item() -> None:
    found = told("[youtube] abc: Private video. Sign in if you've been granted access", "yt_dlp.utils.DownloadError")
    assert (found.cls, found.action, found.after) == ("access_denied", "fail_item", None)


def test_a_missing_package_needs_a_person() -> None:
    with pytest.raises(ImportError) as caught:
        __import__("no_such_package")
    assert classify(failure_of(caught.value, "a.b"), NOW).rule == "import_failed"


def test_what_no_rule_knows_is_tried_again_by_the_stages_list() -> None:
    found = told("the frobnicator frobs no more", "frob.Oops")
    assert found == classify(Failure("x", "y"), NOW)
    assert (found.cls, found.action) == (FailureClass.UNKNOWN, Action.RETRY_LATER)
    assert (found.after, found.rule) == (None, "unknown")


@pytest.mark.parametrize(
    ("outcome", "cls", "action", "after"),
    [
        (ItemFailed("https://a answered 404 Not Found"), "gone_permanently", "fail_item", None),
        (ItemFailed("too short"), "bad_input", "fail_item", None),
        (RetryLater("https://a: timed out"), "transient_network", "retry_later", None),
        (RetryLater("busy", after=60), "transient_network", "retry_later", 60.0),
        (SourceBlocked("https://a answered 429", until=NOW + 30), "rate_limited", "pause_source", 30.0),
        (Halt("https://a answered 401: the credential is refused"), "auth", "pause_job", None),
    ],
)
def test_what_a_handler_says_on_purpose_holds(outcome: Outcome, cls: str, action: str, after: float | None) -> None:
    found = classify(failure_of(outcome, "a.b"), NOW)
    assert (found.cls, found.action, found.after) == (cls, action, after)


@pytest.mark.parametrize(
    ("code", "action"),
    [(65, "fail_item"), (69, "retry_soon"), (75, "retry_soon"), (77, "needs_human"), (78, "needs_human"),
     (127, "needs_human"), (-9, "retry_later"), (137, "retry_later"), (-11, "needs_human"), (-15, "retry_soon")],
)  # fmt: skip
def test_exit_codes_mean_what_sysexits_say(code: int, action: str) -> None:
    assert classify(Failure("a.b", "CommandFailed", exit_code=code), NOW).action == action


def test_what_a_failed_program_says_is_heard() -> None:
    from rivus.handlers.command import CommandFailed

    error = CommandFailed("fetch ended with 1", 1, "curl: (6) Could not resolve host: a.example")
    assert classify(failure_of(error, "fetch"), NOW).cls is FailureClass.TRANSIENT_NETWORK


def test_nothing_heavy_is_imported_to_recognise_an_error() -> None:
    heavy = {"requests", "urllib3", "yt_dlp", "feedparser", "msgspec", "yaml", "click", "filelock", "rivus.net"}
    code = "import sys, rivus.doctor.classify, rivus.doctor.fingerprint; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stdout.split())
