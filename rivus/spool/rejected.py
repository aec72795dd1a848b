"""Putting aside what cannot become an item: moved to `_rejected`, with the reason in a file beside it."""

from __future__ import annotations

import json
import os
import time
from hashlib import sha256

from rivus.model.item import stem
from rivus.model.outcome import Json
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.layout import Spool


def reject(spool: Spool, job: str, stage: str, path: str, reason: str) -> str:
    """Moves whatever is at `path` (a file of any kind, a directory) to `_rejected`, and gives its new path.

    The reason is written first: a crash in between leaves a reason without a file, and the file is rejected again.
    """
    target = _free(spool, f"{job}.{stage}.{os.path.basename(path)}")
    _explain(target, job, stage, reason)
    atomic.rename(path, target)
    return target


def reject_found(spool: Spool, job: str, document: Json, reason: str) -> str:
    """Keeps what a source found and what cannot be an item. Gives its path."""
    raw = json.dumps(document, default=repr).encode()
    target = _free(spool, f"{job}.discover.{sha256(raw).hexdigest()[:16]}.json", again=False)
    if not os.path.lexists(target):
        _explain(target, job, "discover", reason)
        atomic.write_new(target, raw)
    return target


def _free(spool: Spool, name: str, again: bool = True) -> str:
    safe = stem(name.encode(errors="replace").decode())
    target, number = f"{spool.rejected}/{safe}", 1
    while again and (os.path.lexists(target) or os.path.lexists(f"{target}.reason.json")):
        number += 1
        target = f"{spool.rejected}/{safe}.{number}"
    return target


def _explain(target: str, job: str, stage: str, reason: str) -> None:
    note = {"t": utc(time.time()), "job": job, "stage": stage, "reason": reason[:1000]}
    atomic.append(f"{target}.reason.json", json.dumps(note).encode() + b"\n")
