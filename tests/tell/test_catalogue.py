"""Every strategy and handler documents itself, its example is a job that passes, and its bad days are tested."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from rivus.plugins import Kind, find, parameters
from rivus.tell.catalogue import REGISTRIES, Entry, briefs, entry_of, names_of
from rivus.tell.check import check

TESTS = Path(__file__).resolve().parent.parent
NOWHERE = TESTS / "no-such-folder"
ALL: list[tuple[Kind, str]] = [(kind, name) for kind in REGISTRIES for name in REGISTRIES[kind]]
each = pytest.mark.parametrize(("kind", "name"), ALL, ids=[name for _, name in ALL])
DML = "stages: {score: {command: ['true']}}"
FAULTS = re.compile(r"from tests\.faults import|/fault/|faults=")
OWN_FAULTS = {
    "command": "test_command.py:test_the_exit_code_is_an_outcome_with_the_end_of_stderr",
    "llm.": "test_llm.py:test_what_a_server_refuses_says_who_is_at_fault",
    "youtube_search": "test_youtube_lists.py:test_a_search_that_fails_is_an_outcome",
    "notify.webhook": "test_notify.py:test_a_service_that_cannot_be_reached_is_tried_again_later",
}
"""Those with servers or programs of their own, by the beginning of the name."""


@pytest.fixture(autouse=True, scope="module")
def _as_before() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is wrong with any example, each as a job of its own."""
    folder = tmp_path_factory.mktemp("jobs.d")
    (folder / "dml.yaml").write_text(DML)
    limits: set[str] = set()
    for kind, name in ALL:
        blocks = documented_entry(kind, name).parts.examples
        for number, example in enumerate(part for block in blocks for part in re.split(r"\n(?=discover:)", block)):
            limits |= set(re.findall(r"\blimit: (\w+)", example))
            (folder / f"{name.replace('.', '_')}_{number}.yaml").write_text(as_job(example))
    (folder / "limits.yaml").write_text("".join(f"{limit}: {{slots: 1}}\n" for limit in sorted(limits)))
    return [str(problem).removeprefix(f"{folder}/") for problem in check(folder)]


def as_job(example: str) -> str:
    """The job around an example: `discover: …`, or some of its stages; those that they need are added."""
    if example.startswith("discover:"):
        return f"{example}\nstages: {{work: {{command: ['true']}}}}\n"
    stages = yaml.safe_load(example)
    needed = {need for stage in stages.values() for need in stage.get("needs", [])} - stages.keys()
    added = "".join(f"  {need}: {{command: ['true'], needs: []}}\n" for need in sorted(needed))
    return f"stages:\n{added}{textwrap.indent(example, '  ')}\n"


@cache
def documented_entry(kind: Kind, name: str) -> Entry:
    return entry_of(kind, name, NOWHERE)


@each
def test_it_says_what_it_does_what_it_takes_and_how_it_is_used(kind: Kind, name: str) -> None:
    entry = documented_entry(kind, name)
    assert entry.summary.endswith(".") and len(entry.summary) < 200
    assert [one.name for one in entry.parameters if not one.doc] == [], "parameters without a word"
    assert any(name in example for example in entry.parts.examples)


@each
def test_its_examples_pass_as_jobs(kind: Kind, name: str, problems: list[str]) -> None:
    file = re.compile(rf"{re.escape(name.replace('.', '_'))}_\d+\.yaml:")
    assert [problem for problem in problems if file.match(problem)] == []


def test_a_wrong_example_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(as_job("x: {handler: web.page, with: {min_txt: 1}, needs: [y]}"))
    (problem,) = check(tmp_path)
    assert "unknown parameter, did you mean 'min_text'?" in str(problem)


@each
def test_what_is_read_is_what_python_sees(kind: Kind, name: str) -> None:
    entry, seen = documented_entry(kind, name), parameters(find(kind, name, NOWHERE))
    assert [(one.name, one.required, one.default) for one in entry.parameters] == [
        (one.name, one.required, one.default) for one in seen.values()
    ]


@each
def test_a_span_has_two_ends(kind: Kind, name: str) -> None:
    entry = documented_entry(kind, name)
    assert entry.since_until or not {"since", "until"} & {one.name for one in entry.parameters}
    assert kind == "source" or not entry.since_until


