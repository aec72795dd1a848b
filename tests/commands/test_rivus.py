"""rivus VERB: the same as rivus-VERB, for its own commands and for any program of that name; and what all share."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from rivus import __version__
from rivus.commands import NAMES
from tests.commands.samples import CHAIN, STEPS
from tests.conftest import House

ARGUMENTS = {
    "stage": ["fetch"],
    "inject": ["demo", "--url", "u"],
    "show": ["demo/a"],
    "why": ["demo/a"],
    "move": ["retry", "demo/a"],
    "log": ["demo/a"],
    "units": ["render"],
    "replay": ["demo/a", "fetch"],
}
FOLDERS = {"show": ["RIVUS_SPOOL"], "log": ["RIVUS_SPOOL"], "check": ["RIVUS_JOBS"], "units": ["RIVUS_JOBS"]}
"""What a command cannot do without, where that is not both."""


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def codes(name: str) -> set[int]:
    return set(import_module(f"rivus.commands.{name}").EXIT_CODES)


def test_alone_it_lists_every_command_with_what_it_does(house: House) -> None:
    usage = house.run("rivus").out
    for name in NAMES:
        assert re.search(rf"^  {name} +\S.*\S$", usage, re.MULTILINE), name
    assert house.run("rivus", "--help").out == usage
    assert house.run("rivus", "--version").out == f"rivus {__version__}\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_verb_is_the_command_of_that_name_with_the_options_that_all_have(house: House, name: str) -> None:
    shown = house.run("rivus", name, "--help").out
    assert shown.startswith(f"Usage: rivus-{name} ")
    options = {"--jobs", "--spool", "--test", "--allow-network-fs", "--verbose", "--version"}
    if name == "units":  # it works on systemd's folders, and units are production's
        options -= {"--test", "--allow-network-fs"}
    assert options <= set(re.findall(r"--[a-z-]+", shown))


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_option_is_said_and_a_missing_folder_takes_one_line(chain: House, name: str) -> None:
    wrong = chain.run("rivus", name, "--no-such-option", code=2)
    assert wrong.out == "" and "No such option" in wrong.err and 2 in codes(name)
    for variable in FOLDERS.get(name, ["RIVUS_JOBS", "RIVUS_SPOOL"]):
        process = chain.start(f"rivus-{name}", *ARGUMENTS.get(name, []), env={variable: "/no/such"})
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (78, "") and 78 in codes(name)
        assert err.startswith(f"rivus-{name}: ") and "/no/such" in err and err.count("\n") == 1, err
    assert not Path("/no").exists()


def test_a_program_on_the_path_is_a_command_too(house: House) -> None:
    program = house.root / "bin/rivus-hello"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"\ncat\nexit 7\n')
    program.chmod(0o755)
    path = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    done = house.run("rivus", "hello", "--help", "a b", stdin="data", code=7, env=path)
    assert done.out == f"{program}\n--help\na b\ndata"
    program.chmod(0o644)
    house.run("rivus", "hello", code=2, env=path)


def test_a_program_does_not_stand_in_for_a_command_of_its_own(house: House) -> None:
    program = house.root / "rivus-ls"
    program.write_text("#!/bin/sh\necho false friend\n")
    program.chmod(0o755)
    assert house.run("rivus", "ls", env={"PATH": f"{house.root}:/usr/bin:/bin"}).out == ""


@pytest.mark.parametrize("verb", ["nonsense", "", "frame"])
def test_an_unknown_verb_is_a_wrong_command_line(house: House, verb: str) -> None:
    done = house.run("rivus", verb, code=2)
    assert done.out == ""
    assert done.err == f"rivus: no command {verb!r}; there are {', '.join(NAMES)}\n"


def test_every_command_says_which_exit_codes_it_has() -> None:
    for name in (*NAMES, "rivus"):
        exit_codes = import_module(f"rivus.commands.{name}").EXIT_CODES
        assert {0, 2} <= set(exit_codes), name
        assert set(exit_codes) <= {0, 1, 2, 65, 69, 75, 78, 130}, name
        assert all(isinstance(text, str) and text for text in exit_codes.values()), name
