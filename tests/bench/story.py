"""python -m tests.bench.story [ITEMS]: a prompt is edited when two thirds of the items (18,000) are done.

Six stages by real commands: discover, run, edit, ask what is stale and what it costs, reset in three steps, run, go on
with the last third; then a seventh stage with a budget. How often each handler is called is counted in a file by the
handler itself, and every count that follows from the story is asserted; the times are printed.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.__main__ import command, seconds

JOB = """
discover: {strategy: command, command: [./list]}
stages:
  fetch:    {handler: story_steps.fetch, concurrency: 8}
  clean:    {handler: story_steps.clean, concurrency: 8}
  extract:  {handler: story_steps.extract, concurrency: 8, retry: [], breaker: 0, version_deps: [prompts/extract.md]}
  classify: {handler: story_steps.classify, concurrency: 8}
  summary:  {handler: story_steps.summary, needs: [extract], concurrency: 8}
  score:    {handler: story_steps.score, needs: [classify, summary], concurrency: 8}
"""
SEVENTH = "  rate:     {handler: story_steps.rate, needs: [extract], concurrency: 4, budget: {usd: %.3f}}\n"
LIST = """#!/usr/bin/awk -f
BEGIN { for (n = 0; n < COUNT; n++)
    printf "{\\"id\\": \\"%06d\\", \\"title\\": \\"number %d\\", \\"n\\": %d}\\n", n, n, n }
