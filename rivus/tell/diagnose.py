"""Asks a language model about kinds of failures that no rule knows: once for each kind, within the day's caps.

Whatever happens, every group gets a diagnosis: the model's if its answer is one, else the safe default with the reason.
Nothing here changes an item. A group whose model gave an answer, a useless one included, is handed to `record`, which
writes the verdict; one that got none is asked again by a later run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from rivus import secrets
from rivus.doctor.failure import Failure
from rivus.doctor.llm import default, prompt_of, understand
from rivus.errors import TryAgain
from rivus.model.diagnosis import Diagnosis
from rivus.model.outcome import Halt, Json
from rivus.tell.ledger import AskedAlready, Ledger, Spent
from rivus.tell.provider import Answer, AskAgain, NoAnswer, provider

if TYPE_CHECKING:
    from rivus.config.doctor import Llm
    from rivus.spool.layout import Spool

LEDGER = "ledger.json"
PATIENCE = 3
"""Questions in a row without an answer, after which a run asks no more."""
NO_MODEL = "no model is set up: jobs.d/doctor.yaml has no llm"


class Group(TypedDict):
    """Failures with one fingerprint: one of them, and how many items there are."""

    fingerprint: str
    example: Failure
    count: int


@dataclass(frozen=True, slots=True)
class Result:
    """diagnosis.rule says who gave it: `model NAME`, `command NAME` or `default`. answered: whether the model said
    anything. usd: what this cost, None if it is unknown or nothing was asked."""

    fingerprint: str
    diagnosis: Diagnosis
    answered: bool = False
    usd: float | None = None


def diagnose(
    spool: Spool, llm: Llm | None, groups: Iterable[Group], record: Callable[[Result], None]
) -> Iterator[Result]:
    """One result for each group, in their order, as it becomes known. The ledger is in the spool's folder of verdicts.

    Raises TryAgain while another process is asking.
    """
    if llm is None:
        yield from (Result(group["fingerprint"], default(NO_MODEL)) for group in groups)
        return
    folder = Path(spool.verdicts)
    with _alone(folder):
        _know_secrets()
        run = _Run(llm, folder / LEDGER)
        for group in groups:
            result = run.result(group)
            if result.answered:
                record(result)
            yield result


class _Run:
    """What one run has come to know: whom it asks, and why it asks no more."""

    def __init__(self, llm: Llm, path: Path) -> None:
        self._llm, self._path = llm, path
        self._ledger: Ledger | None = None
        self._provider = provider(llm)
        self._unanswered, self._stop = 0, ""

    def result(self, group: Group) -> Result:
        name = group["fingerprint"]
        if self._stop:
            return Result(name, default(self._stop))
        try:
            answer = self._answer(name, prompt_of(group["example"], group["count"], secrets.scrub))
        except AskedAlready as error:
            return Result(name, default(str(error)))
        except (Spent, NoAnswer) as error:
            self._note(error)
            return Result(name, default(f"no answer: {error}"))
        self._unanswered = 0
        try:
            found = understand(answer.text, self._llm.name)
        except ValueError as error:
            found = default(secrets.scrub(str(error)))
        return Result(name, found, True, answer.usd)

    def _answer(self, fingerprint: str, prompt: Json) -> Answer:
        """Every call is in the ledger before it is made. Raises AskedAlready, Spent, NoAnswer."""
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
def _alone(folder: Path) -> Iterator[None]:
    from rivus.locks import try_lock

    held = try_lock(folder / ".ledger.lock")
    if held is None:
        raise TryAgain(f"another process is asking the model ({folder / '.ledger.lock'} is locked)")
    with held:
        yield


def _know_secrets() -> None:
    """Reads every secret there is, so that it is scrubbed from what is sent: this process has used none of them."""
    names = [name.removeprefix("RIVUS_SECRET_").lower() for name in os.environ if name.startswith("RIVUS_SECRET_")]
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        with suppress(OSError):
            names += os.listdir(folder)
    for name in names:
        with suppress(Halt):
            secrets.get(name)
