"""Asking the language model of jobs.d/doctor.yaml: one process at a time, within the day's caps, every call on record.

Whoever asks holds `alone`. The ledger is in the spool's folder of verdicts, whatever the question is about.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rivus import secrets
from rivus.errors import TryAgain
from rivus.model.outcome import Halt, Json
from rivus.tell.ledger import Ledger, Spent
from rivus.tell.provider import Answer, AskAgain, NoAnswer, provider

if TYPE_CHECKING:
    from rivus.config.doctor import Llm
    from rivus.spool.layout import Spool

LEDGER = "ledger.json"
PATIENCE = 3
"""Questions in a row without an answer, after which no more are asked."""


class NotAsked(Exception):
    """Nobody was asked, because what was asked before ended as it did; the reason is for a person."""


class Asker:
    """What one run has come to know: whom it asks, and why it asks no more."""

    def __init__(self, llm: Llm, spool: Spool) -> None:
        self._llm, self._path = llm, Path(spool.verdicts) / LEDGER
        self._ledger: Ledger | None = None
        self._provider = provider(llm)
        self._unanswered, self._stop = 0, ""

    @property
    def name(self) -> str:
        """Whose answers these are."""
        return self._llm.name

    def answer(self, fingerprint: str, prompt: Json) -> Answer:
        """The model's answer, as it came. fingerprint: the question's, which is asked once a day.

        Raises NotAsked, AskedAlready, Spent, NoAnswer.
        """
        if self._stop:
            raise NotAsked(self._stop)
        try:
            answer = self._call(fingerprint, prompt)
        except (Spent, NoAnswer) as error:
            self._note(error)
            raise
        self._unanswered = 0
        return answer

    def _call(self, fingerprint: str, prompt: Json) -> Answer:
        """Every call is in the ledger before it is made."""
        self._ledger = self._ledger or Ledger(self._path, self._llm.per_day.calls, self._llm.per_day.usd)
        while True:
            self._ledger.reserve(fingerprint, self._provider.at_most(prompt))
            try:
                answer = self._provider.ask(prompt)
            except NoAnswer as error:
                self._ledger.settle(False, None)
                if not isinstance(error, AskAgain):
                    raise
            else:
                with suppress(Spent):  # the call stands in the ledger at its highest price
                    self._ledger.settle(True, answer.usd)
                return answer

    def _note(self, error: Spent | NoAnswer) -> None:
        self._unanswered += 1
        if isinstance(error, Spent) or error.final or self._unanswered >= PATIENCE:
            self._stop = f"not asked: {error}"


@contextmanager
def alone(spool: Spool) -> Iterator[None]:
    """Within it nobody else asks, and every secret there is is known, so that it is scrubbed from what is sent.

    Raises TryAgain while another process is asking.
    """
    from rivus.locks import try_lock

    path = Path(spool.verdicts) / ".ledger.lock"
    held = try_lock(path)
    if held is None:
        raise TryAgain(f"another process is asking the model ({path} is locked)")
    with held:
        _know_secrets()
        yield


def _know_secrets() -> None:
    """This process has used none of them, so it knows none."""
    names = [name.removeprefix("RIVUS_SECRET_").lower() for name in os.environ if name.startswith("RIVUS_SECRET_")]
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        with suppress(OSError):
            names += os.listdir(folder)
    for name in names:
        with suppress(Halt):
            secrets.get(name)
