"""Workers that are killed all the time: nothing is lost, and nothing is done more often than the kills explain."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter

import pytest

from tests.conftest import House

JOB = """
stages:
  fetch: {handler: effect.once, concurrency: 2, interruptions: 1000}
  extract: {handler: effect.once, concurrency: 2, interruptions: 1000}
  score: {handler: effect.once, concurrency: 2, interruptions: 1000}
"""
EFFECT = """
import os, time

def once(item, ctx):
    line = f"{os.environ['STAGE']} {ctx.key}\\n".encode()
    handle = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line)
    os.close(handle)
    time.sleep(0.002)
    return {"ok": True}
"""
STAGES = ("fetch", "extract", "score")


def soak(house: House, items: int, workers: int, every: float, seconds: float) -> tuple[int, int]:
    """Kills one of the workers `every` so often, then lets them end. Gives the kills and the kills that hit an item."""
    house.job("demo", JOB, effect=EFFECT)
    house.run("rivus-inject", "demo", stdin="\n".join(json.dumps({"id": f"i{n}"}) for n in range(items)))
    effects = house.root / "effects"
    crew: list[subprocess.Popen[str]] = []
    end, kills, chance = time.monotonic() + seconds, 0, random.Random(7)

    def start(number: int) -> subprocess.Popen[str]:
        stage = STAGES[number % len(STAGES)]
        env = {"STAGE": stage, "EFFECTS": str(effects)}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return house.start("rivus-stage", f"demo:{stage}", "--linger", "0s", env=env, **quiet)

    crew = [start(number) for number in range(workers)]
    while time.monotonic() < end:
        time.sleep(every)  # the pace of the kills, which is what is tested
        number = chance.randrange(workers)
        crew[number].send_signal(signal.SIGKILL)
        crew[number].wait()
        crew[number] = start(kills + number)
        kills += 1
    for worker in crew:
        worker.kill()
        worker.wait()
    for stage in STAGES:
        house.run("rivus-sweep")
        house.run("rivus-stage", f"demo:{stage}", env={"STAGE": stage, "EFFECTS": str(effects)})
    return kills, check(house, items)


def check(house: House, items: int) -> int:
    done = Counter((house.root / "effects").read_text().splitlines())
    hits = 0
    for stage in STAGES:
        assert len(house.box("demo", stage, "done")) == items
        for number in range(items):
            attempts = house.ticket("demo", stage, "done", f"i{number}.json")["attempts"]
            interrupted = sum(1 for attempt in attempts if attempt["outcome"] == "interrupted")
            assert 1 <= done[f"{stage} i{number}"] <= 1 + interrupted
            hits += interrupted
    house.run("rivus-sweep")
    assert os.listdir(house.root / "spool/_owners") == []
    assert os.listdir(house.root / "spool/_rejected") == []
    return hits


def test_workers_killed_every_tenth_of_a_second_lose_nothing(house: House) -> None:
    kills, hits = soak(house, items=150, workers=3, every=0.1, seconds=4)
    assert kills > 10
    assert hits > 0


@pytest.mark.torture
def test_four_workers_killed_every_50_ms_for_20_s_lose_nothing(house: House) -> None:
    kills, hits = soak(house, items=1500, workers=4, every=0.05, seconds=20)
    print(f"{kills} kills, {hits} of them hit an item")
    assert kills > 100