def test_windows_are_given_to_strategies_that_can_be_asked_for_a_span() -> None:
    for name, target in REGISTRIES["source"].items():
        windows = getattr(sys.modules[find("source", name, NOWHERE).__module__], "WINDOW_DAYS", {})
        assert windows.keys() <= REGISTRIES["source"].keys(), target
        assert name not in windows or documented_entry("source", name).since_until


@each
def test_what_uses_the_network_has_a_test_of_bad_servers(kind: Kind, name: str) -> None:
    if documented_entry(kind, name).network:
        assert fault_tests(kind, name), "name it in a test of tests/sources or tests/handlers that uses tests.faults"


def fault_tests(kind: Kind, name: str) -> list[str]:
    """The files of tests in which it meets bad servers: those that have faults and name it, or its function."""
    folder = TESTS / f"{kind}s"
    for start, place in OWN_FAULTS.items():
        if name.startswith(start):
            file, _, function = place.partition(":")
            return [file] if f"def {function}(" in (folder / file).read_text("utf-8") else []
    module, _, function = REGISTRIES[kind][name].partition(":")
    words = {name, f"{module}:{function}"}
    return [file.name for file in sorted(folder.glob("test_*.py")) if words & named_in(file)]


@cache
def named_in(file: Path) -> set[str]:
    """All texts of a file that has faults, and `module:function` for all that it imports, or takes of a module."""
    text = file.read_text("utf-8")
    if not FAULTS.search(text):
        return set()
    parts = list(ast.walk(ast.parse(text)))
    found = {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    imported = [(part.module, one.name) for part in parts if isinstance(part, ast.ImportFrom) for one in part.names]
    attributes = {part.attr for part in parts if isinstance(part, ast.Attribute)}
    found |= {f"{module}:{name}" for module, name in imported}
    return found | {f"{module}.{name}:{attribute}" for module, name in imported for attribute in attributes}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_names_are_in_order_and_a_module_holds_one_family(kind: Kind) -> None:
    registry = REGISTRIES[kind]
    assert list(registry) == sorted(registry)
    families: dict[str, set[str]] = {}
    for name, target in registry.items():
        if not name.isalpha():  # one word is a family of its own
            families.setdefault(target.partition(":")[0], set()).add(re.split(r"[._]", name)[0])
    assert [module for module, family in families.items() if len(family) > 1] == []


JOB = """\
discover: {strategy: mine.look, where: x}
stages: {fetch: {handler: mine.fetch}, load: {handler: web.page}, gone: {handler: gone.away}, bad: {handler: bad.it}}
"""
MINE = '''\
"""Mine."""
raise SystemExit("it must not run")
NETWORK = False
SECRETS = ("my_key",)
DEFAULT = ["a"]
def look(look, *, where: str, tags: list[str] = DEFAULT, since=None, until=None):
    """Looks. At length.

    where: there.
    """
async def fetch(item, ctx, *, how=print):
    pass
'''


def test_functions_of_jobs_d_are_listed_and_none_of_their_code_runs(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    (tmp_path / "broken.yaml").write_text("stages: [")
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "bad.py").write_text("def it(:")
    assert names_of("source", tmp_path)[-1] == "mine.look"
    assert names_of("handler", tmp_path)[-2:] == ["bad.it", "mine.fetch"], "what is installed elsewhere is left out"
    look, fetch = entry_of("source", "mine.look", tmp_path), entry_of("handler", "mine.fetch", tmp_path)
    assert (look.summary, look.since_until, look.network, look.secrets) == ("Looks.", True, False, ["my_key"])
    assert look.as_json()["parameters"][:2] == [
        {"name": "where", "type": "text", "required": True, "default": None, "doc": "there."},
        {"name": "tags", "type": "list of text", "required": False, "default": ["a"], "doc": ""},
    ]
    assert (fetch.summary, fetch.parameters[0].type, fetch.parameters[0].default) == ("", "anything", "print")
    assert entry_of("handler", "bad.it", tmp_path).parameters == []
    assert list(briefs("source", tmp_path))[-1].given == ["where", "[tags]", "[since]", "[until]"]
    with pytest.raises(KeyError):
        entry_of("handler", "gone.away", tmp_path)


def test_the_extras_are_those_that_the_function_can_load() -> None:
    assert entry_of("handler", "http.json", NOWHERE).extras == ["feeds"]
    assert entry_of("handler", "http.download", NOWHERE).extras == [], "of the same module"
    assert entry_of("handler", "web.article", NOWHERE).extras == ["articles", "feeds"]
    assert "youtube" in entry_of("source", "youtube_channel", NOWHERE).extras
