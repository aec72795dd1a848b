"""Which items of a test spool are not the business of a test: those that were there before it and descend from none of
the items that it is about."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rivus.model.children import parent_of
from rivus.model.item import file_name
from rivus.spool.hands import birth
from rivus.spool.layout import Spool, names
from rivus.spool.reader import Unreadable

_DEEPEST = 100


class Strangers:
    """The strangers of one job, a container of the names of their files. cast: for each job the names of those that the
    test is about. A birth record is read for each name that is asked for, once."""

    def __init__(self, spool: Spool, job: str, cast: Mapping[str, Collection[str]]) -> None:
        self._spool, self._job, self._cast = spool, job, cast
        self._before = frozenset(names(spool.births(job)))
        self._known: dict[str, bool] = {}

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str) or name not in self._before:
            return False
        if name not in self._known:
            self._known[name] = not self._descends(name)
        return self._known[name]

    def _descends(self, name: str) -> bool:
        job = self._job
        for _ in range(_DEEPEST):
            if name in self._cast.get(job, ()):
                return True
            try:
                ticket = birth(self._spool, job, name)
            except (Unreadable, ValueError, KeyError):
                return False
            parent = parent_of(ticket.meta) if ticket else None
            if parent is None:
                return False
            job, name = parent.job, file_name(parent.key)
        return False