"""
STEPS = '''
import os
from pathlib import Path
from rivus.model.outcome import ItemFailed

HERE = Path(__file__).parent

def count(name):
    """One byte for each call."""
    file = os.open(HERE / "calls" / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, b".")
    os.close(file)

def fetch(item, ctx):
    count("fetch")
    return {"page": "<p>" + item["title"] + "</p>" + "x" * 500}

def clean(item, ctx):
    count("clean")
    return {"text": item["page"][3:40]}

def extract(item, ctx):
    count("extract")
    ctx.cost(usd=0.002)
    if item["n"] >= BAD_FROM and item["n"] % 100 == 7:
        raise ItemFailed("nothing to extract")
    new = "briefly" in (HERE / "prompts/extract.md").read_text()
    return {"facts": item["n"] + (1000000 if new and item["n"] % 3 else 0)}

def classify(item, ctx):
    count("classify")
    return {"kind": "late" if item["facts"] >= 1000000 else "early"}

def summary(item, ctx):
    count("summary")
    return {"short": str(item["facts"] % 1000000)}

def score(item, ctx):
    count("score")
    return {"value": len(item["kind"])}

def rate(item, ctx):
    count("rate")
    ctx.cost(usd=0.001)
    return {"rating": item["facts"] % 10}
'''
STAGES = ("fetch", "clean", "extract", "classify", "summary", "score")


@dataclass
class Story:
    """The folder with jobs.d and spool, and how many items there are in all and before the edit."""

    root: Path
    items: int

    @property
    def before(self) -> int:
        return self.items * 2 // 3

    def write(self, listed: int, budget: float | None = None) -> None:
        job = JOB + (SEVENTH % budget if budget else "")
        steps = STEPS.replace("BAD_FROM", str(self.before))
        for name, text in {
            "story.yaml": job,
            "story_steps.py": steps,
            "list": LIST.replace("COUNT", str(listed)),
        }.items():
            (self.root / "jobs.d" / name).write_text(text)
        (self.root / "jobs.d/list").chmod(0o755)

    def prompt(self, text: str) -> None:
        (self.root / "jobs.d/prompts/extract.md").write_text(text)

    def calls(self) -> dict[str, int]:
        """How often each handler was called so far."""
        return {file.name: file.stat().st_size for file in (self.root / "jobs.d/calls").iterdir()}

    def stale(self) -> dict[str, int]:
        rows = [json.loads(line) for line in command(self.root, "rivus-stale", "--json").splitlines()]
        return {row["stage"]: row["stale"] for row in rows if row["stale"]}

    def reset(self, stage: str, *more: str) -> int:
        return len(command(self.root, "rivus-stale", "reset", f"story:{stage}", "--json", *more).splitlines())

    def work(self, *stages: str) -> None:
        """One process for each stage, one after the other."""
        for stage in stages:
            command(self.root, "rivus-stage", f"story:{stage}", "--no-stdin")

    def counts(self, stage: str) -> dict[str, int]:
        boxes = (self.root / "spool/story" / stage).iterdir()
        return {box.name: sum(1 for _ in box.glob("*.json")) for box in boxes if box.is_dir()}


def tell(items: int) -> None:
    """Plays the story and prints a line for each step."""
    root = Path(tempfile.mkdtemp(prefix="rivus-story-"))
    try:
        for name in ("jobs.d/prompts", "jobs.d/calls", "spool"):
            (root / name).mkdir(parents=True)
        story = Story(root, items)
        begin(story)
        edit(story)
        seventh(story)
        size = subprocess.run(["du", "-sm", root / "spool"], capture_output=True, text=True, check=True).stdout.split()[
            0
        ]
        print(f"spool {size} MB on the disk")
    finally:
        shutil.rmtree(root, ignore_errors=True)


def begin(story: Story) -> None:
    story.write(story.before)
    story.prompt("Give the facts.")
    step(f"discover {story.before:,}", lambda: command(story.root, "rivus-discover", "story"))
    step(f"six stages of {story.before:,}", lambda: story.work(*STAGES))
    assert story.calls() == dict.fromkeys(STAGES, story.before)
    assert story.stale() == {}


def edit(story: Story) -> None:
    """The prompt changes: of a third of the items the same comes out of extract, and of all of them out of summary."""
    many, differ = story.before, sum(1 for n in range(story.before) if n % 3)
    story.prompt("Give the facts briefly.")
    step("rivus-stale after the edit", lambda: same(story.stale(), {"extract": many}))
    print(command(story.root, "rivus-stale").rstrip())
    step("reset --limit", lambda: same(story.reset("extract", "--limit", str(many // 12)), many // 12))
    paid = many // 6
    step("reset --budget", lambda: same(story.reset("extract", "--budget", f"{paid * 0.002 + 0.001:.3f}"), paid))
    step("extract again, what was reset", lambda: story.work("extract"))
    assert story.calls()["extract"] == many + many // 12 + paid
    step("reset the others", lambda: story.reset("extract"))
    step("extract again, the others", lambda: story.work(*STAGES))
    step("rivus-stale", lambda: same(story.stale(), dict.fromkeys(("classify", "summary", "score"), differ)))
    for stage in ("classify", "summary"):
        step(f"reset {stage}", lambda stage=stage: same(story.reset(stage), differ))
    step("classify and summary again", lambda: story.work("classify", "summary", "score"))
    step("reset score", lambda: same(story.reset("score"), differ))
    step("score again", lambda: story.work("score"))
    assert story.stale() == {}
    again = {"extract": many, "classify": differ, "summary": differ, "score": differ}
    assert story.calls() == {stage: many + again.get(stage, 0) for stage in STAGES}
    print(f"    called again: {again}; fetch and clean never; cut off early: {many - differ:,} in each that follows")


def seventh(story: Story) -> None:
    """The last third comes, of which extract fails for some; then a stage is added that may spend for half of it."""
    story.write(story.items)
    rest = story.items - story.before
    bad = sum(1 for n in range(story.before, story.items) if n % 100 == 7)
    step(f"discover and run the other {rest:,}", lambda: command(story.root, "rivus-run", "story"))
    valid, half = story.items - bad, (story.items - bad) // 2
    assert story.counts("extract")["done"] == valid and story.counts("extract")["failed"] == bad
    old = story.calls()
    story.write(story.items, half * 0.001)
    step(f"a seventh stage, with money for {half:,}", lambda: story.work("rate"))
    rated = story.calls()["rate"]
    assert half <= rated < half + 4, "a budget stops before the next item: not more than those at work exceed it"
    assert story.counts("rate")["later"] == valid - rated and not story.counts("rate")["ready"]
    print(f"    {rated:,} rated of {half:,} paid for; {valid - rated:,} wait for the next day")
    story.write(story.items, story.items)
    step("the budget raised: sweep", lambda: command(story.root, "rivus-sweep"))
    step("the others", lambda: story.work("rate"))
    assert story.calls() == {**old, "rate": valid}
    assert story.counts("rate")["wait"] == bad and story.stale() == {}


def step(what: str, action: Callable[[], object]) -> None:
    taken = seconds(action)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{what:42} {taken:7.2f} s   largest process so far {peak:4.0f} MB", flush=True)


def same(found: object, expected: object) -> None:
    assert found == expected, f"{found}, not {expected}"


if __name__ == "__main__":
    tell(int(sys.argv[1]) if sys.argv[1:] and re.fullmatch(r"\d+", sys.argv[1]) else 18_000)
