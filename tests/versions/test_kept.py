"""A text is taken for a version's only if it gives the digests that the version states."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.config import load_job
from rivus.versions.kept import Unproven, code_of, file_of, is_whole
from rivus.versions.parts import MOST_TEXT, Parts, version_of

YAML = 'stages: {only: {handler: my.only, with: {n: 1}, version_deps: ["*.md"]}}'
CODE = '''
LIST = [1]
LIST = [*LIST, 2]

def only(item, ctx, *, n):
    """What it does."""
    return {"n": n, "f": f"{n!r:>3}", "list": LIST}  # a remark
'''


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    for name, text in {"j.yaml": YAML, "my.py": CODE, "say.md": "say it\r\n", "other.md": "é"}.items():
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


def made(jobs: Path) -> tuple[Parts, dict[str, str]]:
    job = load_job(jobs, "j")
    version = version_of(job, job.stages["only"])
    return version.parts, version.text()


def test_the_code_that_made_it_is_told_without_comments_and_docstrings(jobs: Path) -> None:
    code = code_of(*made(jobs))
    assert set(code) == {"my:only", "my:LIST"}
    assert "does" not in code["my:only"] and "remark" not in code["my:only"] and "return" in code["my:only"]


def test_the_text_of_a_file_is_what_was_in_it(jobs: Path) -> None:
    parts, texts = made(jobs)
    assert (file_of(parts, texts, "say.md"), file_of(parts, texts, "other.md")) == ("say it\r\n", "é")


@pytest.mark.parametrize(("old", "new"), [("{'n': n", "{'n': n + 1"), ("return", "retur n"), ("def only", "def other")])
def test_code_that_is_another_is_refused(jobs: Path, old: str, new: str) -> None:
    parts, texts = made(jobs)
    assert old in texts["my:only"]
    with pytest.raises(Unproven):
        code_of(parts, {**texts, "my:only": texts["my:only"].replace(old, new)})


def test_a_definition_too_many_or_too_few_is_refused(jobs: Path) -> None:
    parts, texts = made(jobs)
    for other in ({**texts, "my:more": "x = 1"}, {name: text for name, text in texts.items() if name != "my:LIST"}, {}):
        with pytest.raises(Unproven):
            code_of(parts, other)


def test_another_text_of_a_file_or_none_is_refused(jobs: Path) -> None:
    parts, texts = made(jobs)
    for other in ({**texts, "text say.md": "say it\n"}, {**texts, "text say.md": "\ud800"}, {}):
        with pytest.raises(Unproven):
            file_of(parts, other, "say.md")


def test_files_that_are_no_text_or_too_large_are_kept_as_digests_only(jobs: Path) -> None:
    (jobs / "other.md").write_bytes(b"\xff\xfe")
    (jobs / "say.md").write_bytes(b"x" * (MOST_TEXT + 1))
    parts, texts = made(jobs)
    assert {"say.md", "other.md"} <= texts.keys() and not any(name.startswith("text ") for name in texts)
    with pytest.raises(Unproven):
        file_of(parts, texts, "say.md")


def test_the_parts_in_a_receipt_count_only_if_they_give_its_id(jobs: Path) -> None:
    parts, _ = made(jobs)
    assert is_whole(parts)
    for other in (
        {**parts, "code": "x"},
        {**parts, "deps": {}},
        {"id": parts["id"]},
        None,
        "x",
        {"code": 1, "deps": {}},
    ):
        assert not is_whole(other)
