"""Verdict files: `_verdicts/<fingerprint>.yaml`, what was decided about one kind of failure. A person may write or
edit one; whatever stands there wins over the rules, at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, field, structs

from rivus.config.convert import Seconds, convert
from rivus.config.problem import problem_at
from rivus.config.yamltree import read_yaml
from rivus.errors import BadConfig
from rivus.model.diagnosis import Action, Diagnosis, FailureClass
from rivus.model.quantity import format_duration
from rivus.model.times import epoch, utc

LONGEST = 2000
Line = Annotated[str, Meta(max_length=LONGEST)]


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
    """A verdict as it stands in a file: texts in double quotes, cut, and what is not printable escaped."""
    values = {name: value for name, value in structs.asdict(verdict).items() if value not in (None, "")}
    values["written"] = verdict.written or utc(time.time())
    lines = [f"class: {verdict.cls}", f"action: {verdict.action}"]
    if verdict.after is not None:
        lines.append(f"after: {format_duration(verdict.after)}")
    rest = {name: value for name, value in values.items() if name not in ("cls", "action", "after")}
    lines += [f"{name}: {_written(value)}" for name, value in rest.items()]
    return ("\n".join(lines) + "\n").encode(errors="replace")


def _written(value: object) -> str:
    if not isinstance(value, str):
        return str(value)
    text = value[:LONGEST].replace("\0", "?").encode(errors="replace").decode()  # no reader takes a NUL
    return '"' + "".join(one if one.isprintable() and one not in '"\\' else f"\\U{ord(one):08X}" for one in text) + '"'
