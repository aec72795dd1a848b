"""Locks on files, held by the kernel: free the moment the last process that has them open is gone, however it ended.

The one door to filelock. A lock file is never removed while it may be in use, and what is written in it is not kept.
`try_lock`, `lock` and `lock_any` are filelock's. Two calls use flock itself, because filelock cannot do what they do:
`queue` stands in the kernel's line (filelock tries again and again, so the luckiest comes first), and `is_held`
looks without making, changing or taking the file, in 2 us instead of 50.
All of them exclude one another, and hold between the threads of one process as well.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, Self, cast

_FLAGS = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_STOP_LOOKS = 0.05


class Held:
    """A lock that this process holds.

    fd: the open file the lock lives on; closed on exec unless it is handed on (`pass_fds`). A child that has it keeps
        the lock when this process dies; `release` frees the lock for all that share it.
    """

    def __init__(self, fd: int, let_go: Callable[[], None]) -> None:
        self.fd = fd
        self._let_go: Callable[[], None] | None = let_go

    def release(self) -> None:
        """Frees the lock; a second call does nothing."""
        let_go, self._let_go = self._let_go, None
        if let_go:
            let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def try_lock(path: Path) -> Held | None:
    """The lock on `path` (made if it is not there), or None if anybody, this process included, has it.

    None also when the file was removed or replaced at that moment: the lock would guard nothing. Raises OSError.
    """
    from filelock import Timeout

    # Without flock there is no lock: filelock's own way around that outlives its holder.
    held = _file_lock_class()(path, thread_local=False, fallback_to_soft=False)
    try:
        held.acquire(blocking=False)
    except Timeout:
        return None
    if not _is_named(held.fd, path):
        held.release()
        return None
    return Held(held.fd, held.release)


def lock(path: Path, stop: Callable[[], bool], poll: float = 0.05) -> Held | None:
    """Waits for the lock on `path`, looking every `poll` seconds; None once `stop()` is true. In no order."""
    return lock_any([path], stop, poll)


def lock_any(paths: Sequence[Path], stop: Callable[[], bool], poll: float) -> Held | None:
    """As `lock`, for the first of `paths` that is free."""
    _file_lock_class()  # imports filelock: 30 ms, better spent before the wait than at its end
    while True:
        for path in paths:
            if not is_held(path) and (held := try_lock(path)) is not None:
                return held
        if stop():
            return None
        time.sleep(poll)


def queue(path: Path, stop: Callable[[], bool]) -> Held | None:
    """Waits for the lock on `path` first come, first served, across processes; None once `stop()` is true.

    The file is made if it is not there. `stop` is asked every 50 ms. Raises OSError.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Held(fd, lambda: _unlock(fd)) if _Place(fd).wait(stop) else None
    except BaseException:
        os.close(fd)
        raise
    return Held(fd, lambda: _unlock(fd))


def is_held(path: Path) -> bool:
    """Whether anybody, this process included, has the lock on `path`. Never makes or changes the file."""
    try:
        fd = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def holders(path: Path) -> list[int]:
    """The processes that took the lock on `path`, from /proc/locks; [] if nobody did or it cannot be known.

    For people, not for decisions: the kernel hands a long list out in pages, between which it may change; and a
    process in it may have died and left the lock to a child that inherited it.
    """
    try:
        wanted = _kernel_name(path)
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return []
    rows = [line.split() for line in lines if "->" not in line]
    return list(dict.fromkeys(int(row[4]) for row in rows if row[1] == "FLOCK" and row[5] == wanted))


class _Place:
    """A place in the kernel's line for a lock: a thread blocks in flock, because nothing can call it back.

    Whoever leaves the line lets the thread stay: when its turn comes it frees the lock at once, and if the process
    ends before, the kernel takes it out of the line.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._deciding = threading.Lock()
        self._arrived = threading.Event()
        self._left = self._taken = False
        self._error: OSError | None = None

    def wait(self, stop: Callable[[], bool]) -> bool:
        """True with the lock; False, with the descriptor taken care of, once `stop()` is true."""
        try:
            threading.Thread(target=self._stand, name="rivus-queue", daemon=True).start()
        except RuntimeError:
            os.close(self._fd)
            raise
        try:
            while not self._arrived.wait(_STOP_LOOKS):
                if stop():
                    return False
            if self._error:
                raise self._error
            self._taken = True
        finally:
            if not self._taken:
                self._leave()
        return True

    def _stand(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError as error:
            self._error = error
        with self._deciding:
            self._arrived.set()
            if self._left:
                _unlock(self._fd)

    def _leave(self) -> None:
        with self._deciding:
            self._left = True
            if self._arrived.is_set():
                _unlock(self._fd)


def _unlock(fd: int) -> None:
    # Closing alone would leave the lock with a process that is between fork and exec just now.
    try:
        fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def _is_named(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


class _FileLock(Protocol):
    @property
    def fd(self) -> int: ...
    def acquire(self, *, blocking: bool) -> object: ...
    def release(self) -> None: ...


@cache
def _file_lock_class() -> Callable[..., _FileLock]:
    from filelock import UnixFileLock

    class FileLock(UnixFileLock):
        @property
        def fd(self) -> int:
            return cast(int, self._context.lock_file_fd)

    return FileLock


def _kernel_name(path: Path) -> str:
    """`major:minor:inode` as /proc/locks writes it: on overlayfs and btrfs that is not what stat says."""
    fd = os.open(path, os.O_RDONLY | _FLAGS)
    try:
        info = dict(line.split(":", 1) for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines())
        inode = int(info.get("ino", os.fstat(fd).st_ino))
    finally:
        os.close(fd)
    mounts = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    major, minor = next(row[2] for row in mounts if row[0] == info["mnt_id"].strip()).split(":")
    return f"{int(major):02x}:{int(minor):02x}:{inode}"
