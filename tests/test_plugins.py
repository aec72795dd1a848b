"""The function behind a name, and what YAML can give it."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import pytest

import rivus.handlers
import rivus.sources
from rivus.config import Seconds
from rivus.errors import BadConfig
from rivus.plugins import Param, bind, find, parameters
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    """What a test loads from its own jobs.d is forgotten after it."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


HANDLER = "def fetch(item, ctx):\n    return {'from': __file__}\n"


def test_every_name_of_our_own_is_found_and_its_parameters_can_be_read(tmp_path: Path) -> None:
    for name in rivus.sources.REGISTRY:
        parameters(find("source", name, tmp_path))
    for name in rivus.handlers.REGISTRY:
        parameters(find("handler", name, tmp_path))


def test_finding_a_handler_imports_no_source(tmp_path: Path) -> None:
    write(tmp_path, my=HANDLER)
    code = (
        "import sys; from pathlib import Path; from rivus.plugins import find\n"
        "find('handler', 'my.fetch', Path(sys.argv[1]))\n"
        "print([name for name in sys.modules if name.startswith(('rivus.sources', 'rivus.handlers.'))])\n"
        "print({'requests', 'click', 'asyncio', 'subprocess', 'yt_dlp'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\nset()\n"


def test_a_function_in_a_file_of_the_jobs_folder_is_found(tmp_path: Path) -> None:
    fetch = find("handler", "my.fetch", write(tmp_path, my=HANDLER))
    assert fetch({}, None) == {"from": str(tmp_path / "my.py")}
    assert find("handler", "my.fetch", tmp_path) is fetch


def test_two_folders_with_files_of_one_name_do_not_mix(tmp_path: Path) -> None:
    for name in ("a.b", "a_b"):
        (tmp_path / name).mkdir()
        fetch = find("handler", "my.fetch", write(tmp_path / name, my=HANDLER))
        assert fetch({}, None) == {"from": str(tmp_path / name / "my.py")}


def test_a_file_of_the_jobs_folder_never_stands_in_for_pythons_own_module(tmp_path: Path) -> None:
    write(tmp_path, json="raise SystemExit('wrong one')\n", rivus="raise SystemExit('wrong one')\n")
    assert find("handler", "json.dumps", tmp_path) is json.dumps
    with pytest.raises(BadConfig, match="unknown handler 'rivus"):
        find("handler", "rivus.fetch", tmp_path)


def test_a_file_named_like_an_installed_package_is_used_by_jobs_only(tmp_path: Path) -> None:
    write(tmp_path, yaml=HANDLER)
    assert find("handler", "yaml.fetch", tmp_path)({}, None) == {"from": str(tmp_path / "yaml.py")}
    import yaml

    assert yaml.__file__ != str(tmp_path / "yaml.py")


def test_files_of_the_jobs_folder_import_each_other(tmp_path: Path) -> None:
    write(tmp_path, my="from my_other import fetch\n", my_other=HANDLER)
    assert find("handler", "my.fetch", tmp_path)({}, None) == {"from": str(tmp_path / "my_other.py")}
    assert sys.path[-1] == str(tmp_path)


def test_a_package_in_the_jobs_folder_and_an_installed_one_are_found(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    write(tmp_path / "team", web=HANDLER)
    assert find("handler", "team.web.fetch", tmp_path)({}, None) == {
        "from": str(tmp_path / "team" / "web.py")
    }
    import msgspec.json

    assert find("handler", "msgspec.json.encode", tmp_path) is msgspec.json.encode


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my.fetsh", "unknown handler 'my.fetsh': no such function in .*my.py, did you mean 'my.fetch'?"),
        ("mi.fetch", "unknown handler 'mi.fetch', did you mean 'my.fetch'?"),
        ("my._hidden", "unknown handler 'my._hidden': no such function"),
        ("my.number", "unknown handler 'my.number': no such function"),
        ("my.fetch.deeper", "unknown handler 'my.fetch.deeper'"),
        ("qqq", "unknown handler 'qqq'"),
        ("", "unknown handler ''"),
        ("../my.fetch", "unknown handler '../my.fetch'"),
        (".my.fetch", "unknown handler '.my.fetch'"),
        ("my.fetch\n", "unknown handler "),
    ],
)
def test_an_unknown_name_is_reported(name: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, my=HANDLER + "def _hidden(): ...\nnumber = 5\n")
    with pytest.raises(BadConfig, match=message):
        find("handler", name, tmp_path)


def test_a_near_name_of_our_own_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rivus.sources.REGISTRY, "some_channel", "rivus.sources.some:channel")
    with pytest.raises(BadConfig, match="unknown source 'some_chanel', did you mean 'some_channel'"):
        find("source", "some_chanel", tmp_path)


