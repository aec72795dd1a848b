"""What became of a unit of systemd, in words: what its result means, and what mends it.

Results are what `systemctl show` calls `Result`; exit codes from 200 on are those of systemd.exec(5), "Process Exit
Codes"; below, they are rivus's own. All that systemd is asked is bounded in time, and no answer is an empty one.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rivus.errors import BadInput, RivusError
from rivus.tell.checkup.finding import edit, one_line, word

SECONDS = 2.0
LINES = 5
FIELDS = ("LoadState", "ActiveState", "Result", "ExecMainCode", "ExecMainStatus", "InvocationID", "ExecStart")
RESTART = "{systemctl} restart --no-block {unit}"
_NAME = re.compile(r"rivus-[A-Za-z0-9:_.@-]{1,240}")
_WORK = re.compile(r"rivus-(discover|stage)@([a-z][a-z0-9_]*)(?::([a-z][a-z0-9_]*))?\.[a-z]+")
_KILLED = ("2", "3")
"""CLD_KILLED and CLD_DUMPED of waitpid(2), which is what ExecMainCode holds."""

LOG = "{journalctl}"
CHECK = "rivus-check --jobs {jobs} && " + RESTART
INSTALL = "{install}"
EXITS: Mapping[int, tuple[str, str, str]] = {
    1: ("error", "something failed, and its last line says what", LOG),
    2: ("usage", "its command line is not that of the rivus which is installed", INSTALL),
    65: ("input", "it was given something that is not an item", LOG),
    69: ("unavailable", "a source could not be used; its next start asks again", LOG),
    75: ("not_now", "what it needs was busy or resting; its next start tries again", LOG),
    78: ("configuration", "the configuration, the state of a limit or a credential is broken", CHECK),
    200: ("sandbox", "the folder that it works in is not there", INSTALL),
    203: ("program", "its program is not there or cannot be executed", INSTALL),
    216: ("account", "the group that it runs as does not exist", "{sudo}systemd-sysusers && " + RESTART),
    217: ("account", "the account that it runs as does not exist", "{sudo}systemd-sysusers && " + RESTART),
    226: ("sandbox", "its sandbox cannot be made: a folder it names is missing, or this machine forbids it", INSTALL),
    228: ("sandbox", "this machine cannot filter system calls as its sandbox asks", LOG),
    243: ("credentials", "a credential cannot be loaded", "{sudo}ls -l /etc/rivus/credentials"),
}
"""Of an exit code: its kind, what it means, what mends it."""
SIGNALS: Mapping[str, tuple[str, str, str]] = {
    "SYS": ("sandbox", "it made a system call that its sandbox forbids", "{systemctl} edit {unit}"),
    "XCPU": ("processor", "it used more processor time than it may", LOG),
}
RESULTS: Mapping[str, tuple[str, str, str]] = {
    "timeout": ("timeout", "it took longer than its unit allows and was ended; what it held is run again", LOG),
    "oom-kill": ("memory", "it needed more memory than it may have, or the machine had none left", "{memory}"),
    "watchdog": ("watchdog", "it gave no sign of life", LOG),
    "resources": ("resources", "systemd could not start it: a resource or a file is missing, or a port is taken", LOG),
    "protocol": ("protocol", "it did not do what its unit says", LOG),
    "start-limit-hit": ("circle", "it was started too often in a short time, so systemd starts it no more", RESTART),
}
ALSO = {"unit-start-limit-hit": "start-limit-hit", "trigger-limit-hit": "start-limit-hit"}
"""What a path unit or a timer calls it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a unit ended. result: "success" if it has not failed. status: its exit code, or its signal without SIG, or
    "". run: the id of the invocation, or "". user: it belongs to a user's own service manager."""

    unit: str
    result: str
    status: str = ""
    run: str = ""
    user: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """kind: one word, the same for the same cause. what: a sentence. mend: a command for bash."""

    kind: str
    what: str
    mend: str


def ending(unit: str, environment: Mapping[str, str]) -> Ending:
    """How the unit of that name ended: from the `MONITOR_*` that systemd gives to what it starts for a service that
    failed (systemd.exec(5)), else from systemctl; without a result if that may not be asked. Raises BadInput for a name
    that is not one of ours, or of no unit."""
    if not _NAME.fullmatch(unit):
        raise BadInput(f"{one_line(unit, 80)!r} is not the name of a unit of rivus")
    if environment.get("MONITOR_UNIT") == unit and "MONITOR_SERVICE_RESULT" in environment:
        names = ("SERVICE_RESULT", "EXIT_STATUS", "INVOCATION_ID")
        result, status, run = (one_line(environment.get(f"MONITOR_{name}", ""), 40) for name in names)
        return Ending(unit, result, status, run, "MANAGERPID" in environment)
    asked = managers()
    answers = [(state, user) for user in asked for state in states(user, unit)]
    for state, user in answers:
        if state.get("LoadState") == "loaded":
            return ending_in(state, user)
    if answers or not asked:
        raise BadInput(f"{unit}: systemd knows no such unit")
    return Ending(unit, "")


