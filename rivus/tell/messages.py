"""What commands said about an item in the system's journal, asked of journalctl(1).

Format: `--output=json` of journalctl (systemd's "Journal Export Formats"): an object a line, its values strings, lists
of bytes for what is no text, lists for a field that occurs twice. Anybody on the machine can write a message with our
fields, so only those of root, of the spool's owner and of the caller are taken.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from rivus.model.outcome import Json
from rivus.model.times import utc
from rivus.spool.layout import Spool
from rivus.talk import plain, say

MOST = 10_000
WITHIN = 20.0
"""Seconds that journalctl may take."""
_FIELDS = {
    "RIVUS_STAGE": "stage", "RIVUS_RUN": "owner", "RIVUS_CLASS": "class", "PRIORITY": "priority",
    "SYSLOG_IDENTIFIER": "command", "_PID": "pid", "_SYSTEMD_UNIT": "unit",
}  # fmt: skip


def messages(spool: Spool, job: str, key: str) -> list[Json]:
    """The last MOST messages about an item, oldest first: `t`, `stage`, `what` (the message), and where known `owner`
    (the run), `class`, `priority`, `command`, `pid`, `unit`. [] without a journal that the caller may read."""
    program = shutil.which("journalctl")
    if program is None:
        return []
    from rivus.model.outcome import Halt
    from rivus.programs import Program

    fields = ",".join([*_FIELDS, "MESSAGE", "_UID"])
    options = ["--quiet", "--no-pager", "--all", "--output=json", f"--output-fields={fields}", f"--lines={MOST}"]
    trusted = {"0", str(os.geteuid()), str(os.stat(spool.root).st_uid)}
    found = []
    try:
        with Program([program, *options, f"RIVUS_JOB={job}", f"RIVUS_KEY={key}"], cwd=Path("/")) as asked:
            found = [row for line in asked.lines(WITHIN) if (row := _row(line, trusted))]
    except (TimeoutError, Halt) as error:
        say(f"the system's journal is left out: {error}")
    return found


def _row(line: bytes, trusted: set[str]) -> Json | None:
    try:
        message = json.loads(line)
        when = utc(int(message["__REALTIME_TIMESTAMP"]) / 1e6)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    if _text(message.get("_UID")) not in trusted:
        return None
    known = {name: text for field, name in _FIELDS.items() if (text := _text(message.get(field)))}
    return {"t": when, "stage": "", **known, "what": plain(_text(message.get("MESSAGE")))}


def _text(value: object) -> str:
    if isinstance(value, list):
        if value and all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
            return bytes(value).decode(errors="replace")
        return _text(value[0]) if value else ""
    return value if isinstance(value, str) else ""
