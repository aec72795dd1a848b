"""The strategy `files`: files of a local folder."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePath

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json
from rivus.sources.dates import span_of
from rivus.sources.keys import bounded, is_fit, one_line
from rivus.sources.listed import note_listed

NETWORK = False
LARGEST_CONTENT = 2**20
CHUNK = 2**20


def files(
    look: Look, *, glob: str, content: bool = False, since: str | None = None, until: str | None = None
) -> Iterator[Found]:
    """The files that a pattern finds below jobs.d, the last changed first; those found before are left out.

        discover: {strategy: files, glob: "inbox/**/*.pdf", every: 5min}

    glob:    a relative pattern; `**` stands for any number of folders. Hidden files need a pattern with a dot.
    content: whether the text of the file goes into the item (UTF-8, at most 1 MiB).
    since:   only files modified from this date or moment on (ISO 8601, UTC); until: only earlier ones.

    The key is the path relative to jobs.d. The data has path, name, bytes, modified (UTC), sha256, content. A file that
    is no longer there is noted as vanished.
    Links that lead out of jobs.d, pipes and devices are left out with a warning. Raises Halt for a pattern that is
    absolute or leads upwards, and for a span that is none.
    """
    span = span_of(since, until)
    root = look.folder.resolve()
    candidates = sorted(_candidates(look, root, glob), key=lambda found: (-found[1].st_mtime_ns, found[0]))
    for relative, status in candidates:
        if span.holds(_modified(status)) and not look.known(bounded(relative)):
            found = _read(look, root, relative, content)
            if found is not None:
                yield found
    if span.open:
        note_listed(look, (glob,), {"": [bounded(relative) for relative, _ in candidates]})


def _candidates(look: Look, root: Path, glob: str) -> Iterator[tuple[str, os.stat_result]]:
    pattern = PurePath(glob)
    if pattern.is_absolute() or ".." in pattern.parts or not pattern.parts:
        raise Halt(f"glob: {glob!r} must be relative to jobs.d and stay below it")
    hidden = any(part.startswith(".") for part in pattern.parts)
    try:
        for path in root.glob(glob):
            relative = path.relative_to(root)
            if hidden or not any(part.startswith(".") for part in relative.parts):
                status = _status(look, root, path)
                if status is not None:
                    yield relative.as_posix(), status
    except (ValueError, NotImplementedError) as error:
        raise Halt(f"glob: {glob!r} is not a pattern of paths: {error}") from None


def _status(look: Look, root: Path, path: Path) -> os.stat_result | None:
    """The status of a regular file inside `root`; None, with a warning unless it is a folder, for all else."""
    try:
        status = path.stat()
        inside = path.resolve().is_relative_to(root)
    except (OSError, RuntimeError) as error:
        look.log.warning("%r is left out: %s", str(path), one_line(error))
        return None
    if stat.S_ISDIR(status.st_mode):
        return None
    if not inside or not stat.S_ISREG(status.st_mode):
        look.log.warning("%r is left out: %s", str(path), "not a regular file" if inside else "it leads out of jobs.d")
        return None
    if not is_fit(str(path)):
        look.log.warning("%r is left out: its name is not plain text", str(path))
        return None
    return status


def _read(look: Look, root: Path, relative: str, content: bool) -> Found | None:
    # Not blocking, for the file may have become a pipe since; what was opened is looked at once more.
    try:
        descriptor = os.open((root / relative).resolve(), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            text = file.read(LARGEST_CONTENT + 1) if content else b""
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        look.log.warning("%r is left out: %s", relative, error.strerror)
        return None
    data: Json = {
        "path": relative,
        "name": PurePath(relative).name,
        "bytes": status.st_size,
        "modified": _modified(status),
        "sha256": digest,
    }
    return Found(bounded(relative), {**data, **_content(look, relative, text)} if content else data)


def _modified(status: os.stat_result) -> str:
    return datetime.fromtimestamp(status.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _content(look: Look, relative: str, raw: bytes) -> Json:
    try:
        if len(raw) > LARGEST_CONTENT:
            raise ValueError(f"larger than {LARGEST_CONTENT:,} bytes")
        return {"content": raw.decode("utf-8-sig")}
    except ValueError as error:
        look.log.warning("%r comes without its content: %s", relative, one_line(error, 100))
        return {}
