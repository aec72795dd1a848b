"""What a source and a handler get to work with: two small protocols, so that both run without a spool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rivus.model.outcome import Json

if TYPE_CHECKING:
    from logging import Logger

    import requests

OF_THE_TIMEOUT = 0.9
"""What one request may take of the stage's timeout: a server that hangs must not make the handler hang."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing a source has found.

    key:  what makes it the same thing when it is found again; stable, unique within the job, <= 1,024 characters.
    data: a JSON object for people and handlers: `url`, `title`, `published` (UTC, ISO 8601) where there are such.
    meta: what else the item's meta is to say of where it comes from.
    """

    key: str
    data: Json
    meta: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """An item that a stage is done with.

    data: its own data with the outputs of the stages up to that one laid over it. ended: when (UTC, ISO 8601). came:
    when its ticket came to `done`, in nanoseconds since the epoch: a position for a cursor. skipped: whether the stage
    had nothing to do for it.
    """

    key: str
    data: Json
    ended: str
    came: int
    skipped: bool


class Look(Protocol):
    """What a source gets: `source(look, **params)` yields `Found`, the newest first where the source has an order.

    Everything a source yields is made durable before `cursor` is: a source changes `cursor` freely (JSON values
    only), and what it wrote is kept once all it yielded is safe, and thrown away if it was cut short or failed.
    """

    cursor: Json
    """What this source remembered last time ({} the first time): ETags, a position, a date."""
    http: requests.Session
    """A guarded session: time limits, a cap on sizes, no private addresses, no secrets in its errors."""
    log: Logger
    folder: Path
    """The jobs.d folder: relative paths in parameters start here."""
    private_hosts: tuple[str, ...]
    """What `allow_private_hosts` of the job opens in the network guard."""

    def known(self, key: str) -> bool:
        """Whether this key was found before (one stat call)."""
        ...

    def secret(self, name: str) -> str:
        """The secret of that name; raises Halt if there is none."""
        ...

    def vanished(self, key: str) -> None:
        """Notes that what was found before is no longer there; of a key that is no item, nothing. Nothing is deleted.
        Kept if the cursor is."""
        ...

    def finished(self, job: str, stage: str, after: int = 0) -> Iterator[Finished]:
        """What a stage of another job is done with, the last first, without what this job knows already unless its
        `on_change` asks for changes. after: only what came to be done since (`Finished.came`). Raises Halt for a job
        or stage that is not in jobs.d."""
        ...


class Context(Protocol):
    """What a handler gets as `ctx`: `handler(item, ctx, **with)` returns the stage's output, a non-empty dict."""

    http: requests.Session
    """A guarded session, as for sources."""
    log: Logger
    folder: Path
    """The jobs.d folder: relative paths in parameters start here."""
    private_hosts: tuple[str, ...]
    params: Json
    """What stands under `with:`."""
    key: str
    attempt: int
    """1 for the first try of this item in this stage."""
    idempotency_key: str
    """The same for every try of this item in this stage: hand it to services that can use one."""
    timeout: float
    """Seconds this try may take."""

    @property
    def workdir(self) -> Path:
        """An empty folder of this item and stage for bodies too large for JSON; kept with the item."""
        ...

    @property
    def state(self) -> Path:
        """A folder of this stage that outlives items, for a database or a cache: shared by all its tries, which run at
        the same time in several threads and processes. It can be lost, and with --test it is another one."""
        ...

    def path(self, file: str) -> Path:
        """The file that an output names (`fetch/en.vtt`), of this or an earlier stage; refuses to leave the item."""
        ...

    def name(self, path: Path) -> str:
        """The name by which an output refers to a file in `workdir` (`fetch/en.vtt`): the inverse of `path`."""
        ...

    def secret(self, name: str) -> str:
        """The secret of that name; raises Halt if there is none."""
        ...

    def emit(self, key: str, data: Json, *, job: str | None = None) -> None:
        """Makes a new item of `data`, a child of this one, in `job` (default: this job), once this try has returned a
        good result; a try that fails or skips emits nothing. The first of a key counts, and a key that is an item
        already is no child unless this item emitted it before; then other data make it run again. At most 10,000
        children a try and 8 generations. Raises ItemFailed, and Halt for a job that cannot take it."""
        ...

    def cost(
        self, *, usd: float | None = None, calls: int = 1, tokens: int = 0, model: str | None = None,
        input_tokens: int = 0, output_tokens: int = 0,
    ) -> None:  # fmt: skip
        """Adds to what this try has cost: call it as soon as something was paid, whatever comes of it. `usd=None` means
        unknown, never zero, unless `prices.yaml` has `model`: then its price of the input and output tokens counts.
        They are added to `tokens`. An amount that is none is unknown, a count that is none raises
        ValueError."""
        ...


Source = Callable[..., Any]
Handler = Callable[..., Any]
