"""What of a handler's code counts as its version."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.versions.code import definitions

CODE = '''
"""A module."""
import re
import helpers
from texts import clean as tidy

LIMIT = 10
PATTERN = re.compile("a+")

def fetch(item, ctx):
    """Fetches."""
    return {"text": tidy(inner(item["x"])), "n": helpers.count(item)}

def inner(text):
    return text[:LIMIT]

def unused():
    return 1
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my.py").write_text(CODE)
    (tmp_path / "helpers.py").write_text("def count(x):\n    return len(x)\n\ndef other():\n    return 2\n")
    (tmp_path / "texts.py").write_text("from deep import base\n\ndef clean(x):\n    return base(x)\n")
    (tmp_path / "deep.py").write_text("def base(x):\n    return x.strip()\n")
    return tmp_path


def version(folder: Path, function: str = "fetch") -> dict[str, str]:
    return definitions(folder / "my.py", function, folder)


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def test_the_functions_that_a_handler_calls_belong_to_it(folder: Path) -> None:
    assert set(version(folder)) == {
        "my:fetch", "my:inner", "my:LIMIT", "texts:clean", "deep:base", "helpers:count",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("my.py", "def inner(text):", "# a comment\n\n\ndef inner(text):"),
        ("my.py", '"""Fetches."""', '"""Fetches everything."""'),
        ("my.py", "return text[:LIMIT]", "return (\n        text[ : LIMIT]\n    )"),
        ("my.py", "return 1", "return 2"),
        ("my.py", '"a+"', "'b+'"),
        ("helpers.py", "return 2", "return 3"),
        ("my.py", 'item["x"]', "item['x']"),
    ],
)
def test_what_changes_no_result_changes_no_version(folder: Path, file: str, old: str, new: str) -> None:
    before = version(folder)
    edit(folder, file, old, new)
    assert version(folder) == before


@pytest.mark.parametrize(
    ("file", "old", "new", "name"),
    [
        ("my.py", "text[:LIMIT]", "text[1:LIMIT]", "my:inner"),
        ("my.py", "LIMIT = 10", "LIMIT = 11", "my:LIMIT"),
        ("deep.py", "strip", "lstrip", "deep:base"),
        ("helpers.py", "len(x)", "len(x) + 1", "helpers:count"),
        ("my.py", "def fetch(item, ctx):", "async def fetch(item, ctx):", "my:fetch"),
    ],
)
def test_what_changes_a_result_changes_the_version(folder: Path, file: str, old: str, new: str, name: str) -> None:
    before = version(folder)
    edit(folder, file, old, new)
    after = version(folder)
    assert {one for one in {*before, *after} if before.get(one) != after.get(one)} == {name}


def test_imports_inside_of_functions_are_followed(folder: Path) -> None:
    (folder / "my.py").write_text("def fetch(item, ctx):\n    from texts import clean\n    return {'t': clean(item)}\n")
    assert set(version(folder)) == {"my:fetch", "texts:clean", "deep:base"}


def test_modules_that_import_each_other_come_to_an_end(folder: Path) -> None:
    (folder / "my.py").write_text("import texts\n\ndef fetch(i, c):\n    return texts.clean(i)\n")
    (folder / "texts.py").write_text("import my\n\ndef clean(x):\n    return my.fetch(x, 0)\n")
    assert set(version(folder)) == {"my:fetch", "texts:clean"}


def test_a_module_of_the_project_that_cannot_be_read_ends_the_search_there(folder: Path) -> None:
    (folder / "texts.py").write_text("def clean(:")
    assert "my:fetch" in version(folder)


def test_the_handler_itself_must_be_readable(folder: Path) -> None:
    (folder / "my.py").write_text("def fetch(:")
    with pytest.raises(SyntaxError):
        version(folder)
    (folder / "my.py").unlink()
    with pytest.raises(OSError):
        version(folder)


def test_a_bundled_handler_is_more_than_its_own_function() -> None:
    import rivus.handlers.captions as captions

    file = Path(captions.__file__)
    found = definitions(file, "text", file.parent)
    assert "captions:text" in found and any(name.startswith("cues:") for name in found)
