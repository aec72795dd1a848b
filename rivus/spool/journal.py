"""The journal: one line per move, for people and the index. Append-only, never read to decide anything.

A line is written after its move with one write(2) in append mode, which the kernel keeps whole among concurrent
writers. It is not durable: a crash or a full disk loses the line of a move, never the move.
"""

from __future__ import annotations

import json
import time
from typing import Any

from rivus.model.states import Move
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.layout import Spool
from rivus.talk import say, scrubbed


def record(spool: Spool, move: Move | str, job: str, stage: str, key: str, **more: Any) -> None:
    """Adds one line: time, move, job, stage, key and whatever else describes the move (JSON values)."""
    now = time.time()
    name = move if isinstance(move, str) else move.name
    line = {"t": utc(now), "move": name, "job": job, "stage": stage, "key": key, **more}
    text = scrubbed(json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str))
    path = f"{spool.journal}/{time.strftime('%Y-%m-%d', time.gmtime(now))}.jsonl"
    try:
        atomic.append(path, text.encode(errors="replace") + b"\n")
    except OSError as error:
        say(f"{path}: {error.strerror}; the move itself was made", 1)
