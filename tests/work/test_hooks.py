"""Hooks hear of each group once, and can harm nothing."""

from __future__ import annotations

import base64
import errno
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from rivus import secrets, talk
from rivus.model.times import epoch
from rivus.spool import atomic
from rivus.spool.layout import Spool
from rivus.work import hooks
from rivus.work.hooks import AGAIN, drain, fire, rearm
from tests.limits.people import Person
from tests.spool.crash import fresh_spool

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "jobs.d" / "hooks.d"
FAILURE: dict[str, Any] = {"job": "dml", "stage": "fetch", "key": "v1", "class": "unknown", "reason": "no", "count": 1}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Path]:
    """A jobs.d with an empty hooks.d; what hooks append to `heard` is in tmp_path."""
    (tmp_path / "jobs.d" / "hooks.d").mkdir(parents=True)
    hooks._say_once.cache_clear()
    yield tmp_path / "jobs.d"
    drain(20)


def hook(jobs: Path, name: str, script: str, mode: int = 0o755) -> Path:
    path = jobs / "hooks.d" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path


def heard(jobs: Path) -> list[str]:
    """The lines that hooks have left, once all have ended."""
    drain(20)
    file = jobs.parent / "heard"
    return file.read_text().splitlines() if file.exists() else []


def test_a_hook_gets_one_json_object_on_stdin(jobs: Path, spool: Spool) -> None:
    hook(jobs, "on-failed", "cat >> ../../heard")
    fire(jobs, spool, "failed", "f1", {**FAILURE, "reason": "naïve \n" * 1000})
    (line,) = heard(jobs)
    told = json.loads(line)
    assert told.pop("host") == os.uname().nodename
    assert abs(time.time() - epoch(told.pop("t"))) < 60
    assert len(told["reason"]) == 1000
    assert told == {**FAILURE, "event": "failed", "reason": told["reason"]}


def test_a_group_is_told_of_once(jobs: Path, spool: Spool) -> None:
    hook(jobs, "on-failed", "echo failed >> ../../heard")
    hook(jobs, "on-held", "echo held >> ../../heard")
    for _ in range(3):
        fire(jobs, spool, "failed", "f1", FAILURE)
    assert heard(jobs) == ["failed"]
    fire(jobs, spool, "failed", "../f2", FAILURE)
    fire(jobs, spool, "held", "f1", FAILURE)
    assert heard(jobs) == ["failed", "failed", "held"]


def test_of_many_processes_one_tells(jobs: Path, spool: Spool) -> None:
    hook(jobs, "on-paused", "echo paused >> ../../heard")
    script = """
import sys; from pathlib import Path; from rivus.work.hooks import drain, fire; from rivus.spool.layout import Spool
sys.stdin.readline()
fire(Path(sys.argv[1]), Spool(sys.argv[2], ""), "paused", "dml", {})
drain(20)
print("done", flush=True)
"""
    people = [Person(script, jobs, spool.root) for _ in range(6)]
    try:
        for person in people:
            person.say()
        assert [person.hear() for person in people] == ["done"] * 6
    finally:
        for person in people:
            person.__exit__()
    assert heard(jobs) == ["paused"]


def test_after_a_day_or_when_it_is_armed_again_a_group_is_news(jobs: Path, spool: Spool) -> None:
    hook(jobs, "on-parked", "echo parked >> ../../heard")
    fire(jobs, spool, "parked", "youtube", {})
    fire(jobs, spool, "parked", "web", {})
    rearm(spool, "parked", "youtube")
    rearm(spool, "parked", "never")
    fire(jobs, spool, "parked", "youtube", {})
    assert heard(jobs) == ["parked"] * 3
    stamps = [path for path in (Path(spool.root) / "_hooks").iterdir() if not path.name.startswith(".")]
    assert sorted(path.read_text() for path in stamps) == ["parked web\n", "parked youtube\n"]
    for path in stamps:
        os.utime(path, (time.time() - AGAIN - 1,) * 2)
    fire(jobs, spool, "parked", "web", {})
    assert heard(jobs) == ["parked"] * 4
    (left,) = (path for path in (Path(spool.root) / "_hooks").iterdir() if not path.name.startswith("."))
    assert left.read_text() == "parked web\n"


