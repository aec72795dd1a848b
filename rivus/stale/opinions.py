"""What a language model says about a stage's stale results: whether the change that made them stale is cosmetic.

Asked is once for each pair of versions, whatever came of it, through the doctor's model, ledger and caps. Only code and
files of `version_deps` can be shown; where anything else has changed, or a text is not proven to be the version's,
nobody is asked and the word is `unsure`. A word alone changes nothing. Where the stage says `auto_bless: cosmetic`,
`cosmetic` makes the old version count as the present one.

Written in this order: the ledger, `.judged.json`, `.blessed.json`. A crash in between leaves a question that is not
repeated on that day, or a word that the next run takes from where it stands.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from rivus import secrets
from rivus.doctor.cosmetic import COSMETIC, UNSURE, fault_of, prompt_of, understand
from rivus.errors import BadConfig
from rivus.model.outcome import Json
from rivus.spool.blessed import bless
from rivus.spool.judged import judged, note_judged
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable
from rivus.spool.versions import kept_version
from rivus.stale.survey import Survey
from rivus.tell.asking import Asker, NotAsked, alone
from rivus.tell.ledger import AskedAlready, Spent
from rivus.tell.provider import NoAnswer
from rivus.versions.kept import Unproven, code_of, file_of, is_whole
from rivus.versions.parts import Version, changed, version_of

if TYPE_CHECKING:
    from rivus.config.doctor import Llm
    from rivus.config.schema import Job
    from rivus.spool.layout import Spool

NO_MODEL = "no model is set up: jobs.d/doctor.yaml has no llm"


def allowed(spool: Spool, jobs: Iterable[Job], llm: Llm | None, owner: Owner) -> Iterator[Json]:
    """The opinions about all stages with `auto_bless`; without a model none."""
    for job in jobs if llm else ():
        survey = Survey(spool, job)
        for name, stage in job.stages.items():
            if stage.auto_bless:
                yield from opinions(survey, name, llm, owner)


def opinions(survey: Survey, stage: str, llm: Llm | None, owner: Owner) -> Iterator[Json]:
    """A line for each older version of a stage that made stale results, the most common first: `verdict` and `why`;
    `model`: whose word it is, None if nobody was asked; `blessed`: whether that version counts as the present one now.

    Raises BadConfig: the present version cannot be told; TryAgain: another process is asking.
    """
    now = version_of(survey.job, survey.job.stages[stage])
    older = [one for one in survey.counts[stage].versions.most_common() if one[0] not in survey.present(stage).equal]
    if not older:
        return
    with alone(survey.spool):
        bench = _Bench(survey, stage, now, Asker(llm, survey.spool) if llm else None, owner)
        for version, count in older:
            found = bench.opinion(version)
            row = {"job": survey.job.name, "stage": stage, "version": version, "as": now.id, "results": count}
            yield {**row, **found, "blessed": bench.bless(version, found)}


class _Bench:
    """One stage, and whom to ask about it."""

    def __init__(self, survey: Survey, stage: str, now: Version, asker: Asker | None, owner: Owner) -> None:
        self._spool, self._job, self._stage = survey.spool, survey.job, stage
        self._made, self._now, self._asker, self._owner = survey.counts[stage].made, now, asker, owner

    def opinion(self, version: str) -> Json:
        try:
            lines = self._difference(version)
        except Unproven as error:
            return _word(UNSURE, str(error))
        if fault := fault_of(lines, secrets.scrub):
            return _word(*fault)
        diff = sha256("\n".join(lines).encode(errors="surrogatepass")).hexdigest()
        told = judged(self._spool, self._job.name, self._stage, version, self._now.id, diff)
        return _word(told["verdict"], told["why"], told["by"], diff) if told else self._asked(version, lines, diff)

    def bless(self, version: str, found: Json) -> bool:
        """Whether the old version counts as the present one from now on."""
        if found["verdict"] != COSMETIC or self._job.stages[self._stage].auto_bless != COSMETIC:
            return False
        said = {"by": found["model"], "diff": found["diff"]}
        try:
            bless(self._spool, self._job.name, self._stage, [version], self._now.id, found["why"], self._owner, **said)
        except Unreadable as error:
            raise BadConfig(str(error)) from None
        return True

    def _difference(self, version: str) -> list[str]:
        """Lines as of diff -u, of all that has changed. Raises Unproven."""
        recorded = self._made[version]
        if not is_whole(recorded):
            raise Unproven("what the old version was made of is not on record")
        old = kept_version(self._spool, self._job.name, self._stage, version)
        if old is None:
            raise Unproven("nothing is kept of the old version")
        new, lines = self._now.text(), list[str]()
        for part in changed(recorded, self._now.parts):
            if part == "code":
                lines += _compared(code_of(recorded, old), code_of(self._now.parts, new))
            elif part == "params" or part.startswith(("package ", "value ")):
                raise Unproven(f"{part} has changed: only code and prompts can be judged")
            else:
                lines += _compared({part: file_of(recorded, old, part)}, {part: file_of(self._now.parts, new, part)})
        return lines

    def _asked(self, version: str, lines: list[str], diff: str) -> Json:
        """What the model says now, which is remembered if it says anything."""
        if self._asker is None:
            return _word(UNSURE, NO_MODEL)
        question = sha256(f"{self._job.name} {self._stage} {version} {diff}".encode()).hexdigest()[:16]
        try:
            answer = self._asker.answer(question, prompt_of(lines))
        except (AskedAlready, NotAsked, Spent, NoAnswer) as error:
            return _word(UNSURE, f"no answer: {secrets.scrub(str(error))}")
        try:
            verdict, why = understand(answer.text)
        except ValueError as error:
            verdict, why = UNSURE, secrets.scrub(str(error))
        pair = {"version": version, "as": self._now.id, "verdict": verdict, "why": why, "by": self._asker.name}
        note_judged(self._spool, self._job.name, self._stage, {**pair, "diff": diff}, self._owner)
        return _word(verdict, why, self._asker.name, diff)


def _word(verdict: str, why: str, model: str | None = None, diff: str | None = None) -> Json:
    return {"verdict": verdict, "why": why, "model": model, "diff": diff}


def _compared(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        here, there = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        yield from difflib.unified_diff(here, there, name, name, lineterm="")
