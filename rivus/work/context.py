"""What handlers get as `ctx`: the Context protocol of `rivus.model.context`, over one item's folder in the spool.

A try works in an empty folder of its own; whatever an interrupted try left there is removed first. A crash leaves
files that no receipt names, and the next try clears them away.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from rivus.model.item import stem
from rivus.model.outcome import Json
from rivus.spool import atomic

if TYPE_CHECKING:
    from logging import Logger

    import requests


class ItemContext:
    """One try of one item in one stage.

    files: the item's folder of large files (`Spool.files`), made when first needed.
    """

    def __init__(
        self, *, files: str, job: str, stage: str, key: str, attempt: int, timeout: float, params: Json, folder: Path,
        private_hosts: tuple[str, ...], slot_fds: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        self.key, self.attempt, self.timeout, self.params, self.folder = key, attempt, timeout, params, folder
        self.private_hosts, self.slot_fds = private_hosts, slot_fds
        self.idempotency_key = sha256(f"{job}\0{stage}\0{key}".encode()).hexdigest()
        self.costs: Json = {}
        self._files, self._job, self._stage = Path(files), job, stage
        self._made = False
        self._http: requests.Session | None = None
        self._log: Logger | None = None

    @property
    def http(self) -> requests.Session:
        if self._http is None:
            from rivus.net.session import open_session

            self._http = open_session(self.private_hosts, total=self.timeout)
        return self._http

    @property
    def log(self) -> Logger:
        if self._log is None:
            from rivus.talk import logger

            self._log = logger(f"{self._job}:{self._stage} {stem(self.key)}")
        return self._log

    @property
    def workdir(self) -> Path:
        folder = self._files / self._stage
        if not self._made:
            atomic.remove_tree(str(folder))
            atomic.make_folder(str(self._files))
            atomic.make_folder(str(folder))
            self._made = True
        return folder

    def path(self, file: str) -> Path:
        """The file `file` of the item. Raises ValueError if that would be outside of the item's folder."""
        root = self._files.resolve()
        path = (root / file).resolve()
        if not path.is_relative_to(root) or path == root:
            raise ValueError(f"{file!r} is not a file of this item")
        return path

    def name(self, path: Path) -> str:
        return str(path.resolve().relative_to(self._files.resolve()))

    def secret(self, name: str) -> str:
        from rivus.secrets import get

        return get(name)

    def cost(self, *, usd: float | None = None, calls: int = 1, tokens: int = 0) -> None:
        self.costs["calls"] = self.costs.get("calls", 0) + calls
        self.costs["tokens"] = self.costs.get("tokens", 0) + tokens
        if usd is None:
            self.costs["unknown"] = self.costs.get("unknown", 0) + calls
        else:
            self.costs["usd"] = round(self.costs.get("usd", 0.0) + usd, 6)

    def written(self) -> list[dict[str, Any]]:
        """The regular files that this try wrote, made durable: `{"file", "bytes"}` each, in order of name."""
        if not self._made:
            return []
        files, folders = [], [str(self._files)]
        for folder, _, names in os.walk(self.workdir):
            folders.append(folder)
            files += [path for name in names if S_ISREG(os.lstat(path := f"{folder}/{name}").st_mode)]
        atomic.sync_all([*files, *folders])
        return [{"file": self.name(Path(path)), "bytes": os.path.getsize(path)} for path in sorted(files)]

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
