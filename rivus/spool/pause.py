"""Pausing a job: `paused.json` in its directory says since when, why and by whom; while it is there, nothing runs."""

from __future__ import annotations

import os
import time

from rivus.model.decide import FOREVER
from rivus.model.outcome import Json
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable, dump, read_document
from rivus.spool.recover import wake_parked


def pause(spool: Spool, job: str, why: str, by: str, owner: Owner) -> None:
    """Pauses the job until a person resumes it. One that is paused keeps its first reason."""
    if not os.path.lexists(spool.pause(job)):
        owner.write(spool.pause(job), dump({"since": utc(time.time()), "why": why, "by": by}))


def paused(spool: Spool, job: str) -> Json | None:
    """Since when, why and by whom the job is paused, or None. An unreadable file pauses as well."""
    if not os.path.lexists(spool.pause(job)):
        return None
    try:
        return read_document(spool.pause(job))
    except Unreadable as error:
        return {"why": f"{spool.pause(job)} cannot be read: {error}"}
    except FileNotFoundError:
        return None


def unpause(spool: Spool, job: str) -> int:
    """Ends the pause, and makes ready what it put off. Gives how many tickets."""
    atomic.remove(spool.pause(job))
    return sum(wake_parked(spool, job, stage, FOREVER) for stage in spool.stages(job))
