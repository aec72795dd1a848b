"""What a source gets to work with: the Look protocol of `rivus.model.context`, over the spool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.model.context import Finished
from rivus.model.item import file_name
from rivus.model.outcome import Halt, Json
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, read_document
from rivus.talk import logger, say

if TYPE_CHECKING:
    from logging import Logger

    import requests

    from rivus.config.schema import Job


class JobLook:
    """The look of one job. cursor: what the source remembers; by default what it wrote last time. gone: the items that
    are no longer there, as the source says."""

    def __init__(self, spool: Spool, job: Job, cursor: Json | None = None) -> None:
        self.folder: Path = job.folder
        self.private_hosts = tuple(job.allow_private_hosts)
        self._spool, self._job = spool, job
        self._http: requests.Session | None = None
        self.gone: list[str] = []
        self.log: Logger = logger(f"{job.name}:discover")
        self.cursor: Json = self._read_cursor() if cursor is None else cursor

    def _read_cursor(self) -> Json:
        path = self._spool.cursor(self._job.name)
        try:
            return read_document(path)
        except FileNotFoundError:
            return {}
        except Unreadable as error:
            say(f"{path}: {error}; starting without it")
            return {}

    @property
    def http(self) -> requests.Session:
        if self._http is None:
            from rivus.net.session import open_session

            self._http = open_session(self.private_hosts)
        return self._http

    def known(self, key: str) -> bool:
        return self._spool.known(self._job.name, file_name(key))

    def secret(self, name: str) -> str:
        from rivus.secrets import get

        return get(name)

    def vanished(self, key: str) -> None:
        if self.known(key):
            self.gone.append(key)

    def finished(self, job: str, stage: str, after: int = 0) -> Iterator[Finished]:
        from rivus.config.load import load_job
        from rivus.config.problem import did_you_mean
        from rivus.errors import BadConfig
        from rivus.work.finished import finished

        if job == self._job.name:
            raise Halt(f"job: {job} cannot be its own source")
        try:
            plan = load_job(self.folder, job).plan
        except BadConfig as error:
            raise Halt(f"job: {error}") from None
        if stage not in plan.needs:
            raise Halt(f"stage: {job} has no stage {stage!r}{did_you_mean(stage, plan.needs)}")
        changes = self._job.discover is not None and self._job.discover.on_change != "ignore"
        return finished(self._spool, plan, stage, after, None if changes else self._job.name)