def ending_in(state: Mapping[str, str], user: bool) -> Ending:
    """How a unit ended whose properties are these. user: see `Ending`."""
    status = state.get("ExecMainStatus", "")
    if state.get("ExecMainCode") in _KILLED:
        status = signal_name(status)
    return Ending(state["Id"], state.get("Result", ""), status, state.get("InvocationID", ""), user)


def signal_name(number: str) -> str:
    try:
        return signal.Signals(int(number)).name.removeprefix("SIG")
    except ValueError:
        return number


def meaning(end: Ending, jobs: Path) -> Meaning:
    """What an ending means, and what mends it. jobs: jobs.d."""
    kind, text, mend = _known(end)
    unit, flag = word(end.unit), " --user" if end.user else ""
    job = work_of(end.unit)[0]
    sudo = "" if end.user or os.geteuid() == 0 else "sudo "
    log = f"{sudo}journalctl{flag} -n 50 -u {unit}"
    values = {
        "unit": unit,
        "systemctl": f"{sudo}systemctl{flag}",
        "journalctl": log,
        "install": f"{sudo}rivus-units install{flag} && {sudo}systemctl{flag} reset-failed {unit}",
        "sudo": sudo,
        "jobs": word(str(jobs)),
        "memory": f"{edit(str(jobs / f'{job}.yaml'))}  # memory:" if job else log,
    }
    return Meaning(kind, f"the unit {one_line(end.unit)} has failed: {text}", mend.format(**values))


def _known(end: Ending) -> tuple[str, str, str]:
    if end.result in ("signal", "core-dump"):
        died = "crashed" if end.result == "core-dump" else "was killed"
        return SIGNALS.get(end.status) or ("killed", f"it {died} (SIG{end.status}); what it held is run again", LOG)
    if end.result == "exit-code":
        return _exit(end.status)
    if known := RESULTS.get(ALSO.get(end.result, end.result)):
        return known
    return "unknown", f"systemd calls its result {end.result}" if end.result else "its log tells why", LOG


def _exit(status: str) -> tuple[str, str, str]:
    number = int(status) if status.isascii() and status.isdigit() else -1
    if known := EXITS.get(number):
        return known[0], f"{known[1]} (exit code {number})", known[2]
    if number >= 200:
        return "preparation", f"systemd could not prepare its start (exit code {number}, see systemd.exec(5))", LOG
    return "error", f"it ended with exit code {status or 'unknown'}", LOG


def work_of(unit: str) -> tuple[str, str]:
    """The job and the stage that a unit works for, "" for those it has not."""
    found = _WORK.fullmatch(unit)
    return (found[2], found[3] or ("discover" if found[1] == "discover" else "")) if found else ("", "")


def last_words(end: Ending) -> list[str]:
    """The last lines that the unit itself has said in this run; none if the journal cannot be read, or did not yet
    know of a process that has ended at once."""
    if not re.fullmatch(r"[0-9a-f]{32}", end.run):
        return []
    command = ["journalctl", "--no-pager", "--quiet", "--output=cat", f"--lines={LINES}"]
    said = _asked([*command, f"_SYSTEMD_INVOCATION_ID={end.run}"])
    return [one_line(line, 300) for line in said.splitlines() if line.strip()][-LINES:]


def managers() -> Sequence[bool]:
    """The service managers that may have units of ours: the system's (False), and the user's own (True). None on a
    machine that systemd has not booted (sd_booted(3))."""
    if not os.path.isdir("/run/systemd/system"):
        return ()
    return (False,) if os.geteuid() == 0 else (False, True)


def states(user: bool, *wanted: str) -> list[dict[str, str]]:
    """The properties FIELDS of the units of these names, and of all in a manager's memory that fit a pattern; none
    where the manager cannot be asked."""
    from rivus.units.manager import manager

    try:
        return list(manager(user).show(wanted, FIELDS).values())
    except RivusError:
        return []


def _asked(command: list[str]) -> str:
    import subprocess

    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