def test_all_hooks_of_an_event_run_in_order_and_what_is_off_does_not(jobs: Path, spool: Spool) -> None:
    for name in ("on-done.b", "on-done.a.sh", "on-done", "on-donee", "on-done.c.example", ".on-done", "on-done.d~"):
        hook(jobs, name, f"echo {name} >> ../../heard")
    hook(jobs, "on-done.e", "echo e >> ../../heard", 0o644)
    (jobs / "hooks.d" / "on-done.f").mkdir()
    (jobs / "hooks.d" / "on-done.g").symlink_to("nowhere")
    (jobs / "hooks.d" / "on-done.h").symlink_to("on-done.b")
    fire(jobs, spool, "done", "today", {})
    assert heard(jobs) == ["on-done", "on-done.a.sh", "on-done.b", "on-done.b"]


def test_without_hooks_nothing_is_made(tmp_path: Path, jobs: Path, spool: Spool) -> None:
    fire(jobs, spool, "failed", "f1", FAILURE)
    fire(tmp_path / "none", spool, "failed", "f1", FAILURE)
    assert not (Path(spool.root) / "_hooks").exists()
    hook(jobs, "on-failed", "echo now >> ../../heard")
    fire(jobs, spool, "failed", "f1", FAILURE)
    assert heard(jobs) == ["now"]


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_hook_that_others_may_write_to_is_refused_once_and_aloud(
    mode: int, jobs: Path, spool: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = hook(jobs, "on-failed", "echo never >> ../../heard", mode)
    for _ in range(3):
        fire(jobs, spool, "failed", "f1", FAILURE)
    assert heard(jobs) == []
    assert capsys.readouterr().err == f"{path}: not run, as others may write to it (chmod go-w)\n"
    path.chmod(0o755)
    fire(jobs, spool, "failed", "f1", FAILURE)
    assert heard(jobs) == ["never"]


def test_a_folder_that_anybody_may_write_to_has_no_hooks(
    jobs: Path, spool: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    hook(jobs, "on-failed", "echo never >> ../../heard")
    (jobs / "hooks.d").chmod(0o777)
    fire(jobs, spool, "failed", "f1", FAILURE)
    assert heard(jobs) == [] and "hooks.d: not run" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_hook_of_another_user_is_refused(jobs: Path, spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    os.chown(hook(jobs, "on-failed", "echo never >> ../../heard"), 65534, 65534)
    fire(jobs, spool, "failed", "f1", FAILURE)
    assert heard(jobs) == [] and "belongs to another user" in capsys.readouterr().err


def test_a_hook_that_fails_is_named_and_the_next_one_runs(
    jobs: Path, spool: Spool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = hook(jobs, "on-failed.1", "echo one; echo two >&2; exit 3")
    missing = hook(jobs, "on-failed.2", "")
    missing.write_text("#!/no/such/interpreter\n")
    hook(jobs, "on-failed.3", "echo good >> ../../heard; echo fine >&2")
    fire(jobs, spool, "failed", "f1", FAILURE)
    assert heard(jobs) == ["good"]
    assert capsys.readouterr().err == f"{bad}: ended with 3\n{missing}: ended with 78\n"
    monkeypatch.setattr(talk, "level", 1)
    fire(jobs, spool, "failed", "f2", FAILURE)
    heard(jobs)
    said = capsys.readouterr().err
    assert f"{bad}: two\n" in said and "cannot be started" in said and "on-failed.3: fine\n" in said
    assert "one" not in said


def test_a_hook_that_hangs_is_killed_with_its_children(
    jobs: Path, spool: Spool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "SECONDS", 1.0)
    pids = jobs.parent / "pids"
    path = hook(jobs, "on-failed.1", f"sleep 600 & echo $! $$ > {pids}; wait")
    hook(jobs, "on-failed.2", "echo next >> ../../heard")
    fire(jobs, spool, "failed", "f1", FAILURE)
    assert heard(jobs) == ["next"]
    assert f"a hook failed: {path} was killed after 1 s" in capsys.readouterr().err
    for pid in pids.read_text().split():
        status = Path(f"/proc/{pid}/status")
        assert not status.exists() or "State:\tZ" in status.read_text()


def test_hooks_run_one_at_a_time(jobs: Path, spool: Spool) -> None:
    for name in ("on-failed.1", "on-failed.2"):
        hook(jobs, name, "mkdir ../../busy || echo both >> ../../heard; sleep 0.05; rmdir ../../busy")
    for number in range(3):
        fire(jobs, spool, "failed", f"f{number}", FAILURE)
    assert heard(jobs) == []


def test_too_many_that_wait_are_left_out_aloud(
    jobs: Path, spool: Spool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "_WAITING", 2)
    gate = jobs.parent / "gate"
    hook(jobs, "on-failed", f"until [ -e {gate} ]; do sleep 0.01; done; echo ran >> ../../heard")
    for number in range(9):
        fire(jobs, spool, "failed", f"f{number}", FAILURE)
    gate.touch()
    assert 2 <= len(heard(jobs)) <= 4
    assert "on-failed: not run, as 2 hooks wait already" in capsys.readouterr().err


def test_the_end_of_the_process_does_not_wait_for_ever(
    jobs: Path, spool: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = jobs.parent / "gate"
    for name in ("on-failed.1", "on-failed.2"):
        hook(jobs, name, f"until [ -e {gate} ]; do sleep 0.01; done; echo ran >> ../../heard")
    fire(jobs, spool, "failed", "f1", FAILURE)
    drain(0.05)
    assert capsys.readouterr().err == "hooks that had no time to end: 2\n"
    gate.touch()
    assert heard(jobs) == ["ran"]


def test_a_process_that_does_not_drain_takes_its_hook_with_it(jobs: Path, spool: Spool) -> None:
    pid = jobs.parent / "pid"
    hook(jobs, "on-failed", f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600")
    script = f"""
import os, time; from pathlib import Path; from rivus.work.hooks import fire; from rivus.spool.layout import Spool
fire(Path({str(jobs)!r}), Spool({spool.root!r}, ""), "failed", "f1", {{}})
while not os.path.exists({str(pid)!r}): time.sleep(0.005)
"""
    with Person(script) as person:
        person.wait()
    status, end = Path(f"/proc/{pid.read_text().strip()}/status"), time.monotonic() + 10
    while status.exists() and "State:\tZ" not in status.read_text():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_hook_sees_a_clean_environment_and_no_secrets(
    jobs: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVUS_SECRET_WEB", 'hush "hush" Ä')
    assert secrets.get("web")
    hook(jobs, "on-failed", "env >> ../../heard; cat >> ../../heard")
    reason = "x" * 990 + ' hush "hush" Ä'
    fire(jobs, spool, "failed", 'hush "hush" Ä', {**FAILURE, "reason": reason, "more": ['hush "hush" Ä'], "at": jobs})
    lines = heard(jobs)
    whole = "\n".join(lines)
    assert "hush" not in whole and whole.count("[secret web]") == 1 and str(jobs) in whole
    variables = {line.partition("=")[0] for line in lines[:-1]}
    assert variables <= {"PATH", "HOME", "LANG", "TZ", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
    assert all("hush" not in path.read_text() for path in (Path(spool.root) / "_hooks").iterdir())


@pytest.mark.parametrize("call", ["mkdir", "create", "write"])
def test_on_a_full_disk_hooks_still_tell_once(
    call: str, jobs: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(made: str, *_: object) -> None:
        if made == call:
            raise OSError(errno.ENOSPC, "No space left on device")

    hook(jobs, "on-paused", "echo paused >> ../../heard")
    monkeypatch.setattr(atomic, "tap", full)
    for _ in range(3):
        fire(jobs, spool, "paused", "dml", {})
    assert heard(jobs) == ["paused"]
    assert capsys.readouterr().err.count("cannot be written: No space left on device") == 1


def test_what_a_hook_cannot_be_told_harms_nothing(jobs: Path, spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    hook(jobs, "on-failed", "cat >> ../../heard")
    loop: list[Any] = []
    loop.append(loop)
    fire(jobs, spool, "failed", "f1", {"reason": loop})
    assert heard(jobs) == [] and "hooks for failed: " in capsys.readouterr().err
    fire(jobs, spool, "failed", "\ud800", {"reason": "\ud800"})
    assert json.loads(heard(jobs)[0])["reason"] == "\ud800"


EXAMPLE_NAMES = sorted(path.name for path in EXAMPLES.glob("*.example"))


def test_the_examples_are_executable_and_off(spool: Spool) -> None:
    assert EXAMPLE_NAMES == ["on-failed.desktop.example", "on-failed.mail.example", "on-failed.webhook.example"]
    for name in EXAMPLE_NAMES:
        assert os.access(EXAMPLES / name, os.X_OK)
        subprocess.run(["sh", "-n", str(EXAMPLES / name)], check=True)
    fire(EXAMPLES.parent, spool, "failed", "f1", FAILURE)
    assert not (Path(spool.root) / "_hooks").exists()


def switched_on(jobs: Path, name: str, needs: str, monkeypatch: pytest.MonkeyPatch, stand_in: str = "") -> None:
    """The example NAME, copied into place, with `stand_in` for the program that it calls."""
    if shutil.which(needs) is None:
        pytest.skip(f"needs {needs}")
    path = jobs / "hooks.d" / f"on-failed.{name}"
    shutil.copy(EXAMPLES / f"on-failed.{name}.example", path)
    path.chmod(0o755)
    programs = jobs.parent / "programs"
    programs.mkdir()
    for program in ("notify-send", "sendmail") if stand_in else ():
        (programs / program).write_text(f"#!/bin/sh\n{stand_in}\n")
        (programs / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(jobs.parent))


HOSTILE = FAILURE | {"reason": "<b>$(touch pwned)\nBcc: x@y.z `id` 'q' \"é\"", "class": "unknown\nBcc: evil"}


def test_the_webhook_example_posts_the_object(jobs: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[str, str | None, bytes]] = []

    class Site(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, self.headers["Authorization"], body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    switched_on(jobs, "webhook", "curl", monkeypatch)
    with HTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        (jobs.parent / ".config" / "rivus").mkdir(parents=True)
        config = f'url = "http://127.0.0.1:{site.server_port}/topic"\nheader = "Authorization: Bearer s3cret"\n'
        (jobs.parent / ".config" / "rivus" / "webhook").write_text(config)
        fire(jobs, spool, "failed", "f1", HOSTILE)
        drain(20)
        site.shutdown()
    ((path, key, body),) = got
    assert (path, key) == ("/topic", "Bearer s3cret") and json.loads(body)["reason"] == HOSTILE["reason"]


def test_the_mail_example_sends_one_mail_whose_head_nobody_else_writes(
    jobs: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched_on(jobs, "mail", "jq", monkeypatch, 'echo "$@" >> ../../heard; cat >> ../../heard')
    fire(jobs, spool, "failed", "f1", HOSTILE)
    lines = heard(jobs)
    head, body = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert head[:3] == ["-t -oi", "To: root", "Subject: rivus: dml fetch failed unknownBcc evil"] and len(head) == 7
    assert json.loads(base64.b64decode("".join(body)))["reason"] == HOSTILE["reason"]


def test_the_desktop_example_shows_a_notice_without_markup(
    jobs: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched_on(jobs, "desktop", "jq", monkeypatch, 'printf "%s\\n" "$@" "$DBUS_SESSION_BUS_ADDRESS" >> ../../heard')
    fire(jobs, spool, "failed", "f1", HOSTILE)
    text = "\n".join(heard(jobs))
    assert "--\nrivus: dml fetch failed\nunknown\nBcc: evil: &lt;b&gt;$(touch pwned)" in text
    assert text.endswith(f"unix:path=/run/user/{os.geteuid()}/bus")
    assert not list(jobs.parent.rglob("pwned"))
