"""The service manager: the only place that calls systemctl(1) and systemd-analyze(1). Each call is bounded in time;
names of units come from `render` and from our own files, never from data."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

from rivus.errors import BadConfig, RivusError, Unavailable

SECONDS = 60
NO_SYSTEMD = "there is no systemd here that could run units; `rivus-units cron` prints a crontab that does the same"


@dataclass(frozen=True)
class Manager:
    """The manager of the system, or of this user. Every call raises RivusError with what systemd said."""

    user: bool

    def reload(self) -> None:
        """Makes it read all unit files again; what runs goes on."""
        self._call("daemon-reload")

    def enable(self, units: Collection[str]) -> None:
        """They start at the next boot (or log-in). Takes effect with `reload`."""
        self._each("enable", units, "--no-reload", "--quiet")

    def disable(self, units: Collection[str]) -> None:
        self._each("disable", units, "--no-reload", "--quiet")

    def start(self, units: Collection[str]) -> None:
        self._each("start", units)

    def stop(self, units: Collection[str]) -> None:
        self._each("stop", units)

    def restart(self, units: Collection[str]) -> None:
        """Those that are active."""
        self._each("try-restart", units)

    def forget(self, units: Collection[str]) -> None:
        """Their failures; one that is not known has none."""
        with suppress(RivusError):
            self._each("reset-failed", units)

    def show(self, units: Collection[str], properties: Sequence[str]) -> dict[str, dict[str, str]]:
        """unit -> property -> value; times as `@seconds`. A unit that is not loaded has `LoadState=not-found`."""
        if not units:
            return {}
        text = self._call("show", "--timestamp=unix", f"--property=Id,{','.join(properties)}", "--", *sorted(units))
        blocks = (dict(line.split("=", 1) for line in block.splitlines()) for block in text.split("\n\n"))
        return {block["Id"]: block for block in blocks if "Id" in block}

    def timers(self) -> dict[str, Mapping[str, Any]]:
        """Timers of ours -> `next` and `last`, in microseconds since the epoch; None for never."""
        rows = json.loads(self._call("list-timers", "--all", "--output=json", "rivus-*") or "[]")
        return {row["unit"]: row for row in rows}

    def _each(self, verb: str, units: Collection[str], *options: str) -> None:
        if units:
            self._call(verb, *options, "--", *sorted(units))

    def _call(self, verb: str, *arguments: str) -> str:
        command = ["systemctl", "--user" if self.user else "--system", "--no-pager", "--no-ask-password", verb]
        code, out, err = _run([*command, *arguments], _environment(self.user))
        if code:
            raise RivusError(f"systemctl {verb}: {err.strip().splitlines()[-1] if err.strip() else f'status {code}'}")
        return out


def manager(user: bool) -> Manager:
    """The service manager of this machine, or of this user. Raises Unavailable: there is none (sd_booted(3))."""
    booted = os.path.isdir("/run/systemd/system") and which("systemctl")
    if not booted:
        raise Unavailable(NO_SYSTEMD)
    if user and not os.path.exists(f"{_runtime()}/systemd/private"):
        raise Unavailable("systemd runs nothing for this user now: log in, or `loginctl enable-linger`; "
                          "`rivus-units cron` prints a crontab that does the same")  # fmt: skip
    return Manager(user)


def calendar_fault(expression: str) -> str:
    """What systemd says against a calendar expression (systemd.time(7)); "" if nothing. Raises Unavailable."""
    code, _, err = _analyze("calendar", "--", expression)
    return (err.strip().splitlines() or ["not a calendar expression"])[0] if code else ""


def verify(files: Sequence[Path], user: bool) -> list[str]:
    """What `systemd-analyze verify` says against unit files, a line each. Raises Unavailable, BadConfig."""
    mode = "--user" if user else "--system"
    code, _, err = _analyze("verify", mode, "--man=no", "--recursive-errors=no", "--", *map(str, files))
    lines = list(dict.fromkeys(line.strip() for line in err.splitlines() if "rivus" in line))
    if code and not lines:
        raise BadConfig(f"systemd-analyze verify: {err.strip() or f'status {code}'}")
    return lines


def _analyze(*arguments: str) -> tuple[int, str, str]:
    if which("systemd-analyze") is None:
        raise Unavailable(NO_SYSTEMD)
    return _run(["systemd-analyze", *arguments], dict(os.environ))


def _run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    import subprocess

    try:
        done = subprocess.run(
            command, env=dict(environment) | {"LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL, capture_output=True,
            encoding="utf-8", errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RivusError(f"{command[0]} cannot be used: {error}") from None
    return done.returncode, done.stdout, done.stderr


def _environment(user: bool) -> dict[str, str]:
    """A shell that `su` or cron made does not name the folder in which a user's manager listens."""
    return {**os.environ, "XDG_RUNTIME_DIR": _runtime()} if user else dict(os.environ)


def _runtime() -> str:
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
