"""Why a unit of systemd has failed: what each result means, and that real failures are told as what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rivus.errors import BadInput
from rivus.tell.checkup.endings import EXITS, Ending, ending, ending_in, last_words, meaning, work_of
from tests.conftest import ROOT
from tests.systemd_box import Box

STAGE = "rivus-stage@dml:fetch.service"
JOBS = Path("/etc/rivus/jobs.d")


def means(result: str, status: str = "", unit: str = STAGE, user: bool = False) -> tuple[str, str, str]:
    found = meaning(Ending(unit, result, status, user=user), JOBS)
    assert "\n" not in found.what + found.mend and "{" not in found.mend.replace("${EDITOR:-vi}", "")
    return found.kind, found.what, found.mend


@pytest.mark.parametrize("code", EXITS)
def test_every_known_exit_code_has_its_sentence_and_its_command(code: int) -> None:
    kind, what, mend = means("exit-code", str(code))
    assert kind == EXITS[code][0]
    assert what == f"the unit {STAGE} has failed: {EXITS[code][1]} (exit code {code})"
    assert mend


@pytest.mark.parametrize(
    ("result", "status", "kind", "said", "mend"),
    [
        ("exit-code", "78", "configuration", "credential is broken", "rivus-check --jobs /etc/rivus/jobs.d"),
        ("exit-code", "203", "program", "cannot be executed", "rivus-units install"),
        ("exit-code", "238", "preparation", "exit code 238, see systemd.exec(5)", "journalctl"),
        ("exit-code", "7", "error", "exit code 7", "journalctl"),
        ("exit-code", "", "error", "exit code unknown", "journalctl"),
        ("oom-kill", "KILL", "memory", "more memory", "/etc/rivus/jobs.d/dml.yaml"),
        ("timeout", "TERM", "timeout", "longer than its unit allows", "journalctl"),
        ("signal", "KILL", "killed", "was killed (SIGKILL)", "journalctl"),
        ("core-dump", "SEGV", "killed", "crashed (SIGSEGV)", "journalctl"),
        ("core-dump", "SYS", "sandbox", "its sandbox forbids", f"systemctl edit {STAGE}"),
        ("trigger-limit-hit", "", "circle", "too often", f"systemctl restart --no-block {STAGE}"),
        ("unit-start-limit-hit", "", "circle", "too often", "systemctl restart"),
        ("of-the-future", "1", "unknown", "of-the-future", "journalctl"),
    ],
)
def test_a_result_is_told_in_words_with_what_mends_it(
    result: str, status: str, kind: str, said: str, mend: str
) -> None:
    found = means(result, status)
    assert found[0] == kind and said in found[1] and mend in found[2]


def test_a_users_own_unit_is_mended_without_root() -> None:
    for result, status in (("exit-code", "203"), ("trigger-limit-hit", ""), ("timeout", "")):
        mend = means(result, status, user=True)[2]
        assert "--user" in mend and "sudo" not in mend


def test_a_unit_without_a_job_that_needs_memory_shows_its_log() -> None:
    assert "journalctl -n 50 -u rivus-sweep.service" in means("oom-kill", unit="rivus-sweep.service")[2]


@pytest.mark.parametrize(
    "name",
    ["", "rivus-", "sshd.service", "rivus-a b.service", "rivus-../x", "rivus-$(id).service", "rivus-x\n.service",
     "--host=rivus-x.service", "rivus-x;y", "rivus-" + "x" * 241, "rivus-*", "rivus-é.service"],
)  # fmt: skip
def test_a_name_that_no_unit_of_ours_has_is_refused_before_anybody_is_asked(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rivus.tell.checkup.endings.managers", lambda: pytest.fail("asked"))
    with pytest.raises(BadInput, match="not the name of a unit of rivus") as refused:
        ending(name, {"MONITOR_UNIT": name, "MONITOR_SERVICE_RESULT": "exit-code"})
    assert "\n" not in str(refused.value)


def test_what_systemd_tells_about_another_unit_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"MONITOR_UNIT": STAGE, "MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": "78"}
    assert ending(STAGE, told) == Ending(STAGE, "exit-code", "78")
    monkeypatch.setattr("rivus.tell.checkup.endings.managers", lambda: ())
    with pytest.raises(BadInput, match="knows no such unit"):
        ending("rivus-sweep.service", told)


def test_a_path_unit_is_told_of_even_if_systemd_may_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    # For a failed path unit or timer there is no MONITOR_…, and without a message bus only root is answered.
    monkeypatch.setattr("rivus.tell.checkup.endings.managers", lambda: (False,))
    monkeypatch.setattr("rivus.tell.checkup.endings.states", lambda user, *wanted: [])
    end = ending("rivus-stage@dml:fetch.path", {})
    assert meaning(end, JOBS).what == "the unit rivus-stage@dml:fetch.path has failed: its log tells why"
    unknown = {"Id": "rivus-none.service", "LoadState": "not-found", "ActiveState": "inactive"}
    monkeypatch.setattr("rivus.tell.checkup.endings.states", lambda user, *wanted: [unknown])
    with pytest.raises(BadInput, match="knows no such unit"):
        ending("rivus-none.service", {})


def test_a_signal_is_called_by_its_name() -> None:
    state = {"Id": STAGE, "Result": "signal", "ExecMainCode": "2", "ExecMainStatus": "9"}
    assert ending_in(state, user=False).status == "KILL"
    assert ending_in({**state, "ExecMainCode": "1"}, user=False).status == "9"
    assert ending_in({**state, "ExecMainStatus": "999"}, user=False).status == "999"


def test_an_id_that_is_none_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivus.tell.checkup.endings._asked", lambda command: pytest.fail("asked"))
    assert last_words(Ending(STAGE, "signal", run="--vacuum-time=1s")) == []


@pytest.mark.parametrize(
    ("unit", "work"),
    [
        (STAGE, ("dml", "fetch")),
        ("rivus-discover@dml.timer", ("dml", "discover")),
        ("rivus-sweep.service", ("", "")),
        ("rivus-stage@../x:y.service", ("", "")),
    ],
)
def test_the_job_of_a_unit_is_in_its_name(unit: str, work: tuple[str, str]) -> None:
    assert work_of(unit) == work


FAILURE = f"""[Service]
Type=oneshot
Environment=RIVUS_PYTHON={ROOT}/.venv/bin/python
ExecStart={ROOT}/bin/rivus-doctor --jobs /srv/jobs.d --spool /srv/spool unit %i
"""
HOOK = "#!/bin/sh\ncat >>/srv/heard\n"
ARRIVED = "journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$$INVOCATION_ID | grep -q missing"
FAILING = {
    "configuration": f"ExecStart=/bin/sh -c 'echo the key is missing >&2; until {ARRIVED}; do :; done; exit 78'",
    "program": "ExecStart=/no/such/program",
    "account": "User=nobody-of-this-name\nExecStart=/bin/true",
    "sandbox": "ReadWritePaths=/no/such/folder\nProtectSystem=strict\nExecStart=/bin/true",
    "credentials": "LoadCredential=x:/no/such/file\nExecStart=/bin/true",
    "timeout": "TimeoutStartSec=200ms\nExecStart=/bin/sleep 60",
    "killed": "ExecStart=/bin/sh -c 'kill -9 $$$$'",
}


def test_each_real_failure_is_told_once_as_what_it_is_to_the_hooks_and_the_journal(box: Box) -> None:
    box.run("mkdir", "-p", "/srv/jobs.d", "/srv/spool")
    box.write("/srv/jobs.d/hooks.d/on-unit", HOOK, "755")
    box.write("/etc/systemd/system/rivus-failure@.service", FAILURE)
    for kind, lines in FAILING.items():
        unit = f"[Unit]\nOnFailure=rivus-failure@%n.service\n[Service]\nType=oneshot\n{lines}\n"
        box.write(f"/etc/systemd/system/rivus-{kind}.service", unit)
    box.run("systemctl", "daemon-reload")
    for _ in range(2):
        for kind in FAILING:
            box.run("systemctl", "start", f"rivus-{kind}.service", check=False)
        box.wait_for(lambda: not box.run("systemctl", "list-jobs", "--no-legend").stdout, "the doctor")
    heard = [json.loads(line) for line in box.read("/srv/heard").splitlines()]
    assert {(each["unit"], each["class"]) for each in heard} == {(f"rivus-{kind}.service", kind) for kind in FAILING}
    assert len(heard) == len(FAILING), "the second time is not news"
    assert next(each for each in heard if each["class"] == "configuration")["said"] == "the key is missing"
    [day] = box.names("/srv/spool/_journal")
    lines = [json.loads(line) for line in box.read(f"/srv/spool/_journal/{day}").splitlines()]
    assert sorted(line["class"] for line in lines) == sorted([*FAILING] * 2)
    assert {line["move"] for line in lines} == {"unit"}
    doctor = [f"{ROOT}/.venv/bin/python", "-m", "rivus.commands", "rivus-doctor", "--jobs", "/srv/jobs.d"]
    env = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    told = box.run(*doctor, "--spool", "/srv/spool", "--json", check=False, env=env).stdout
    findings = {json.loads(line)["what"] for line in told.splitlines()}
    assert {each["reason"] for each in heard} <= findings, "the check-up says the same"
