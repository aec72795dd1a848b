"""A verdict file says what it says, for as long as it says, or every mistake in it is told with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rivus.config.verdicts import Verdict, read_verdict, render_verdict
from rivus.errors import BadConfig
from rivus.model.diagnosis import Action, Diagnosis, FailureClass
from rivus.model.times import epoch, utc

KIND = "0123456789abcdef"
NOW = epoch("2026-07-01T00:00:00Z")
NUMBER = re.compile(r"[-+.\d]+[eE][-+]?\d+|0o[0-7]+")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x85\u2028\u2029"), max_size=40).filter(
    lambda text: not NUMBER.fullmatch(text)
)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / f"{KIND}.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(folder: Path, now: float = NOW) -> Verdict | None:
    return read_verdict(str(folder), KIND, now)


def mistakes(folder: Path, text: str) -> list[str]:
    """What is wrong with a file of this text, each from its place on."""
    path = write(folder, text)
    with pytest.raises(BadConfig) as caught:
        read(folder)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def test_where_there_is_no_file_there_is_no_verdict(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    assert read(tmp_path / "nowhere") is None


def test_two_lines_are_a_whole_verdict(tmp_path: Path) -> None:
    write(tmp_path, "class: auth\naction: needs_human\n")
    verdict = read(tmp_path)
    assert verdict is not None
    assert verdict.diagnosis() == Diagnosis(FailureClass.AUTH, Action.NEEDS_HUMAN, None, "verdict by person", "")


@pytest.mark.parametrize("action", Action)
def test_what_is_written_is_read_again(tmp_path: Path, action: Action) -> None:
    told = Verdict(
        cls=FailureClass.UNKNOWN, action=action, after=5400.0, by="model small", why="no: 'such' \"thing\" #1",
        handler="steps.fetch", example="ERROR: [youtube] é\n中", seen=3, written=utc(NOW), expires=utc(NOW + 1),
    )  # fmt: skip
    write(tmp_path, render_verdict(told))
    assert read(tmp_path) == told


def test_when_it_was_written_is_added(tmp_path: Path) -> None:
    write(tmp_path, render_verdict(Verdict(cls=FailureClass.AUTH, action=Action.FAIL_ITEM)))
    verdict = read(tmp_path)
    assert verdict is not None
    assert epoch(verdict.written) > 0


@given(TEXTS)
@example("no")
@example("012")
@example("2026-01-31")
@example("1_000")
@example("~")
@example("- a: [b")
@example("\x1b[31m\ufeff")
def test_any_text_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    write(folder, render_verdict(Verdict(cls=FailureClass.AUTH, action=Action.FAIL_ITEM, why=text, example=text)))
    verdict = read(folder)
    assert verdict is not None
    assert (verdict.why, verdict.example) == (text, text)


@pytest.mark.parametrize("text", ["1e3", "1.5E5", "0o17", "a NUL: \0"])
def test_a_number_of_other_readers_is_read_as_it_was_written_and_a_nul_as_a_mark(tmp_path: Path, text: str) -> None:
    write(tmp_path, render_verdict(Verdict(cls=FailureClass.AUTH, action=Action.FAIL_ITEM, example=text)))
    verdict = read(tmp_path)
    assert verdict is not None
    assert verdict.example == text.replace("\0", "?")


def test_a_long_reason_is_written_so_that_it_can_be_read(tmp_path: Path) -> None:
    write(tmp_path, render_verdict(Verdict(cls=FailureClass.AUTH, action=Action.FAIL_ITEM, why="x" * 2001)))
    assert read(tmp_path) is not None


def test_a_verdict_holds_until_it_expires(tmp_path: Path) -> None:
    write(tmp_path, f"class: auth\naction: fail_item\nexpires: '{utc(NOW)}'\n")
    assert read(tmp_path, NOW - 1) is not None
    assert read(tmp_path, NOW) is None
    assert read(tmp_path, NOW + 1) is None


def test_a_date_in_quotes_is_a_time(tmp_path: Path) -> None:
    write(tmp_path, "class: auth\naction: fail_item\nexpires: '2026-07-10'\n")
    assert read(tmp_path, NOW) is not None
    assert read(tmp_path, NOW + 30 * 86400) is None


def test_a_bare_date_is_reported(tmp_path: Path) -> None:
    [line] = mistakes(tmp_path, "class: auth\naction: fail_item\nexpires: 2026-08-01\n")
    assert line.startswith("3:")
    assert "expires" in line
    assert "quote" in line


def test_a_time_that_is_none_is_reported(tmp_path: Path) -> None:
    [line] = mistakes(tmp_path, "class: auth\naction: fail_item\nexpires: 'in August'\n")
    assert line.startswith("3:")
    assert "expires: is not an ISO 8601 time" in line


def test_every_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    lines = mistakes(tmp_path, "class: sick\naction: pray\nafter: 5\nseen: many\nwyh: typo\nwhy: 12\n")
    found = {line.partition(":")[0]: line for line in lines}
    assert sorted(found) == ["1", "2", "3", "4", "5", "6"]
    assert "sick" in found["1"]
    assert "pray" in found["2"]
    assert "5min" in found["3"]
    assert "did you mean" in found["5"]
    assert "quote it" in found["6"]


@pytest.mark.parametrize("missing", ["class", "action"])
def test_a_class_and_an_action_are_needed(tmp_path: Path, missing: str) -> None:
    whole = {"class": "auth", "action": "fail_item"}
    [line] = mistakes(tmp_path, "".join(f"{name}: {value}\n" for name, value in whole.items() if name != missing))
    assert f"missing field '{missing}'" in line


@pytest.mark.parametrize("text", ["", "- a\n", "just text\n", "class: [auth\n", "\tclass: auth\n", "class: &a auth\n"])
def test_what_is_no_verdict_at_all_is_reported(tmp_path: Path, text: str) -> None:
    assert mistakes(tmp_path, text)


def test_a_folder_of_that_name_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / f"{KIND}.yaml").mkdir()
    assert read(tmp_path) is None
