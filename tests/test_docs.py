"""Commands, launchers, console scripts, man pages and the names in the texts are one set; the pages are current."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import click
import pytest

from rivus.commands import NAMES
from rivus.model.states import BOXES, TABLE
from rivus.tell.check import check

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "man").glob("*.1"))
OTHERS = sorted((ROOT / "man").glob("*.[57]"))
JOB = (ROOT / "man" / "rivus-job.5").read_text("utf-8")


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("man_generate", ROOT / "man" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = load_generator()


@click.group()
def tool() -> None:
    """Does things."""


@tool.command()
@click.option("--jobs", metavar="DIR", help="Where the jobs are; -x and .dots are printed as they are.")
@click.argument("items", nargs=-1, metavar="[JOB/KEY]...")
def push(jobs: str, items: tuple[str, ...]) -> None:
    """Pushes items."""


TOOL = generate.Command("rivus-tool", tool, {0: "done", 69: ".hidden -x could not be reached"})
TRIAL = """.SH NAME
by hand
.\\" generated: begin synopsis
what was here before
.\\" generated: end
.\\" generated: begin options
.\\" generated: end
.\\" generated: begin exit status
.\\" generated: end
.SH FILES
"""


def commands() -> set[str]:
    return set(generate.commands())


def names_in(file: Path) -> set[str]:
    """`rivus-x` as a word of its own, and as the program that a line starts with; not rivus-x@JOB or rivus-x.timer."""
    return set(re.findall(r"(?<![\w/.-])rivus-[a-z]+(?![\w@.-]*[@.]\w)", file.read_text("utf-8")))


def test_the_generator_fills_its_regions_and_leaves_the_rest() -> None:
    page = generate.current(TRIAL, "rivus-tool", {"rivus-tool": TOOL})
    assert page.startswith(".SH NAME\nby hand\n") and page.endswith(".SH FILES\n")
    assert "what was here before" not in page
    assert r"\fBrivus\-tool push\fR [OPTIONS] [JOB/KEY]..." in page
    assert r"\-x and .dots are printed as they are." in page
    assert r".TP" + "\n" + r"\fB69\fR" + "\n" + r"\&.hidden \-x could not be reached" in page
    assert generate.current(page, "rivus-tool", {"rivus-tool": TOOL}) == page


def test_the_generator_lists_all_commands() -> None:
    page = generate.current(
        '.\\" generated: begin commands\n.\\" generated: end\n', "rivus", {"rivus-tool": TOOL}
    )
    assert "\\fBrivus\\-tool\\fR(1)\nDoes things." in page


@pytest.mark.parametrize("text", ["back\\slash", ".request", "'quote", "a\nb", "--option", "so on…"])
def test_whatever_a_help_text_holds_prints_as_it_is(text: str) -> None:
    if not shutil.which("groff"):
        pytest.skip("needs groff")
    page = f".TH T 1\n.SH S\n{generate.escape(text)}\n"
    shown = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"], input=page, capture_output=True, encoding="utf-8", timeout=30
    )
    plain = re.sub(r"\x1b\[\d*m", "", shown.stdout).translate({0x2212: "-", 0x2019: "'"})
    assert (shown.returncode, shown.stderr) == (0, "")
    assert " ".join(text.split()) in plain


def test_the_list_of_names_is_the_modules_that_are_commands() -> None:
    assert {f"rivus-{name}" for name in NAMES} == commands()


def test_every_command_has_a_launcher() -> None:
    launchers = {file.name for file in (ROOT / "bin").iterdir()}
    assert launchers == commands() | {"rivus"}


def test_every_launcher_but_one_is_a_link_to_that_one() -> None:
    for file in (ROOT / "bin").iterdir():
        assert file.name == "rivus" or os.readlink(file) == "rivus"
        assert os.access(file, os.X_OK)


def test_every_command_has_a_console_script() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(project["scripts"]) == commands() | {"rivus"}


def test_every_command_has_a_man_page() -> None:
    assert {page.stem for page in PAGES} == commands() | {"rivus"}


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md"])
def test_the_texts_name_every_command_and_no_other(name: str) -> None:
    assert names_in(ROOT / name) - {page.stem for page in OTHERS} == commands()


def test_the_state_table_in_the_text_is_the_one_in_the_code() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    told = re.findall(r"^\| (\w) \| ([a-z ]+) \| (.+?) → ([\w()]+) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    sources = {row.letter: " ".join(box for box in BOXES if box in row.sources) or "(new)" for row in TABLE}
    known = [(row.letter, row.name, sources[row.letter], row.target or "(gone)", row.by, row.crash) for row in TABLE]
    assert [tuple(row) for row in told] == known


def test_the_man_pages_are_current() -> None:
    check = [sys.executable, str(ROOT / "man" / "generate.py"), "--check"]
    result = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_man_page_has_the_usual_sections_and_names_only_pages_that_exist(page: Path) -> None:
    text = page.read_text("utf-8").replace("\\-", "-")
    sections = re.findall(r"^\.SH (.+)$", text, re.MULTILINE)
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"] and sections[-1] == "SEE ALSO"
    assert {"OPTIONS", "COMMANDS"} & set(sections) and "EXIT STATUS" in sections
    assert pages_in(text) <= commands() | {one.stem for one in PAGES + OTHERS}


def pages_in(text: str) -> set[str]:
    return set(re.findall(r"\brivus-[a-z]+", text))


@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.name)
def test_a_page_of_another_section_names_pages_by_their_sections(page: Path) -> None:
    text = page.read_text("utf-8").replace("\\-", "-")
    sections = re.findall(r"^\.SH (.+)$", text, re.MULTILINE)
    assert sections[:2] == ["NAME", "DESCRIPTION"] and sections[-1] == "SEE ALSO"
    told = re.findall(r"\b(rivus(?:-[a-z]+)?) \(?(\d)\)", text)
    assert {f"{name}.{section}" for name, section in told} <= {one.name for one in PAGES + OTHERS}
    assert pages_in(text) <= {one.stem for one in PAGES + OTHERS}
    assert f"{page.stem} ({page.suffix[1:]})" in (ROOT / "man" / "rivus.1").read_text("utf-8").replace("\\-", "-")


def test_every_field_of_jobs_d_is_explained_in_words() -> None:
    tables = re.findall(r"generated: begin fields \w+\n\.PP\n\.EX\n(.*?)\.EE", JOB, re.DOTALL)
    fields = {line.split()[0] for table in tables for line in table.splitlines()}
    assert len(tables) == 10 and "strategy" in fields
    assert {field for field in fields if f"\\fB{field}\\fR" not in JOB} == set()


def test_the_examples_of_the_format_are_jobs_without_a_problem(tmp_path: Path) -> None:
    limits, job = re.findall(r"^\.EX\n(.*?)^\.EE$", JOB.partition(".SH EXAMPLES")[2], re.DOTALL | re.MULTILINE)
    (tmp_path / "limits.yaml").write_text(limits)
    (tmp_path / "news.yaml").write_text(job.replace("\\-", "-"))
    assert check(tmp_path) == []


@pytest.mark.parametrize("page", PAGES + OTHERS, ids=lambda page: page.name)
def test_a_man_page_renders_without_a_warning(page: Path) -> None:
    if not shutil.which("groff"):
        pytest.skip("needs groff")
    result = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-z", str(page)], capture_output=True, text=True, timeout=30
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_launcher_works_through_links_from_anywhere(tmp_path: Path) -> None:
    link = tmp_path / "rivus-ls"
    link.symlink_to(ROOT / "bin" / "rivus-ls")
    result = subprocess.run([str(link), "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "rivus-ls" in result.stdout
