"""A spool as it looks after some months: jobs, items in every state, failures of several kinds, costs, hostile texts.

The files are written directly, as rivus writes them, so that 100,000 items take seconds. `python -m tests.dash.house
FOLDER ITEMS` makes FOLDER/jobs.d and FOLDER/spool; the same number gives the same items, ended the same time ago.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from rivus.config import load_jobs
from rivus.model.item import file_name
from rivus.model.plan import Plan
from rivus.model.times import utc
from rivus.spool.layout import Spool, open_spool
from rivus.versions.parts import version_of

DAY = 86400.0
FOREVER = 4102444800.0
LIMITS = "youtube: {slots: 4, rate: 250/h, burst: 10}\nfinnhub: {slots: 2, rate: 50/min}\nllm: {slots: 2}\n"
JOBS = {
    "dml": """
title: Dumb Money Live
discover: {strategy: files, glob: "in/*", every: 1h, limit: youtube}
stages:
  fetch: {command: [cat], limit: youtube}
  extract: {command: [cat]}
  score: {command: [cat], limit: llm}
columns: {title: data.title, published: data.published, topic: score.topic, score: score.value, words: extract.words}
search: [title, topic]
""",
    "earnings": """
title: Earnings calendar
discover: {strategy: files, glob: "in/*", every: 1d, limit: finnhub}
stages:
  report: {command: [cat], limit: finnhub}
  notify: {command: [cat]}
columns: {title: data.title, symbol: data.symbol, date: data.date, surprise: report.surprise}
search: [title, symbol]
""",
    "letters": """
title: Letters to shareholders
discover: {strategy: files, glob: "in/*", every: 6h}
stages:
  fetch: {command: [cat]}
  text: {command: [cat]}
