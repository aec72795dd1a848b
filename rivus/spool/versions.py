"""`_versions/JOB.STAGE.ID.json`: what a version of a stage was made of, kept when it first runs.

    {"parts": {"handler": "\"my.fetch\"", "my:fetch": "def fetch(item, ctx): …", …}}

Only for people, who may remove it: nothing is decided by it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from rivus.spool import atomic
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable, dump, read_document
from rivus.talk import say


def keep_version(
    spool: Spool, job: str, stage: str, version: str, text: Callable[[], Mapping[str, str]], owner: Owner
) -> None:
    """Keeps the texts of a version unless they are there. What keeps it from that is said, and no harm."""
    path = _path(spool, job, stage, version)
    if os.path.lexists(path):
        return
    try:
        raw = dump({"parts": dict(text())})
        atomic.make_folder(os.path.dirname(path))
        owner.write(path, raw)
    except (OSError, ValueError, RecursionError) as error:
        say(f"{path}: not kept: {error}", 1)


def kept_version(spool: Spool, job: str, stage: str, version: str) -> dict[str, str] | None:
    """The texts of a version by name, None if they were not kept."""
    try:
        parts = read_document(_path(spool, job, stage, version)).get("parts")
    except (FileNotFoundError, Unreadable):
        return None
    return {name: str(text) for name, text in parts.items()} if isinstance(parts, dict) else None


def _path(spool: Spool, job: str, stage: str, version: str) -> str:
    return f"{spool.root}/_versions/{job}.{stage}.{version}.json"
