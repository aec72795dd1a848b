"""A job whose items are done, in this process, and a replay of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rivus.config import load_job
from rivus.limits import Limits
from rivus.model.item import Ticket, file_name
from rivus.replay.again import Replay, Replayed
from rivus.replay.many import Replays, done
from rivus.replay.scratch import Scratch
from rivus.spool.layout import Spool, open_spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.work.crew import Crew
from rivus.work.run import StageRun

JOB = """
stages:
  fetch: {handler: my.fetch, timeout: 20s, retry: []}
  extract: {handler: my.extract, expect: {min_length: {text: 2}}}
  emit: {handler: my.emit}
allow_private_hosts: [127.0.0.1]
"""
CODE = """
import time
from rivus.model.outcome import Halt, ItemFailed, Skip, SourceBlocked

def mode(ctx):
    file = ctx.folder / "mode"
    return file.read_text() if file.is_file() else ""

def fetch(item, ctx):
    word = mode(ctx)
    (ctx.state / "calls").open("a").write("x")
    if word == "pay":
        ctx.cost(usd=0.5)
    if item.get("do") == "fail" and word != "mended":
        raise ItemFailed("it is bad")
    if word == "halt":
        raise Halt("no credential")
    if word == "blocked":
        raise SourceBlocked("go away")
    if word == "hang":
        time.sleep(60)
    if "url" in item:
        return {"raw": ctx.http.get(item["url"] + ("?more" if word == "ask" else "")).text}
    file = ctx.workdir / "raw.txt"
    file.write_text(f"{item['title']}!" if word == "file" else item["title"])
    return {"raw": item["title"], "file": ctx.name(file)}

def extract(item, ctx):
    word = mode(ctx)
    if item.get("title") == "none" or word == "skip":
        raise Skip("nothing here")
    text = ctx.path(item["file"]).read_text() if "file" in item else item["raw"]
    if word == "spoil":
        ctx.path(item["file"]).write_text("spoilt")
    if word == "empty":
        text = ""
    if word == "odd" and item["title"] in ("t1", "t4"):
        raise ItemFailed("an odd one")
    return {"text": text.upper() if word == "upper" else text, "words": [{"n": len(text)}]}

def emit(item, ctx):
    for number in range(3 if mode(ctx) == "more" else 2):
        ctx.emit(f"{ctx.key}-{number}", {"n": number}, job="pages")
    return {"emitted": True}
"""
PAGES = "stages: {read: {handler: captions.text}}\n"


class Home:
    """`mode` is what the code does from now on."""

    def __init__(self, root: Path, job: str = JOB) -> None:
        self.folder = root / "jobs.d"
        self.folder.mkdir()
        (root / "spool").mkdir()
        (root / "scratch").mkdir()
        for name, text in {"demo.yaml": job, "my.py": CODE, "pages.yaml": PAGES}.items():
            (self.folder / name).write_text(text)
        self.scratch = str(root / "scratch")
        self.spool: Spool = open_spool(str(root / "spool"))

    def mode(self, word: str) -> None:
        (self.folder / "mode").write_text(word)

    def work(self, *items: dict[str, Any], record: bool = False) -> None:
        """Publishes the items and runs every stage until nothing is left."""
        job = load_job(self.folder, "demo")
        with Owner(self.spool) as owner:
            self.spool.prepare(job.plan)
            publish(self.spool, job.plan, [Ticket("demo", data["id"], data, {}) for data in items], owner)
            limits = Limits(Path(self.spool.limits), job.limits)
            crew = Crew(self.spool, owner, limits, lambda line: None, linger=0.0, record=record)
            for stage in job.stages.values():
                StageRun(crew, job, stage)
            crew.drain()

    def replay(self, stage: str, *keys: str, offline: bool = False, sample: int = 20) -> Replays:
        """Of these items, or of a sample."""
        job = load_job(self.folder, "demo")
        scratch = Scratch(self.scratch, self.spool, "demo", stage)
        replay = Replay(self.spool, job, job.stages[stage], scratch, offline=offline)
        names = [file_name(key) for key in keys] or done(self.spool, "demo", stage, sample)
        return Replays(replay, names, job.stages[stage].concurrency)

    def one(self, stage: str, key: str = "a", offline: bool = False) -> Replayed:
        (only,) = self.replay(stage, key, offline=offline)
        return only

    def snapshot(self, without: Callable[[str], bool] = lambda path: False) -> dict[str, tuple[float, str]]:
        """Every file of the spool: when it was changed and what it holds."""
        found = {}
        for folder, _, files in os.walk(self.spool.root):
            for path in (f"{folder}/{name}" for name in files):
                if not without(path):
                    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
                    found[path] = os.stat(path).st_mtime, digest
            found[folder] = 0.0, ""
        return found
