"""Measures the budgets on this machine and prints them as a table: median, spread, budget, and the ratio to a floor.

A floor is the least that Python can do for the same promise, measured in the same run, in turn with the command.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
JOBS = """
stages:
  fetch: {handler: bench_steps.noop, concurrency: 16}
  extract: {handler: bench_steps.noop, concurrency: 16}
  score: {handler: bench_steps.noop, concurrency: 16}
"""
ONE = "stages: {fetch: {handler: bench_steps.noop, concurrency: 16}}"
SLOW = "stages: {fetch: {handler: bench_steps.memory}}"
CAPTIONS = "stages: {fetch: {handler: bench_steps.with_ytdlp}}"
STEPS = """
import resource
def noop(item, ctx): return {"ok": 1}
def peak(): return {"kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
def memory(item, ctx): return peak()
def with_ytdlp(item, ctx):
    from rivus.net.ytdlp import open_ytdlp
    open_ytdlp({})
    return peak()
"""
PAGES = {
    "counts by job, stage, state": "SELECT job, stage, state, count(*) FROM tickets GROUP BY 1, 2, 3",
    "100 rows sorted by a column": "SELECT * FROM job_chain ORDER BY number DESC LIMIT 100",
    "facet of a column": "SELECT title, count(*) FROM job_chain GROUP BY title ORDER BY 2 DESC LIMIT 30",
}


@contextmanager
def house() -> Iterator[Path]:
    """A fresh folder with the jobs, on the disk that holds the temporary files."""
    root = Path(tempfile.mkdtemp(prefix="rivus-bench-"))
    (root / "jobs.d").mkdir()
    (root / "spool").mkdir()
    for name, text in {"chain.yaml": JOBS, "one.yaml": ONE, "slow.yaml": SLOW, "captions.yaml": CAPTIONS}.items():
        (root / "jobs.d" / name).write_text(text)
    (root / "jobs.d/bench_steps.py").write_text(STEPS)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def command(root: Path, *argv: str, stdin: str | None = None) -> str:
    """Runs a command to its end; its stdout."""
    whole = [sys.executable, "-m", "rivus.commands", *argv]
    more = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(whole, cwd=root, env=ENV, text=True, stdout=subprocess.PIPE, check=True, **more)  # type: ignore[call-overload]
    return str(done.stdout)


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def lines(count: int, start: int = 0) -> str:
    items = ({"id": start + n, "url": f"https://example.org/{n}", "t": "x" * 60} for n in range(count))
    return "\n".join(json.dumps(item) for item in items)


def row(
    what: str, values: list[float], unit: str, budget: str, floor: list[float] | None = None, more: str = ""
) -> None:
    """One line of the table."""
    middle, spread = statistics.median(values), f"{min(values):.4g}–{max(values):.4g}"
    ratio = statistics.median(a / b for a, b in zip(values, floor, strict=True)) if floor else None
    shown = f"{ratio:.2f} x" if ratio is not None else ""
    print(f"| {what} | {middle:.4g} {unit} | {spread} | {shown} | {budget} | {more} |", flush=True)


def nothing_to_do() -> None:
    with house() as root:
        command(root, "rivus-run", "one")
        for argv in (["rivus-stage", "fetch"], ["rivus-ls"], ["rivus-sweep"], ["rivus-limit"], ["rivus-check"]):
            mine, floor = [], []
            for _ in range(9):
                mine.append(seconds(lambda argv=argv: command(root, *argv)) * 1000)
                click = [sys.executable, "-c", "import click"]
                floor.append(seconds(lambda click=click: subprocess.run(click, check=True)) * 1000)
            row(f"`{' '.join(argv)}`, nothing to do", mine, "ms", "100 ms, 2.5 x `import click`", floor)


def cold() -> None:
    with house() as root:
        one, chain = [], []
        for number in range(5):
            command(root, "rivus-inject", "one", stdin=lines(1, number))
            one.append(seconds(lambda: command(root, "rivus-stage", "one:fetch")))
            command(root, "rivus-inject", "chain", stdin=lines(100, 100 * number))
            chain.append(seconds(lambda: command(root, "rivus-run", "chain")))
        row("one item, one stage, cold, durable", one, "s", "0.15 s")
        row("100 items x 3 stages, durable", chain, "s", "0.5 s")


def floor_rate(count: int) -> float:
    """A bare loop of 16 threads: claim by rename, write, fsync, rename, fsync the directory, unlink."""
    root = Path(tempfile.mkdtemp(prefix="rivus-floor-"))
    for name in ("ready", "run", "done"):
        (root / name).mkdir()
    for number in range(count):
        (root / f"ready/{number}").write_text(lines(1, number))
    folder = os.open(root / "done", os.O_RDONLY)

    def one(number: int) -> None:
        os.rename(root / f"ready/{number}", root / f"run/{number}")
        data = json.dumps(json.loads((root / f"run/{number}").read_text())).encode()
        handle = os.open(root / f"run/.{number}", os.O_WRONLY | os.O_CREAT)
        os.write(handle, data)
        os.fsync(handle)
        os.close(handle)
        os.rename(root / f"run/.{number}", root / f"done/{number}")
        os.fsync(folder)
        os.unlink(root / f"run/{number}")

    with ThreadPoolExecutor(16) as pool:
        taken = seconds(lambda: list(pool.map(one, range(count))))
    os.close(folder)
    shutil.rmtree(root)
    return count / taken


def stage_rate(size: int) -> float:
    with house() as root:
        for start in range(0, size, 50_000):
            command(root, "rivus-inject", "one", stdin=lines(min(50_000, size - start), start))
        return size / seconds(lambda: command(root, "rivus-stage", "one:fetch"))


def rates() -> None:
    sizes = [1_000, 10_000, 100_000] + ([1_000_000] if "--million" in sys.argv else [])
    for size in sizes:
        runs = 3 if size < 100_000 else 1
        floor, mine = [], []
        for _ in range(runs):
            floor.append(floor_rate(min(size, 20_000)))
            mine.append(stage_rate(size))
        row(f"durable stage runs, one process, {size:,} items", mine, "/s", "1,500/s, flat", floor, "floor: bare loop")


def slots() -> None:
    from rivus.limits import Limits, Permit

    class One:
        slots, rate, burst = 1, None, 1

    handed, freed = [], []
    with house() as root:
        limits = Limits(root / "spool/_limits", {"one": One()})
        for _ in range(15):
            handed.append(_handover(limits) * 1000)
        script = (
            "import sys, time\nfrom pathlib import Path\nfrom rivus.limits import Limits\n"
            "class One: slots, rate, burst = 1, None, 1\n"
            "p = Limits(Path(sys.argv[1]), {'one': One()}).acquire('one', stop=lambda: False, patience=1)\n"
            "print('held', flush=True); time.sleep(600)"
        )
        for _ in range(9):
            argv = [sys.executable, "-c", script, str(root / "spool/_limits")]
            holder = subprocess.Popen(argv, env=ENV, stdout=subprocess.PIPE, text=True)
            assert holder.stdout and holder.stdout.readline()
            waiter: list[float] = []
            thread = threading.Thread(target=lambda: waiter.append(_acquired(limits)))  # noqa: B023
            thread.start()
            time.sleep(0.1)
            killed = time.perf_counter()
            holder.send_signal(signal.SIGKILL)
            thread.join()
            freed.append((waiter[0] - killed) * 1000)
            holder.wait()
    assert Permit
    row("slot handed over", handed, "ms", "10 ms")
    row("slot freed after kill -9", freed, "ms", "50 ms")


def _acquired(limits: object) -> float:
    permit = limits.acquire("one", stop=lambda: False, patience=1)  # type: ignore[attr-defined]
    at = time.perf_counter()
    permit.release()
    return at


def _handover(limits: object) -> float:
    permit = limits.acquire("one", stop=lambda: False, patience=1)  # type: ignore[attr-defined]
    waiter: list[float] = []
    thread = threading.Thread(target=lambda: waiter.append(_acquired(limits)))
    thread.start()
    time.sleep(0.05)
    let_go = time.perf_counter()
    permit.release()
    thread.join()
    return waiter[0] - let_go


def memory() -> None:
    with house() as root:
        for job, what, budget in (("slow", "without yt-dlp", "40 MB"), ("captions", "with yt-dlp", "110 MB")):
            sizes = []
            for number in range(3):
                out = command(root, "rivus-stage", f"{job}:fetch", stdin=json.dumps({"id": number}))
                sizes.append(json.loads(out)["data"]["kb"] / 1024)
            row(f"memory of a stage at work, {what}", sizes, "MB", budget)


def index() -> None:
    """100,000 items of three stages from scratch, 1,000 changes, and two pages of a dashboard."""
    import sqlite3

    size = 1_000_000 if "--million" in sys.argv else 100_000
    with house() as root:
        (root / "jobs.d/chain.yaml").write_text(f"{JOBS}columns: {{title: data.t, number: data.id, ok: score.ok}}\n")
        for start in range(0, size, 50_000):
            command(root, "rivus-inject", "chain", stdin=lines(50_000, start))
            command(root, "rivus-run", "chain")
        made = [seconds(lambda: command(root, "rivus-index", "--rebuild")) for _ in range(3)]
        per_item = (root / "spool/index.db").stat().st_size / size
        row(f"index from scratch, {size:,} items x 3 stages", made, "s", "10 s", more=f"{per_item:.0f} bytes an item")
        changed = []
        for number in range(3):
            keys = [f"chain/{number * 1000 + n}" for n in range(1000)]
            command(root, "rivus-move", "retry", "--stage", "score", *keys)
            changed.append(seconds(lambda: command(root, "rivus-sweep")))
        row("index, 1,000 changes, by rivus-sweep", changed, "s", "0.3 s")
        db = sqlite3.connect(f"file:{root}/spool/index.db?mode=ro", uri=True)
        for what, query in PAGES.items():
            taken = [seconds(lambda query=query: db.execute(query).fetchall()) * 1000 for _ in range(5)]
            row(f"page: {what}", taken, "ms", "100 ms")
        db.close()


def story() -> None:
    """A prompt edited among 1,800 items; `python -m tests.bench.story` for more. Not a part of the table."""
    from tests.bench.story import tell

    print("\nA prompt is edited when 1,200 of 1,800 items are done:")
    tell(1_800)


def main() -> None:
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {os.uname().release}; peak memory by getrusage")
    print("| what | median | spread | ratio to floor | budget | |\n|---|---|---|---|---|---|")
    for part in (nothing_to_do, cold, slots, memory, rates, index, story):
        part()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    main()
