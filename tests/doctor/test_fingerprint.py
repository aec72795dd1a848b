"""The same failure is one group, whatever item it befell; different ones are several; and it stays so."""

from __future__ import annotations

import json
import random
import string
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from rivus.doctor.failure import Failure, failure_from_record, failure_of
from rivus.doctor.fingerprint import fingerprint, normalised

draw = random.Random(7)


def letters(count: int, of: str = string.ascii_letters + string.digits + "-_") -> str:
    return "".join(draw.choice(of) for _ in range(count))


def video_id() -> str:
    """One in 6,000 has neither a digit nor a capital inside: it cannot be told from a word."""
    found = letters(11)
    return found if any(sign.isdigit() or sign.isupper() for sign in found[1:]) else video_id()


def word() -> str:
    return letters(draw.randint(1, 12), string.ascii_letters)


def number() -> float:
    return draw.choice([draw.randint(0, 9), draw.randint(0, 10**9), round(draw.random() * 100, 4)])


def host() -> str:
    return f"{letters(8, string.ascii_lowercase)}.{draw.choice(['com', 'org', 'co.uk', 'io'])}"


def path() -> str:
    return "".join(f"/{word()}" for _ in range(draw.randint(1, 5))) + draw.choice(["", ".json", ".mp4"])


def date() -> str:
    return f"{draw.randint(1990, 2040)}-{draw.randint(10, 12)}-{draw.randint(10, 28)}T{draw.randint(10, 23)}:05:09Z"


SAME: list[Callable[[], str]] = [
    lambda: f"ERROR: [youtube] {video_id()}: Video unavailable",
    lambda: f"video {video_id()} is not available",
    lambda: f"channel UC{letters(22)} does not exist",
    lambda: f"Incomplete YouTube ID {video_id()}. URL https://{host()}/watch?v={video_id()} looks truncated.",
    lambda: f"404 Client Error: Not Found for url: https://{host()}{path()}?a={number()}&b={word()}",
    lambda: (
        f"HTTPSConnectionPool(host='{host()}', port={draw.randint(1, 65535)}): Max retries exceeded with url: {path()}"
        f"?q={word()} (Caused by NewConnectionError('<urllib3.connection.HTTPSConnection object at "
        f"0x{letters(12, '09af')}>: Failed to establish a new connection: [Errno 111] Connection refused'))"
    ),
    lambda: f"[Errno 2] No such file or directory: '{path()}'",
    lambda: f"cannot read {path()}: is a directory",
    lambda: f"request {uuid.UUID(int=draw.getrandbits(128))} failed after {number()} s",
    lambda: f"commit {letters(40, '0123456789abcdef')} not found",
    lambda: f"{host()}:{draw.randint(1, 65535)} does not answer",
    lambda: f"cannot reach {'.'.join(str(draw.randint(0, 255)) for _ in range(4))}:{draw.randint(1, 65535)}",
    lambda: f"limit resets at {date()}",
    lambda: f"will begin in {draw.randint(1, 90)} {draw.choice(['minutes', 'hours', 'days'])}",
    lambda: f'the title "{" ".join(word() for _ in range(draw.randint(1, 6)))}" is too short',
    lambda: f"KeyError: '{word()}'",
    lambda: f"line {number()}, column {number()}",
    lambda: f"token eyJ{letters(60, string.ascii_letters + string.digits)}= refused",
    lambda: f"mail to {word()}.{word()}@{host()} bounced",
    lambda: f"Rate limit reached for org-{letters(24)}: Limit {number()}, Used {number()}. Try again in {number()}s.",
    lambda: f"got {number()} KiB of {number()} MiB",
    lambda: f"[youtube:tab] @{word()}: Failed to resolve url",
]


@pytest.mark.parametrize("say", SAME, ids=[normalised(say())[:50] for say in SAME])
def test_the_same_failure_on_a_thousand_items_is_one_group(say: Callable[[], str]) -> None:
    groups = {fingerprint(failure_from_record({"handler": "a.b", "message": say()})): 0 for _ in range(1000)}
    assert len(groups) == 1


GOLDEN = {
    "[youtube] dQw4w9WgXcQ: Video unavailable": "9751f5196f980d4b",
    "429 Client Error: Too Many Requests for url: https://a.example/b?c=1": "37a574b2c84a0fc6",
    "[Errno 28] No space left on device: '/srv/a'": "fefc04b8b875af12",
    "'NoneType' object has no attribute 'find_all'": "9c234f39b29ebac1",
    "": "1d65aabb263937bc",
}


@pytest.mark.parametrize(("text", "expected"), GOLDEN.items(), ids=[text[:20] for text in GOLDEN])
def test_fingerprints_are_the_same_in_every_version(text: str, expected: str) -> None:
    row = {"handler": "youtube.captions", "error_type": "yt_dlp.utils.DownloadError", "message": text}
    assert fingerprint(failure_from_record(row)) == expected


def test_a_module_that_moves_inside_its_library_changes_nothing() -> None:
    one, two = (Failure("a", f"yt_dlp.{place}.DownloadError") for place in ("utils", "utils._utils"))
    assert fingerprint(one) == fingerprint(two)


def test_handler_type_status_code_and_frame_each_make_another_group() -> None:
    failures = [
        Failure("a", "E"), Failure("b", "E"), Failure("a", "F"), Failure("a", "E", status=403),
        Failure("a", "E", status=404), Failure("a", "E", errno=28), Failure("a", "E", exit_code=28),
        Failure("a", "E", frame="m:f"), Failure("a", "E", frame="m:g"), Failure("a", "E", message="m"),
    ]  # fmt: skip
    assert len({fingerprint(failure) for failure in failures}) == len(failures)


def test_names_that_stand_in_code_are_kept() -> None:
    texts = ["'NoneType' object has no attribute 'text'", "'NoneType' object has no attribute 'cursor'",
             "No module named 'lxml'", "No module named 'openai'", "'OPENAI_API_KEY'", "'FINNHUB_TOKEN'"]  # fmt: skip
    assert len({normalised(text) for text in texts}) == len(texts)


def test_two_places_that_raise_the_same_are_two_groups() -> None:
    def here(data: dict[str, int]) -> int:
        return data["a"]

    class There:
        def go(self, data: dict[str, int]) -> int:
            return data["b"]

    found = []
    for function in (here, There().go):
        with pytest.raises(KeyError) as caught:
            function({})
        found.append(failure_of(caught.value, "a.b"))
    assert len({fingerprint(failure) for failure in found}) == 2


HOSTILE = ["a", "/", "'", "a.", "1:", "<", "ab/", "A1", '"message":"', "[a] b: ", "http://", "Error('"]


@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_texts_take_no_time(part: str) -> None:
    started = time.process_time()
    fingerprint(failure_from_record({"message": part * 100_000}))
    assert time.process_time() - started < 3


def test_recorded_messages_of_different_classes_do_not_fall_together(shared: Path) -> None:
    groups: dict[str, set[tuple[str, str]]] = {}
    rows = [json.loads(line) for line in (shared / "data" / "errors.jsonl").read_text().splitlines()]
    for row in rows:
        key = fingerprint(failure_from_record(row))
        groups.setdefault(key, set()).add((row["expected_class"], row["expected_action"]))
    assert all(len(labels) == 1 for labels in groups.values())
    assert len(groups) >= 0.9 * len(rows)
