"""What a unit needs is read off the modules and the job, and no code of a job runs for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rivus.config import Job, load_job
from rivus.config.doctor import read_doctor
from rivus.handlers import REGISTRY as HANDLERS
from rivus.sources import REGISTRY as SOURCES
from rivus.units.needs import Needs, discover_needs, doctor_needs, has_hooks, stage_needs

OFFLINE = {
    "captions.text", "dedupe.near", "merge.best", "score.keywords", "score.rules", "store.csv", "store.jsonl",
    "store.sqlite",
}  # fmt: skip
LOCAL = {"dates", "files", "items", "list", "rows"}
WORK = "stages: {fetch: {handler: own.work}}\n"


def job(folder: Path, yaml: str, module: str | None = None) -> Job:
    (folder / "j.yaml").write_text(yaml)
    if module is not None:
        (folder / "own.py").write_text(module)
    return load_job(folder, "j")


def fetch(folder: Path, yaml: str = WORK, module: str | None = None) -> Needs:
    found = job(folder, yaml, module)
    return stage_needs(found, found.stages["fetch"])


def test_a_handler_that_says_nothing_may_use_the_network_and_no_more(tmp_path: Path) -> None:
    assert fetch(tmp_path, module="def work(item, ctx): ...\n") == Needs(network=True)


def test_a_handler_that_says_so_gets_no_network(tmp_path: Path) -> None:
    assert fetch(tmp_path, module="NETWORK = False\n") == Needs(network=False)


def test_a_module_names_its_secrets_and_its_javascript(tmp_path: Path) -> None:
    found = fetch(tmp_path, module='JAVASCRIPT = True\nSECRETS = ("token_b", "token_a")\n')
    assert found == Needs(javascript=True, secrets=("token_a", "token_b"))


def test_no_code_of_a_module_runs(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    fetch(tmp_path, module=f"NETWORK = False\nopen({str(mark)!r}, 'w')\n")
    assert not mark.exists()


@pytest.mark.parametrize(
    "module",
    ["NETWORK = (", "NETWORK = False\n\x00", "NETWORK = not True", "NETWORK = 0", "NETWORK = 'no'",
     "NETWORK, x = False, 1", "def f():\n NETWORK = False", "(" * 5000 + "\nNETWORK = False",
     "#" * (1 << 20) + "\nNETWORK = False\n",
     'SECRETS = ("a=b",)', 'SECRETS = ("../x",)', 'SECRETS = ("a\\nb",)', "SECRETS = (1,)", "SECRETS = 'token'",
     "NETWORK = " + "-" * 100_000 + "1"],
    ids=range(15),
)  # fmt: skip
def test_a_module_that_cannot_be_read_or_says_nonsense_says_nothing(tmp_path: Path, module: str) -> None:
    assert fetch(tmp_path, module=module) == Needs()


def test_a_module_that_is_no_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "own.py").mkdir()
    assert fetch(tmp_path) == Needs()


def test_a_module_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "own.py")
    assert fetch(tmp_path) == Needs()


def test_a_handler_outside_of_jobs_d_is_not_looked_for(tmp_path: Path) -> None:
    assert fetch(tmp_path, "stages: {fetch: {handler: package.module.work}}") == Needs()


def test_a_command_may_use_the_network(tmp_path: Path) -> None:
    assert fetch(tmp_path, "stages: {fetch: {command: [cat]}}") == Needs()


def test_the_job_has_the_last_word(tmp_path: Path) -> None:
    sandbox = "{network: true, javascript: false, read: [/srv], write: [/out]}"
    yaml = f"stages: {{fetch: {{handler: own.work, sandbox: {sandbox}}}}}"
    found = fetch(tmp_path, yaml, "NETWORK = False\nJAVASCRIPT = True\n")
    assert found == Needs(network=True, javascript=False, read=("/srv",), write=("/out",))


def test_secrets_and_hosts_of_the_job_are_those_of_all_its_units(tmp_path: Path) -> None:
    yaml = "secrets: [more]\nallow_private_hosts: [10.0.0.1]\ndiscover: {strategy: finnhub_calendar}\n" + WORK
    found = job(tmp_path, yaml, "NETWORK = False\n")
    assert discover_needs(found) == Needs(secrets=("finnhub_token", "more"), hosts=("10.0.0.1",))
    assert stage_needs(found, found.stages["fetch"]) == Needs(network=False, secrets=("more",), hosts=("10.0.0.1",))


@pytest.mark.parametrize("strategy", SOURCES)
def test_of_our_sources_those_that_look_outside_use_the_network(tmp_path: Path, strategy: str) -> None:
    found = discover_needs(job(tmp_path, f"discover: {{strategy: {strategy}}}\n{WORK}"))
    assert found.network is (strategy not in LOCAL) and not found.javascript


@pytest.mark.parametrize("handler", HANDLERS)
def test_of_our_handlers_those_that_fetch_use_the_network(tmp_path: Path, handler: str) -> None:
    found = fetch(tmp_path, f"stages: {{fetch: {{handler: {handler}}}}}")
    assert found.network is (handler not in OFFLINE)
    assert found.javascript is handler.startswith("youtube.")


def test_the_doctor_talks_only_to_the_model_that_it_may_ask(tmp_path: Path) -> None:
    assert doctor_needs(read_doctor(tmp_path)[0]) == Needs(network=False)
    llm = "llm: {base_url: 'http://127.0.0.1:1/v1', model: m, key: llm_key, allow_private_hosts: [127.0.0.1]}\n"
    (tmp_path / "doctor.yaml").write_text(llm)
    assert doctor_needs(read_doctor(tmp_path)[0]) == Needs(secrets=("llm_key",), hosts=("127.0.0.1",))


def test_only_a_hook_that_is_switched_on_counts(tmp_path: Path) -> None:
    assert not has_hooks(tmp_path)
    (tmp_path / "hooks.d").mkdir()
    for name, mode in (("on-failed.example", 0o755), ("on-failed", 0o644), ("README.md", 0o755)):
        (tmp_path / "hooks.d" / name).touch(mode)
    assert not has_hooks(tmp_path)
    (tmp_path / "hooks.d" / "on-failed").chmod(0o755)
    assert has_hooks(tmp_path)
