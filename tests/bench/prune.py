"""python -m tests.bench.prune [--items N] [--folder DIR]: what archiving a large job takes, and what it gives.

Makes a job of one stage with N finished items, archives all of them, and prints the figures as one JSON object. Needs
about 9 KiB and two inodes an item in DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rivus.config import load_jobs
from rivus.config.schema import Job
from rivus.model.context import Found
from rivus.model.item import Ticket, digest, file_name
from rivus.model.states import Box
from rivus.model.times import utc
from rivus.spool import known
from rivus.spool.archive import restore
from rivus.spool.layout import Spool, open_spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.spool.reader import dump
from rivus.work.prune import prune

DAY = 86_400.0
LOOKUPS = 20_000
SHOWN = 500


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--folder")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="rivus-prune-", dir=given.folder))
    try:
        print(json.dumps(measure(folder, given.items), indent=1))
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, items: int) -> dict[str, object]:
    (folder / "jobs.d").mkdir()
    (folder / "spool").mkdir()
    (folder / "jobs.d/job.yaml").write_text("stages: {fetch: {command: [cat]}}\nkeep: {done: 30d}\n")
    job = load_jobs(folder / "jobs.d").jobs["job"]
    spool = open_spool(str(folder / "spool"))
    spool.prepare(job.plan)
    figures: dict[str, object] = {"items": items, "made_s": timed(lambda: fill(spool, items))}
    figures["before"] = size(f"{spool.root}/job")
    figures["discovery_before_ms"] = shown(spool, job, items)
    figures["prune_s"] = timed(lambda: prune(spool, job, time.time()))
    figures["peak_MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    figures["after"] = size(f"{spool.root}/job")
    figures["archived"] = known.count(spool.archive("job"))
    figures["discovery_after_ms"] = shown(spool, job, items)
    figures["known_per_s"] = lookups(spool, lambda: key(random.randrange(items)), True)
    figures["unknown_per_s"] = lookups(spool, lambda: f"new{random.random()}", False)
    figures["restore_ms"] = round(timed(lambda: back(spool, job, items)) * 10, 2)
    os.unlink(f"{spool.archive('job')}/known.db")
    figures["index_anew_s"] = timed(lambda: spool.known("job", "never.json"))
    return figures


def key(number: int) -> str:
    return f"video-{digest(number)[:11]}"


def fill(spool: Spool, items: int) -> None:
    """Finished items, as a stage leaves them, spread over the last three years."""
    now = time.time()
    for number in range(items):
        ended = now - (31 + 1000 * number / items) * DAY
        data = {"url": f"https://example.org/watch?v={digest(number)[:11]}", "title": f"Number {number}"}
        ticket = Ticket("job", key(number), data, {"discovered": utc(ended), "strategy": "feed"})
        write(f"{spool.births('job')}/{ticket.name}", dump(ticket.to_json()), ended)
        ticket.output = {"text": digest(number) * 4}
        ticket.receipt = {"owner": "bench", "ended": utc(ended), "output": digest(ticket.output)}
        write(spool.ticket("job", "fetch", Box.DONE, ticket.name), dump(ticket.to_json()), ended)


def write(path: str, raw: bytes, when: float) -> None:
    Path(path).write_bytes(raw)
    os.utime(path, (when, when))


def timed(act: Callable[[], object]) -> float:
    started = time.monotonic()
    act()
    return round(time.monotonic() - started, 2)


def size(folder: str) -> dict[str, int]:
    """What it takes on the disk, and how many files."""
    found = [os.lstat(f"{where}/{name}").st_blocks for where, _, names in os.walk(folder) for name in names]
    return {"MiB": sum(found) >> 11, "files": len(found)}


def shown(spool: Spool, job: Job, items: int) -> float:
    """Milliseconds for a look of a source that shows SHOWN items, all of them known."""
    found = [Found(key(random.randrange(items)), {}) for _ in range(SHOWN)]
    tickets = [Ticket("job", one.key, {"n": 1}, {}) for one in found]
    with Owner(spool) as owner:
        started = time.monotonic()
        assert publish(spool, job.plan, tickets, owner) == []
        return round((time.monotonic() - started) * 1000, 1)


def lookups(spool: Spool, keys: Callable[[], str], expected: bool) -> int:
    asked = [file_name(keys()) for _ in range(LOOKUPS)]
    started = time.monotonic()
    assert all(spool.known("job", name) is expected for name in asked)
    return round(LOOKUPS / (time.monotonic() - started))


def back(spool: Spool, job: Job, items: int) -> None:
    with Owner(spool) as owner:
        for number in some(items):
            assert restore(spool, job.plan, file_name(key(number)), owner)


def some(items: int) -> Iterator[int]:
    yield from random.sample(range(items), 100)


if __name__ == "__main__":
    main()