def test_a_missing_module_of_our_own_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rivus.sources.REGISTRY, "some_channel", "rivus.sources.some:channel")
    with pytest.raises(
        BadConfig, match=r"some_channel: rivus\.sources\.some is missing from this installation"
    ):
        find("source", "some_channel", tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_thing\n", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("def (\n", "SyntaxError: "),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_module_that_fails_to_load_is_reported_with_its_reason(
    text: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "team").mkdir()
    write(tmp_path, my=text)
    write(tmp_path / "team", web=text)
    for name in ("my.fetch", "team.web.fetch"):
        with pytest.raises(BadConfig, match=f"{name}: its module fails to load: {reason}"):
            find("handler", name, tmp_path)


SLOW = """
import gate
gate.loads.append(1)
gate.begun.set()
assert gate.go.wait(20)

def fetch(item, ctx):
    return {"whole": True}
"""


def test_no_thread_sees_a_module_that_is_half_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = SimpleNamespace(loads=[], begun=threading.Event(), go=threading.Event())
    monkeypatch.setitem(sys.modules, "gate", gate)  # type: ignore[misc]
    write(tmp_path, slow=SLOW)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(find, "handler", "slow.fetch", tmp_path)
        assert gate.begun.wait(20)
        second = threads.submit(find, "handler", "slow.fetch", tmp_path)
        try:
            with pytest.raises(TimeoutError):
                second.result(timeout=0.1)
        finally:
            gate.go.set()
        assert first.result(20) is second.result(20)
    assert gate.loads == [1]


def test_a_file_that_was_mended_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(BadConfig):
        find("handler", "my.fetch", write(tmp_path, my="1 / 0"))
    assert find("handler", "my.fetch", write(tmp_path, my=HANDLER))({}, None)


def source(look: Unknown, *, channel: str, every: Seconds = 60.0, mode: Literal["a", "b"] = "a") -> None:  # type: ignore[name-defined]  # noqa: F821
    """A source with a type that only type checkers know."""


def test_keyword_only_parameters_are_those_of_yaml() -> None:
    assert parameters(source) == {
        "channel": Param("channel", str, True),
        "every": Param("every", Seconds, False, 60.0),
        "mode": Param("mode", Literal["a", "b"], False, "a"),
    }


def test_parameters_are_seen_through_a_decorator() -> None:
    @functools.wraps(source)
    def wrapped(*args: Any, **kwargs: Any) -> None: ...

    assert parameters(wrapped) == parameters(source)


def test_a_parameter_without_a_type_takes_anything() -> None:
    def handler(item, ctx, *, any_value=None):  # type: ignore[no-untyped-def]
        ...

    assert parameters(handler) == {"any_value": Param("any_value", Any, False, None)}


def test_a_type_that_cannot_be_read_is_reported() -> None:
    def handler(item: Any, ctx: Any, *, x: Unknown) -> None:  # type: ignore[name-defined]  # noqa: F821
        ...

    with pytest.raises(BadConfig, match="the type of one of its parameters cannot be read: name 'Unknown'"):
        parameters(handler)


def test_what_is_given_is_converted() -> None:
    assert bind(source, {"channel": "UC1", "every": "5min"}) == ({"channel": "UC1", "every": 300.0}, [])


def test_the_type_of_a_duration_can_be_written_out() -> None:
    def handler(item: Any, ctx: Any, *, wait: Annotated[float, "seconds"], plain: float = 1.0) -> None: ...

    assert bind(handler, {"wait": "2min", "plain": 2}) == ({"wait": 120.0, "plain": 2.0}, [])
    assert bind(handler, {"wait": "2min", "plain": "2min"})[1] == [
        (("plain",), "expected a number, got text")
    ]


def test_all_that_does_not_fit_is_reported() -> None:
    _, found = bind(source, {"chanel": "UC1", "every": 5, "mode": "c"})
    assert found == [
        (("chanel",), "unknown parameter, did you mean 'channel'?"),
        (("every",), "expected text such as 90s, 5min or 1h, got a number"),
        (("mode",), "'c' is not one of 'a', 'b'"),
        ((), "missing parameter 'channel'"),
    ]


def test_a_handler_without_keyword_only_parameters_reads_its_context() -> None:
    def handler(item: Any, ctx: Any) -> None: ...

    assert bind(handler, {"anything": 1}) == ({}, [])
    assert bind(len, {"anything": 1}) == ({}, [])


def test_a_source_without_parameters_accepts_none() -> None:
    def without(look: Any) -> None: ...

    assert bind(without, {"channel": 1}, "source")[1] == [(("channel",), "unknown parameter")]


def test_open_parameters_accept_anything() -> None:
    def handler(item: Any, ctx: Any, *, top: int, **rest: Any) -> None: ...

    assert bind(handler, {"top": 1, "other": [2]}) == ({"top": 1, "other": [2]}, [])
    assert bind(handler, {"top": "x"})[1] == [(("top",), "expected a whole number, got text")]
