"""A job that ships, run as it is but for its hosts, its secrets and the pace of its limits.

    job = ship(house, "company_news", {"finnhub": world.url, "llm": model.url})
    job.run()
    assert job.outputs("score")[key]["value"] > 5
    assert job.rows()[0]["title"] == …

Everything runs as a person would run it: the commands are real processes.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rivus.config.load import load_jobs
from rivus.index.update import update, writing
from rivus.plugins import Kind, find
from rivus.plugins import parameters as parameters_of
from rivus.spool.layout import Spool
from tests.conftest import ROOT, House
from tests.model_server import Reply, completion

SECRETS = {"finnhub_token": "test-token", "llm_api_key": "k3y-of-the-test"}
"""`test-token` is the one that the recorded world takes."""
PACE = {"slots": 4, "rate": "1000/s", "burst": 1000}
Hosts = Mapping[str, str]


@dataclass
class Shipped:
    """One job of jobs.d in a house of its own. job: what its file says, after the changes."""

    house: House
    name: str
    job: dict[str, Any]
    secrets: dict[str, str]

    def run(self, code: int = 0) -> list[Any]:
        """`rivus-run NAME`; gives the lines that it prints: each stage's end of each item."""
        return self.command("rivus-run", self.name, "--linger", "0s", code=code)

    def command(self, *argv: str, code: int = 0, stdin: str | None = None) -> list[Any]:
        env = {f"RIVUS_SECRET_{name.upper()}": value for name, value in self.secrets.items()}
        return self.house.run(*argv, code=code, stdin=stdin, env=env).lines

    def keys(self, stage: str, box: str = "done") -> list[str]:
        """The true keys of what lies in a box, sorted."""
        return sorted(ticket["key"] for ticket in self._tickets(stage, box))

    def outputs(self, stage: str) -> dict[str, Any]:
        """key -> output, of what the stage has done; {} of what it skipped."""
        return {ticket["key"]: ticket.get("output") or {} for ticket in self._tickets(stage, "done")}

    def reasons(self, stage: str, box: str = "failed") -> dict[str, str]:
        """key -> why its last try ended as it did."""
        return {one["key"]: str(one["attempts"][-1].get("reason")) for one in self._tickets(stage, box)}

    def rows(self) -> list[dict[str, Any]]:
        """The job's view in the index, by key."""
        root = str(self.house.root / "spool")
        spool = Spool(root, f"{root}/_limits")
        with writing(spool, wait=lambda: False):
            update(spool, load_jobs(self.house.root / "jobs.d"))
        return self.select(f'SELECT * FROM "job_{self.name}" ORDER BY key')

    def select(self, query: str) -> list[dict[str, Any]]:
        """Rows of the index as the last `rows` left it."""
        with sqlite3.connect(self.house.root / "spool/index.db") as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(query)]

    def shown_query(self) -> str:
        """The SQL that the comment at the top of the job's file shows."""
        comment, _, _ = (ROOT / "jobs.d" / f"{self.name}.yaml").read_text("utf-8").partition("\n\n")
        return "SELECT " + comment.replace("#", "").partition("SELECT ")[2]

    def _tickets(self, stage: str, box: str) -> list[Any]:
        folder = self.house.root / "spool" / self.name / stage / box
        return [json.loads(file.read_text()) for file in folder.glob("*.json")] if folder.is_dir() else []


def told(body: dict[str, Any]) -> Any:
    """What a model is told of the item, from the body of its request: so a reply can depend on it."""
    _, data, _ = body["messages"][-1]["content"].split("\n")
    return json.loads(data)


def answers(reply: Callable[[Any], Any]) -> Callable[[dict[str, Any]], Reply]:
    """A model (`tests.model_server`) that answers with `reply(told(body))` as JSON."""
    return lambda body: completion(json.dumps(reply(told(body))), prompt_tokens=1000, completion_tokens=100)


def ship(
    house: House, name: str, hosts: Hosts, change: Callable[[dict[str, Any]], object] = lambda job: None, **secrets: str
) -> Shipped:
    """Puts jobs.d/NAME.yaml, and what it needs beside it, into the house.

    hosts: who is asked instead of the real hosts. A name such as `finnhub` sets `base_url` of the strategies and
    handlers whose names begin with it; an address (`https://www.sec.gov`) is replaced wherever the file says it.
    change: makes any other change to the job as it was read. secrets: besides those that all jobs share.
    """
    folder = house.root / "jobs.d"
    shutil.copytree(ROOT / "jobs.d", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.yaml", "__pycache__"))
    shutil.copy(ROOT / "jobs.d/prices.yaml", folder)
    text = (ROOT / "jobs.d" / f"{name}.yaml").read_text("utf-8")
    for real, other in hosts.items():
        text = text.replace(real, other) if "://" in real else text
    job = yaml.safe_load(text)
    job |= {"enabled": True, "allow_private_hosts": ["127.0.0.1"]}
    _point(job, folder, {family: url for family, url in hosts.items() if "://" not in family})
    change(job)
    (folder / f"{name}.yaml").write_text(json.dumps(job, indent=1), "utf-8")
    _write_limits(folder)
    return Shipped(house, name, job, {**SECRETS, **secrets})


def _point(job: dict[str, Any], folder: Path, families: Hosts) -> None:
    """Sets `base_url` where a source (`finnhub_ipo`) or a handler (`finnhub.quote`) is of one of the families, and
    has such a parameter."""
    discover = job.get("discover", {})
    places: list[tuple[Kind, str, dict[str, Any]]] = [("source", discover.get("strategy", ""), discover)]
    for stage in (one for one in job["stages"].values() if "handler" in one):
        places.append(("handler", stage["handler"], stage.setdefault("with", {})))
    for kind, called, parameters in places:
        for family, url in families.items():
            asked = re.match(rf"{family}([._]|$)", called)
            if asked and "base_url" in parameters_of(find(kind, called, folder)):
                parameters["base_url"] = url


def _write_limits(folder: Path) -> None:
    """The limits by their names, as fast as loopback is."""
    limits = yaml.safe_load((ROOT / "jobs.d/limits.yaml").read_text("utf-8"))
    (folder / "limits.yaml").write_text(json.dumps(dict.fromkeys(limits, PACE)), "utf-8")
