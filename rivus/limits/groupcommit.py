"""Group commit: of the threads that want something written durably, one writes what all have brought till it began.

A sync costs the same for one as for many. What a thread brings while another one writes is in the next group.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class _Group(Generic[T]):
    def __init__(self) -> None:
        self.brought: list[T] = []
        self.written = False
        self.error: BaseException | None = None


class GroupCommit(Generic[T]):
    """write: makes a group durable, all of it or none; called by one thread at a time."""

    def __init__(self, write: Callable[[Sequence[T]], None]) -> None:
        self._write = write
        self._joining, self._writing = threading.Lock(), threading.Lock()
        self._open: _Group[T] = _Group()

    def add(self, one: T) -> None:
        """Comes back when `one` is written. Raises what `write` raised for its group."""
        with self._joining:
            group = self._open
            group.brought.append(one)
        with self._writing:
            if not group.written:
                self._commit(group)
        if group.error:
            raise group.error

    def _commit(self, group: _Group[T]) -> None:
        with self._joining:
            self._open = _Group()  # `group` is the open one: only who holds `_writing` comes here
        try:
            self._write(group.brought)
        except BaseException as error:  # noqa: BLE001 - each thread of the group gets it
            group.error = error
        finally:
            group.written = True
