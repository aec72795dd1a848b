"""Verdict files: `_verdicts/<fingerprint>.yaml`, what was decided about one kind of failure. A person may write or
edit one; whatever stands there wins over the rules, at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import yaml
from msgspec import Meta, Struct, field, structs

from rivus.config.convert import Seconds, convert
from rivus.config.problem import problem_at
from rivus.config.yamltree import read_yaml
from rivus.errors import BadConfig
from rivus.model.diagnosis import Action, Diagnosis, FailureClass
from rivus.model.quantity import format_duration
from rivus.model.times import epoch, utc

Line = Annotated[str, Meta(max_length=2000)]


class Verdict(Struct, frozen=True, kw_only=True):
    """after: seconds, for the actions that wait. by: a person, a model, a rule. seen: how many items had it when this
    was written. expires: ISO 8601 in quotes; afterwards the rules decide again."""

    cls: FailureClass = field(name="class")
    action: Action
    after: Seconds | None = None
    by: Line = "person"
    why: Line = ""
    handler: Line = ""
    example: Line = ""
    seen: int = 0
    written: Line = ""
    expires: Line | None = None

    def diagnosis(self) -> Diagnosis:
        """What it says, as the rules would say it."""
        return Diagnosis(self.cls, self.action, self.after, f"verdict by {self.by}", self.why)


def read_verdict(folder: str, fingerprint: str, now: float) -> Verdict | None:
    """The verdict on a kind of failure, None if there is none or it has expired. Raises BadConfig for a file that
    cannot be understood, with every mistake and its place."""
    path = Path(folder) / f"{fingerprint}.yaml"
    if not path.is_file():
        return None
    tree = read_yaml(path)
    verdict, findings = convert(tree.value, Verdict)
    if not tree.problems and not findings:
        try:
            return verdict if verdict.expires is None or epoch(verdict.expires) > now else None
        except ValueError:
            findings = [(("expires",), "is not an ISO 8601 time")]
    problems = [*tree.problems, *(problem_at(tree.file, tree.marks, finding) for finding in findings)]
    raise BadConfig("\n".join(map(str, problems)))


def render_verdict(verdict: Verdict) -> bytes:
    """A verdict as it stands in a file."""
    values = {name: value for name, value in structs.asdict(verdict).items() if value not in (None, "")}
    values["written"] = verdict.written or utc(time.time())
    if verdict.after is not None:
        values["after"] = format_duration(verdict.after)
    named = {"class" if name == "cls" else name: _plain(value) for name, value in values.items()}
    return yaml.safe_dump(named, sort_keys=False, allow_unicode=True, width=100).encode()


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value
