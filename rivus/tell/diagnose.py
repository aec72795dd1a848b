"""Asks a language model about kinds of failures that no rule knows: once for each kind, within the day's caps.

Whatever happens, every group gets a diagnosis: the model's if its answer is one, else the safe default with the reason.
Nothing here changes an item. A group whose model gave an answer, a useless one included, is handed to `record`, which
writes the verdict; one that got none is asked again by a later run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from rivus import secrets
from rivus.doctor.failure import Failure
from rivus.doctor.llm import default, prompt_of, understand
from rivus.model.diagnosis import Diagnosis
from rivus.tell.asking import Asker, NotAsked, alone
from rivus.tell.ledger import AskedAlready, Spent
from rivus.tell.provider import NoAnswer

if TYPE_CHECKING:
    from rivus.config.doctor import Llm
    from rivus.spool.layout import Spool

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
    with alone(spool):
        asker = Asker(llm, spool)
        for group in groups:
            result = _result(asker, group)
            if result.answered:
                record(result)
            yield result


def _result(asker: Asker, group: Group) -> Result:
    name = group["fingerprint"]
    try:
        answer = asker.answer(name, prompt_of(group["example"], group["count"], secrets.scrub))
    except (AskedAlready, NotAsked) as error:
        return Result(name, default(str(error)))
    except (Spent, NoAnswer) as error:
        return Result(name, default(f"no answer: {error}"))
    try:
        found = understand(answer.text, asker.name)
    except ValueError as error:
        found = default(secrets.scrub(str(error)))
    return Result(name, found, True, answer.usd)
