"""What handlers get as `ctx`: the Context protocol of `rivus.model.context`, over one item's folder in the spool.

A try works in an empty folder of its own; whatever an interrupted try left there is removed first. A crash leaves
files that no receipt names, and the next try clears them away.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from rivus.model.context import OF_THE_TIMEOUT
from rivus.model.item import Ticket, digest, stem
from rivus.model.money import Spent, is_amount
from rivus.model.outcome import Halt, ItemFailed, Json
from rivus.model.times import utc
from rivus.net.record import Tape, taped
from rivus.spool import atomic

if TYPE_CHECKING:
    from logging import Logger

    import requests

    from rivus.work.emit import Emitted


class ItemContext:
    """One try of one item in one stage.

    files: the item's folder of large files (`Spool.files`), made when first needed. charge: told of each cost at once.
    state: the folder of the stage (`Spool.state`), made when first needed.
    emitted: takes the children.
    old: the digest of the receipt of an earlier result that has files there; these are set aside until the try ends.
    tape: where the answers of the network are kept, or come from.
    """

    def __init__(
        self, *, files: str, job: str, stage: str, key: str, attempt: int, timeout: float, params: Json, folder: Path,
        private_hosts: tuple[str, ...], charge: Callable[[Spent], None], slot_fds: tuple[int, ...] = (),
        old: str = "", state: str = "", tape: Tape | None = None,
        emitted: Emitted | None = None,
    ) -> None:  # fmt: skip
        self.key, self.attempt, self.timeout, self.params, self.folder = key, attempt, timeout, params, folder
        self.private_hosts, self.slot_fds = private_hosts, slot_fds
        self.idempotency_key = sha256(f"{job}\0{stage}\0{key}".encode()).hexdigest()
        self.tape = tape
        self.costs: Json = {}
        self._charge = charge
        self._files, self._job, self._stage = Path(files), job, stage
        self._state = state
        self.emitted = emitted
        self._aside = self._files / f".{stage}.{old}" if old else None
        self._made = False
        self._http: requests.Session | None = None
        self._log: Logger | None = None

    @property
    def http(self) -> requests.Session:
        if self._http is None:
            from rivus.net.session import open_session

            with taped(self.tape):  # whichever thread of the handler asks first
                self._http = open_session(self.private_hosts, total=self.timeout * OF_THE_TIMEOUT)
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
            if self._aside and not self._aside.exists():
                atomic.rename(str(folder), str(self._aside))
            atomic.remove_tree(str(folder))
            atomic.make_folder(str(self._files))
            atomic.make_folder(str(folder))
            self._made = True
        return folder

    @property
    def state(self) -> Path:
        atomic.make_folder(self._state)
        return Path(self._state)

    def path(self, file: str) -> Path:
        """The file `file` of the item. Raises ValueError if that would be outside of the item's folder, ItemFailed if
        the stage that wrote it has no files any more."""
        root = self._files.resolve()
        path = (root / file).resolve()
        if not path.is_relative_to(root) or path == root:
            raise ValueError(f"{file!r} is not a file of this item")
        stage = path.relative_to(root).parts[0]
        if not (root / stage).exists():
            raise ItemFailed(f"{file!r} is not kept any more (`keep: files`); rivus-move retry --stage {stage} first")
        return path

    def name(self, path: Path) -> str:
        return str(path.resolve().relative_to(self._files.resolve()))

    def secret(self, name: str) -> str:
        from rivus.secrets import get

        return get(name)

    def emit(self, key: str, data: Json, *, job: str | None = None) -> None:
        if self.emitted is None:
            raise Halt("nothing can be emitted here")
        self.emitted.add(key, data, job)

    @property
    def emit_file(self) -> Path:
        """Where a program may write children; not there yet."""
        path = self.workdir.parent / f".{self._stage}.emit"
        atomic.remove(str(path))
        return path

    def cost(
        self, *, usd: float | None = None, calls: int = 1, tokens: int = 0, model: str | None = None,
        input_tokens: int = 0, output_tokens: int = 0,
    ) -> None:  # fmt: skip
        counts = (calls, tokens, input_tokens, output_tokens)
        if not all(type(count) is int and is_amount(count) for count in counts):
            raise ValueError(f"calls and tokens are whole numbers from 0 on, not {counts}")
        if usd is None and model is not None:
            usd = self._priced(model, input_tokens, output_tokens)
        usd, unknown = (usd, 0) if usd is not None and is_amount(usd) else (0.0, calls or 1)
        paid = Spent(usd, calls, tokens + input_tokens + output_tokens, unknown, 0 if self.costs else 1)
        self._note(paid)
        self._charge(paid + Spent(last=utc(time.time())))

    def _note(self, paid: Spent) -> None:
        whole = paid + Spent(*(self.costs.get(name, 0) for name in ("usd", "calls", "tokens", "unknown")))
        self.costs |= {"calls": whole.calls, "tokens": whole.tokens}
        self.costs |= {"unknown": whole.unknown} if whole.unknown else {}
        self.costs |= {} if paid.unknown else {"usd": whole.usd}

    def _priced(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """What prices.yaml makes of the tokens; None, with a word in the log, if it cannot tell."""
        from rivus.config.prices import load_prices, usd_of
        from rivus.errors import BadConfig

        try:
            price = load_prices(self.folder).get(model)
        except BadConfig as error:
            self.log.warning("the cost is unknown: %s", error)
            return None
        if price is None:
            self.log.warning("the cost is unknown: prices.yaml has no model %.100r", model)
            return None
        return usd_of(price, input_tokens, output_tokens)

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

    def keep(self, new: bool) -> None:
        """Ends the try: the files of the new result stay, or those of the old one are put back."""
        if not self._made or not self._aside:
            return
        if new:
            atomic.remove_tree(str(self._aside))
        elif self._aside.exists():
            atomic.remove_tree(str(self._files / self._stage))
            atomic.rename(str(self._aside), str(self._files / self._stage))

    def close(self) -> None:
        if self._http is not None:
            self._http.close()


def with_files(ticket: Ticket) -> str:
    """The digest of the receipt of a ticket's last result if that has files, else ""."""
    return digest(ticket.receipt)[:16] if ticket.receipt and ticket.receipt.get("files") else ""