columns: {title: data.title, year: data.year}
""",
}
PLANS = {
    "dml": {"fetch": (), "extract": ("fetch",), "score": ("extract",)},
    "earnings": {"report": (), "notify": ("report",)},
    "letters": {"fetch": (), "text": ("fetch",)},
}
SHARE = {"dml": 0.7, "earnings": 0.2, "letters": 0.1}
TOPICS = ("short interest", "earnings", "tariffs", "options", "crypto", "housing")
WORDS = (
    "Why the market is wrong about the next quarter", "A squeeze nobody sees", "What we bought on Monday",
    "Conviction and how to lose it", "Margin calls at midnight", "The trade of the year, again",
    "Listener questions on dividends", "Tariffs, then everything else",
)  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>", "{{ 7 * 7 }} {% raw %}", "‮txet desrever‬ and back",
    'quotes " \' ` and &amp; &lt;b&gt;', "line one\nline two\ttabbed", "x" * 700, "🐂🐻 " * 30,
    "javascript:alert(document.domain)",
)  # fmt: skip
KEYS = (
    "a/b/c", "it's \"quoted\"", "ключ и ещё", "50%25 off", "?q=1&x=2#top", "key.json", "<b>bold</b>", "~tilde~",
    "k" * 400,
)  # fmt: skip
TROUBLES: tuple[tuple[str, str, str, str], ...] = (
    ("rate_limited", "HTTPError", "429 Too Many Requests for url: https://video.example/watch?v=…", "pause_source"),
    ("not_yet_available", "NoCaptions", "no captions yet; the video is 20 minutes old", "retry_later"),
    ("parser_broken", "KeyError", "'ytInitialPlayerResponse' is not in the page any more", "needs_human"),
    ("gone_permanently", "HTTPError", "410 Gone: this video was removed by its owner", "fail_item"),
    ("transient_network", "ConnectionError", "connection reset by peer after 30 s <b>while reading</b>", "retry_soon"),
    ("bad_input", "BadOutput", "expected text of length 200 or more: it has 12", "fail_item"),
)


def make(root: Path, items: int, seed: int = 7) -> Spool:
    """Fills an empty folder. Gives its spool."""
    (root / "jobs.d").mkdir(parents=True)
    (root / "spool").mkdir()
    (root / "jobs.d" / "limits.yaml").write_text(LIMITS)
    for job, yaml in JOBS.items():
        (root / "jobs.d" / f"{job}.yaml").write_text(yaml)
        os.utime(root / "jobs.d" / f"{job}.yaml", (time.time() - 40 * DAY,) * 2)
    spool = open_spool(str(root / "spool"))
    for job, needs in PLANS.items():
        spool.prepare(Plan(job, needs))
    writer = _Writer(spool, random.Random(seed), time.time(), _versions(root / "jobs.d"))
    for job, share in SHARE.items():
        count = round(items * share)
        for number in range(count):
            writer.item(job, number, count)
        writer.looks(job)
    writer.rests()
    writer.journal.close()
    return spool


def _versions(folder: Path) -> dict[tuple[str, str], str]:
    jobs = load_jobs(folder).jobs
    return {(job, stage): version_of(jobs[job], jobs[job].stages[stage]).id for job in PLANS for stage in PLANS[job]}


class _Writer:
    """Writes items. now: the time at which the house is as it is. versions: of each stage, the present one."""

    def __init__(self, spool: Spool, dice: random.Random, now: float, versions: dict[tuple[str, str], str]) -> None:
        self.spool, self.dice, self.now, self.versions = spool, dice, now, versions
        self.journal = open(f"{spool.journal}/{utc(now)[:10]}.jsonl", "w", encoding="utf-8")  # noqa: SIM115
        self.owner = "host-1-dead"

    def item(self, job: str, number: int, count: int) -> None:
        """One item: the newest last, half of all in the last two weeks."""
        age = 90 * DAY * (1 - (number + 1) / count) ** 2 + self.dice.random() * 3600
        key = KEYS[number] if job == "dml" and number < len(KEYS) else _key(job, number)
        found = self.now - age
        data = self._data(job, number, found)
        meta = {"discovered": utc(found), "strategy": "files", "priority": 0}
        document = {"job": job, "key": key, "data": data, "meta": meta}
        birth = f"{self.spool.births(job)}/{file_name(key)}"
        _write(birth, document, found)
        self._note(found, "publish", job, "discover", key)
        going = True
        for stage in PLANS[job]:
            going = self._stage(document, stage, birth, found, going, age)
            found = min(found + 120 + self.dice.random() * 900, self.now - 60 - 5000 * self.dice.random())

    def _stage(self, document: Any, stage: str, birth: str, since: float, going: bool, age: float) -> bool:
        """The item's ticket in a stage; whether the next one can have its own."""
        path = self.spool.box(document["job"], stage, "%s") + "/" + os.path.basename(birth)  # type: ignore[arg-type]
        if not going:
            os.link(birth, path.replace("%s", "wait", 1))
            return False
        chance = self.dice.random()
        fresh = age < 3600 * 8
        if age > 2 * 3600 and (chance > 0.985 or (fresh and chance > 0.8)):
            return self._trouble(document, stage, path, since)
        if fresh and chance > 0.6:
            os.link(birth, path.replace("%s", "ready", 1))
            return False
        if fresh and chance > 0.58:
            folder = self.spool.claims(document["job"], stage, self.owner)
            os.makedirs(folder, exist_ok=True)
            os.link(birth, f"{folder}/{os.path.basename(birth)}")
            return False
        return self._done(document, stage, path, since)

    def _done(self, document: Any, stage: str, path: str, since: float) -> bool:
        seconds = self.dice.lognormvariate(1.5 if stage == "fetch" else 0.2, 0.8)
        started, ended = utc(since + 60), utc(since + 60 + seconds)
        receipt: dict[str, Any] = {
            "owner": self.owner, "host": "house", "attempt": 1, "started": started, "ended": ended,
            "handler": f"{document['job']}.{stage}", "input": sha256(stage.encode()).hexdigest(),
            "tools": {"rivus": "0.1.0", "python": "3.11.2"},
        }  # fmt: skip
        age = (self.now - since) / DAY
        if age < 60:  # what is older was made before there were versions
            stale = age > 20 and (document["job"], stage) == ("dml", "extract")
            receipt["version"] = {"id": "0" * 16 if stale else self.versions[document["job"], stage]}
        if stage == "score":
            unknown = int(self.dice.random() < 0.05)
            usd = 0 if unknown else round(self.dice.random() * 0.004, 6)
            receipt["cost"] = {"calls": 1, "usd": usd, "tokens": self.dice.randrange(800, 9000), "unknown": unknown}
        tries = [] if self.dice.random() < 0.95 else [self._attempt(1, since - 300, 4.0, TROUBLES[4], "retry")]
        done = {"n": len(tries) + 1, "outcome": "done", "owner": self.owner, "started": started, "ended": ended}
        attempts = [*tries, {**done, "charged": True, "final": True}]
        if self.dice.random() < 0.02:
            receipt["skipped"] = "nothing to do: no figures yet"
            attempts[-1]["outcome"] = "skipped"
        whole = document | {"attempts": attempts, "output": self._output(stage), "receipt": receipt}
        _write(path.replace("%s", "done", 1), whole, since + 60 + seconds)
        self._note(since + 60 + seconds, "finish", document["job"], stage, document["key"], **attempts[-1])
        return True

    def _trouble(self, document: Any, stage: str, path: str, since: float) -> bool:
        trouble = self.dice.choice(TROUBLES)
        outcome = {"needs_human": "held", "fail_item": "failed"}.get(trouble[3], "retry")
        since = min(since, self.now - 3200)
        attempts = [self._attempt(n, since + 600 * n, 3.0 * n, trouble, "retry") for n in range(1, 3)]
        attempts.append(self._attempt(3, since + 3000, 6.0, trouble, outcome))
        whole = document | {"attempts": attempts}
        box, modified = {"held": "held", "failed": "failed"}.get(outcome, "later"), since + 3006
        if box == "later":
            modified = FOREVER if document["job"] == "earnings" else self.now + self.dice.random() * 7200
        else:
            whole["error"] = {name: attempts[-1][name] for name in ("reason", "class", "type")}
        _write(path.replace("%s", box, 1), whole, modified)
        move = {"held": "hold", "failed": "fail"}.get(box, "defer")
        self._note(since + 3006, move, document["job"], stage, document["key"], **attempts[-1])
        return False

    def _attempt(self, n: int, at: float, took: float, trouble: tuple[str, str, str, str], outcome: str) -> Any:
        cls, kind, reason, action = trouble
        return {
            "n": n, "outcome": outcome, "owner": self.owner, "started": utc(at), "ended": utc(at + took),
            "charged": True, "type": kind, "reason": reason, "class": cls, "action": action, "rule": f"{cls}-rule",
            "fingerprint": sha256(cls.encode()).hexdigest()[:16], "handler": "youtube.captions", "facts": {},
        }  # fmt: skip

    def _data(self, job: str, number: int, found: float) -> dict[str, Any]:
        title = HOSTILE[number] if job == "dml" and number < len(HOSTILE) else self.dice.choice(WORDS)
        data: dict[str, Any] = {"title": f"{title} #{number}" if number >= len(HOSTILE) else title}
        data["url"] = f"https://video.example/watch?v={number}"
        if job == "dml":
            data["published"] = utc(found - 1800)
        elif job == "earnings":
            data |= {"symbol": self.dice.choice(("AAPL", "MSFT", "NVDA", "TSLA", "GME")), "date": utc(found)[:10]}
        else:
            data["year"] = 2000 + number % 26
        return data

    def _output(self, stage: str) -> dict[str, Any]:
        if stage == "score":
            return {"value": round(self.dice.gauss(40, 18), 1), "topic": self.dice.choice(TOPICS)}
        if stage == "report":
            return {"surprise": round(self.dice.gauss(0, 4), 2), "text": "better than expected"}
        return {"words": self.dice.randrange(2000, 14000), "text": "They talk. " * 20}

    def looks(self, job: str) -> None:
        """What the last looks at the source found; that of letters has gone quiet."""
        silent = 9 * DAY if job == "letters" else 0.0
        looks = [{"t": utc(self.now - silent - 3600 * n), "seen": 15, "new": n % 3} for n in range(40, 0, -1)]
        Path(f"{self.spool.root}/{job}/discover/looks.json").write_text(json.dumps({"looks": looks}))

    def rests(self) -> None:
        """A source that is parked for an hour, one until a person resumes it, and a job that is paused."""
        for name, until in (("youtube", self.now + 2400), ("finnhub", None)):
            folder = Path(self.spool.limits) / name
            folder.mkdir(parents=True, exist_ok=True)
            why = "429 Too Many Requests [rate_limited]"
            rest = {"until": until, "since": self.now - 1200, "why": why, "by": "dml:fetch v0000012", "trips": 2}
            (folder / "parked.json").write_text(json.dumps(rest))
        why = "the credential finnhub_token is missing"
        pause = {"since": utc(self.now - 5 * 3600), "why": why, "by": "earnings:report"}
        Path(self.spool.pause("earnings")).write_text(json.dumps(pause))

    def _note(self, at: float, move: str, job: str, stage: str, key: str, **more: Any) -> None:
        line = {"t": utc(at), "move": move, "job": job, "stage": stage, "key": key, **more}
        self.journal.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def _key(job: str, number: int) -> str:
    return f"v{number:07d}" if job == "dml" else f"{job}-{number}"


def _write(path: str, document: Any, modified: float) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False)
    os.utime(path, (modified, modified))


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
