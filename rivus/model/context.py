"""What a source and a handler get to work with: two small protocols, so that both run without a spool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rivus.model.outcome import Json

if TYPE_CHECKING:
    import requests


@dataclass(frozen=True, slots=True)
class Found:
    """One thing a source has found.

    key:  what makes it the same thing when it is found again; stable, unique within the job, <= 1,024 characters.
    data: a JSON object for people and handlers: `url`, `title`, `published` (UTC, ISO 8601) where there are such.
    """

    key: str
    data: Json


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

    def path(self, file: str) -> Path:
        """The file that an output names (`fetch/en.vtt`), of this or an earlier stage; refuses to leave the item."""
        ...

    def name(self, path: Path) -> str:
        """The name by which an output refers to a file in `workdir` (`fetch/en.vtt`): the inverse of `path`."""
        ...

    def secret(self, name: str) -> str:
        """The secret of that name; raises Halt if there is none."""
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
