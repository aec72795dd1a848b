"""jobs.d/doctor.yaml: which language model the doctor may ask, and how often; without an `llm:` in it, none.

llm:
  base_url: https://api.example.com/v1    # any endpoint that speaks like OpenAI's; or: command: [program, argument]
  model: small
  key: llm_key                            # the name of a secret
  timeout: 30s
  per_day: {calls: 50, usd: 0.50}
  price: {input: 0.15, output: 0.60}      # USD for a million tokens
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct
from msgspec.structs import asdict

from rivus.config.convert import convert
from rivus.config.problem import Finding, Problem, problem_at, quoted
from rivus.config.rules import host_fault, name_fault
from rivus.config.schema import Above0, Text
from rivus.config.yamltree import UNUSABLE, read_yaml
from rivus.errors import BadConfig

DOCTOR = "doctor.yaml"
_OF_ENDPOINT = ("model", "key", "price", "allow_private_hosts")


class PerDay(Struct, frozen=True, kw_only=True):
    """What may be used between two midnights (UTC). usd needs a price, or it could not be held."""

    calls: Annotated[int, Meta(ge=0, le=1000)] = 50
    usd: Annotated[float, Meta(ge=0)] | None = None


class Price(Struct, frozen=True, kw_only=True):
    """USD for a million tokens."""

    input: Annotated[float, Meta(ge=0)]
    output: Annotated[float, Meta(ge=0)]


class LlmFields(Struct, frozen=True, kw_only=True):
    """timeout: seconds for one answer. key: the name of a secret. allow_private_hosts: as in a job."""

    base_url: Text | None = None
    model: Text | None = None
    key: Text | None = None
    command: Annotated[list[Text], Meta(min_length=1)] | None = None
    timeout: Annotated[Above0, Meta(le=600)] = 30.0
    per_day: PerDay = PerDay()
    price: Price | None = None
    allow_private_hosts: list[str] = []


class Llm(LlmFields, frozen=True, kw_only=True):
    """A model that can be asked: `base_url` and `model`, or `command`. folder: jobs.d, where a command starts."""

    folder: Path

    @property
    def name(self) -> str:
        """What verdicts call it."""
        return f"model {self.model}" if self.command is None else f"command {Path(self.command[0]).name}"


class _DoctorFields(Struct, frozen=True, kw_only=True):
    llm: LlmFields | None = None


def load_doctor(folder: Path) -> Llm | None:
    """The model that doctor.yaml in `folder` names, None without one. Raises BadConfig with all problems."""
    llm, problems = read_doctor(folder)
    if problems:
        raise BadConfig("\n".join(map(str, problems)))
    return llm


def read_doctor(folder: Path) -> tuple[Llm | None, list[Problem]]:
    """The same, with the problems handed over; with any of them there is no model."""
    path = folder / DOCTOR
    if not os.path.lexists(path):
        return None, []
    tree = read_yaml(path)
    fields, found = convert({} if tree.value is None else tree.value, _DoctorFields)
    llm = None if fields is UNUSABLE else fields.llm
    if isinstance(llm, LlmFields):
        found += _findings(llm)
    problems = sorted([*tree.problems, *(problem_at(tree.file, tree.marks, finding) for finding in found)])
    if problems or llm is None:
        return None, problems
    return Llm(**asdict(llm), folder=folder.absolute()), []


def _findings(llm: LlmFields) -> Iterator[Finding]:
    """All that is wrong besides the types. Parts can be UNUSABLE, which was reported."""
    if (llm.base_url is None) == (llm.command is None):
        yield ("llm",), "needs either base_url or command"
    elif llm.base_url is not None:
        yield from _endpoint_findings(llm)
    else:
        others = (name for name in _OF_ENDPOINT if getattr(llm, name))
        yield from ((("llm", name), "has a meaning only with base_url") for name in others)
    if isinstance(llm.per_day, PerDay) and llm.per_day.usd is not None and llm.price is None:
        yield ("llm", "per_day", "usd"), "cannot be held without a price: give price, or cap only the calls"


def _endpoint_findings(llm: LlmFields) -> Iterator[Finding]:
    if llm.model is None:
        yield ("llm",), "missing field 'model'"
    if isinstance(llm.base_url, str) and (fault := _url_fault(llm.base_url)):
        yield ("llm", "base_url"), fault
    if isinstance(llm.key, str) and name_fault(llm.key):
        yield ("llm", "key"), "is not the name of a secret: the key itself never stands in jobs.d"
    hosts = llm.allow_private_hosts if isinstance(llm.allow_private_hosts, list) else []
    for number, host in enumerate(hosts):
        if isinstance(host, str) and (fault := host_fault(host)):
            yield ("llm", "allow_private_hosts", number), fault


def _url_fault(url: str) -> str:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        whole = False
    if not whole or not url.isprintable() or " " in url:
        return f"{quoted(url)} is not the http or https address of an endpoint"
    if parts.username is not None or parts.query or parts.fragment:
        return "holds a user, a query or a fragment: a key is named in `key`"
    return ""
