"""The one door to the file system: every call that changes the spool is here, and nothing else is.

Each function announces each of its system calls to `tap` first, so that a test can crash at every one of them, and
can work out what a power loss would have left. Nothing here knows what a ticket is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence

Tap = Callable[..., None]
tap: Tap | None = None
"""Called with the name of the system call, its paths, and for `write` the bytes, before it is made."""

_PARALLEL = 8


def _announce(call: str, *details: str | bytes) -> None:
    if tap is not None:
        tap(call, *details)


def make_folder(path: str) -> None:
    """Makes one directory; it may exist."""
    try:
        os.stat(path)
    except FileNotFoundError:
        _announce("mkdir", path)
        try:
            os.mkdir(path)
        except FileExistsError:
            return


def remove_folder(path: str) -> bool:
    """Removes an empty directory. False if it was not empty, or not there."""
    _announce("rmdir", path)
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    return True


def write_new(path: str, data: bytes, sync: bool = True) -> None:
    """Writes a file that does not exist, durable unless `sync` is false. Raises FileExistsError, OSError."""
    _announce("create", path)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        _write(handle, path, data)
        if sync:
            _announce("fsync", path)
            os.fsync(handle)
    finally:
        os.close(handle)


def copy(source: str, target: str) -> None:
    """Copies a regular file to a name that is free; not durable. Raises FileExistsError, OSError."""
    _announce("copy", source, target)
    given = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            while os.sendfile(handle, given, None, 1 << 20):
                pass
        finally:
            os.close(handle)
    finally:
        os.close(given)


def append(path: str, data: bytes) -> None:
    """Adds one line at the end in one write; not durable."""
    _announce("open", path)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        _write(handle, path, data)
    finally:
        os.close(handle)


def _write(handle: int, path: str, data: bytes) -> None:
    _announce("write", path, data)
    written = os.write(handle, data)
    while written < len(data):
        written += os.write(handle, data[written:])


def overwrite(path: str, data: bytes) -> None:
    """Writes `data` over a file of the same length in one call; not durable. Up to 512 bytes are one sector: a crash
    leaves all of the old or all of the new, and no free space is needed."""
    _announce("overwrite", path, data)
    handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.pwrite(handle, data, 0)
    finally:
        os.close(handle)


def cut(path: str, size: int) -> None:
    """Makes a file shorter; not durable."""
    _announce("truncate", path)
    os.truncate(path, size)


def rename(source: str, target: str) -> bool:
    """Moves a file, over whatever is at `target`. False if somebody else moved it before."""
    _announce("rename", source, target)
    try:
        os.rename(source, target)
    except FileNotFoundError:
        return False
    return True


def link(source: str, target: str) -> bool:
    """Gives a file a second name. False if the name is taken."""
    _announce("link", source, target)
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    return True


def symlink(target: str, path: str) -> None:
    """Makes a symbolic link at `path`, which is free. Raises FileExistsError, OSError."""
    _announce("symlink", target, path)
    os.symlink(target, path)


def remove(path: str) -> bool:
    """Removes a name. False if it was not there."""
    _announce("unlink", path)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def set_time(path: str, seconds: float) -> bool:
    """Sets when the file was last modified. False if it was not there."""
    _announce("utime", path)
    try:
        os.utime(path, (seconds, seconds), follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def sync(path: str) -> None:
    """Makes a directory's entries, or a file's bytes, durable."""
    _announce("fsync", path)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(paths: Sequence[str]) -> None:
    """`sync` for many: side by side, because concurrent fsyncs share one commit of the file system's journal."""
    if len(paths) < _PARALLEL:
        for path in paths:
            sync(path)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2 * _PARALLEL) as pool:
        list(pool.map(sync, paths))


def remove_tree(path: str) -> None:
    """Removes a directory and all below it, never through a symbolic link; what is gone already is fine."""
    try:
        entries = list(os.scandir(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            remove(entry.path)
    remove_folder(path)
