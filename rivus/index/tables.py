"""Every table of index.db, and what each column means. The SQL, and the help that other programs show, come from here.

Times are UTC, ISO 8601, as in the spool. A name that is no UTF-8 is a BLOB of its bytes. Of an item's data nothing is
here but what `columns:` of its job names, and the fixed columns below.
"""

from __future__ import annotations

from dataclasses import dataclass

from rivus.model.states import BOXES


@dataclass(frozen=True, slots=True)
class Table:
    """help: one sentence. columns: a name -> its help, in order. types: a name -> its type in SQL. unique: the columns
    that no two rows share. sql: of a view, what it selects. internal: of use to the index alone."""

    help: str
    columns: dict[str, str]
    types: dict[str, str]
    unique: str = ""
    sql: str = ""
    internal: bool = False


def _table(text: str, *lines: str, unique: str = "", sql: str = "", internal: bool = False) -> Table:
    """lines: `name TYPE: help`. unique: the columns that no two rows share."""
    columns, types = {}, {}
    for line in lines:
        head, _, meaning = line.partition(": ")
        name, _, types[name] = head.partition(" ")
        columns[name] = meaning
    return Table(text, columns, types, unique, sql, internal)


_STAGE = (
    "item INTEGER NOT NULL: items.id",
    "job TEXT NOT NULL: its job",
    "stage TEXT NOT NULL: its stage",
    "key TEXT NOT NULL: its key, as its own file says; the name of the file if that says none",
)
_FAILURE = (
    "class TEXT: what kind of failure it was",
    "fingerprint TEXT: the group of the failure; `none` if it has no group",
    "reason TEXT: why it failed, at most 300 characters",
)

_CALLS = (
    "calls INTEGER: calls made for it",
    "tokens INTEGER: tokens used for it",
    "cost_unknown INTEGER: how many of these calls cost nobody knows how much",
)

_FAILURES = """
SELECT class, fingerprint, job, stage, count(*) AS items,
    sum(state = 'failed') AS failed, sum(state = 'held') AS held, sum(state = 'later') AS later,
    min(since) AS first, max(since) AS last, key AS example_key, reason AS example_reason,
    (SELECT action FROM verdicts WHERE verdicts.fingerprint = tickets.fingerprint) AS verdict
FROM tickets WHERE fingerprint IS NOT NULL AND state IN ('failed', 'held', 'later')
GROUP BY fingerprint, class, job, stage"""
_DAYS = """
SELECT job, stage, day,
    sum(iif(what = 'found', n, 0)) AS found, sum(iif(what = 'done', n, 0)) AS done,
    sum(iif(what = 'skipped', n, 0)) AS skipped,
    sum(iif(what IN ('retry', 'timeout', 'blocked', 'halted'), n, 0)) AS retried,
    sum(iif(what = 'failed', n, 0)) AS failed, sum(iif(what = 'held', n, 0)) AS held,
    sum(iif(what = 'interrupted', n, 0)) AS interrupted, sum(iif(what = 'usd', n, NULL)) / 1e6 AS usd
FROM day_sums WHERE n <> 0 GROUP BY job, stage, day"""

TABLES: dict[str, Table] = {
    "items": _table(
        "One row for each item that has a birth record or a ticket.",
        "id INTEGER PRIMARY KEY: the number of the item, in this index only",
        "job TEXT NOT NULL: its job",
        "key TEXT NOT NULL: its key, unique within the job; the name of the file while there is no birth record",
        "name NOT NULL: the name of its file in each stage",
        "title TEXT: the column `title` of its job",
        "url TEXT: `url` of its data, if that is http or https",
        "discovered TEXT: when it was found first",
        "strategy TEXT: how it was found",
        "parent TEXT: the item whose handler emitted it, JOB/KEY",
        "state TEXT NOT NULL: trouble if a stage has failed or is held, else working, waiting or done; lost: no ticket",
        "changed TEXT: the latest `since` of its stages",
        "inode INTEGER: of the birth record, by which a new one is noticed",
        "mtime INTEGER: when the birth record was written, nanoseconds since 1970",
        unique="job, name",
    ),
    "tickets": _table(
        "One row for each item and stage.",
        *_STAGE,
        f"state TEXT NOT NULL: the directory it is in: {', '.join(BOXES)}",
        "since TEXT: when the stage last ended with it, else when it was found",
        "due TEXT: of one in `later`, when it becomes ready; 2100-01-01 stands for: when a person resumes it",
        "owner TEXT: of one in `running`, the process that has it",
        "attempts INTEGER NOT NULL: how many runs are on record, at most 50",
        "interruptions INTEGER NOT NULL: how many of them were cut short",
        "duration REAL: seconds of the last run",
        "usd REAL: what its result cost, as far as that is known",
        *_CALLS,
        "version TEXT: the id of the version that made its result",
        *_FAILURE,
        "skipped TEXT: why the stage had nothing to do",
        "inode INTEGER NOT NULL: of the file, by which a new one is noticed",
        "mtime INTEGER NOT NULL: when the file was written, or is due in `later`, nanoseconds since 1970",
        unique="item, stage",
    ),
    "runs": _table(
        "One row for each try of a stage, as far as its ticket remembers.",
        *_STAGE,
        "n INTEGER NOT NULL: which one, from 1; 0 is the one that made the result, if only its receipt remembers it",
        "owner TEXT: the process that ran it",
        "started TEXT: when it began",
        "ended TEXT: when it ended",
        "duration REAL: seconds",
        "outcome TEXT: done, skipped, retry, timeout, blocked, halted, failed, held, interrupted; else other",
        "usd REAL: what it cost, however it ended, as far as that is known",
        *_CALLS,
        *_FAILURE,
        unique="item, stage, n",
    ),
    "failures": _table(
        "The failures by group: what has failed, is held, or waits after a failure.",
        *_FAILURE[:2],
        "job TEXT: the job",
        "stage TEXT: the stage",
        "items INTEGER: how many items",
        "failed INTEGER: how many of them were given up",
        "held INTEGER: how many wait for a person",
        "later INTEGER: how many will be tried again",
        "first TEXT: when the earliest of them failed last",
        "last TEXT: when the latest did",
        "example_key TEXT: the key of one of them",
        "example_reason TEXT: why that one failed",
        "verdict TEXT: the action that a person or a model has decided on",
        sql=_FAILURES,
    ),
    "verdicts": _table(
        "What was decided about kinds of failure: one row for each file in _verdicts.",
        "fingerprint TEXT PRIMARY KEY: the group",
        "class TEXT: what kind of failure it is",
        "action TEXT: what follows",
        "by TEXT: who decided",
        "why TEXT: one line",
        "written TEXT: when",
        "expires TEXT: until when it holds",
        "problem TEXT: why the file cannot be understood",
    ),
    "limits": _table(
        "Samples of how each limit was, of the last days.",
        "name TEXT NOT NULL: the limit",
        "t TEXT NOT NULL: when",
        "slots INTEGER: how many may work at once",
        "held INTEGER NOT NULL: how many did",
        "tokens REAL: what was in the bucket",
        "parked_until TEXT: until when the source rests; 2100-01-01 stands for: until a person resumes it",
        "why TEXT: why it rests, or what cannot be read",
    ),
    "sources": _table(
        "The last looks at the source of each job.",
        "job TEXT NOT NULL: the job",
        "t TEXT: when",
        "seen INTEGER NOT NULL: how many things the source showed",
        "new INTEGER: how many of them became items",
    ),
    "jobs": _table(
        "One row for each job of jobs.d and of the spool.",
        "name TEXT PRIMARY KEY: its name",
        "title TEXT: its title",
        "enabled INTEGER NOT NULL: 1 or 0",
        "paused INTEGER NOT NULL: 1 while nothing of it runs",
        "paused_since TEXT: since when",
        "paused_why TEXT: why",
        "stages TEXT NOT NULL: JSON, its stages in order: [{name, needs: [names]}]",
        "columns TEXT NOT NULL: JSON, the columns of its view: {name: path}",
        "search TEXT NOT NULL: JSON, the columns that `search` covers: [names]",
        "last_look TEXT: when its source was last looked at",
        "next_look TEXT: when that happens again, if it is done at regular intervals",
        "file TEXT: where it is defined",
        "problem TEXT: why it cannot be read; such a job keeps the columns it had",
    ),
    "days": _table(
        "What happened on each day (UTC).",
        "job TEXT: the job",
        "stage TEXT: the stage, or discover",
        "day TEXT: the day",
        "found INTEGER: items that were discovered",
        "done INTEGER: runs that ended well",
        "skipped INTEGER: runs that had nothing to do",
        "retried INTEGER: runs after which the item was put off",
        "failed INTEGER: runs after which the item was given up",
        "held INTEGER: runs after which the item was held for a person",
        "interrupted INTEGER: runs that were cut short",
        "usd REAL: what the runs of this day cost, however they ended, as far as that is known",
        sql=_DAYS,
    ),
    "day_sums": _table(
        "What `days` is made of.",
        "job TEXT NOT NULL: the job",
        "stage TEXT NOT NULL: the stage, or discover",
        "day TEXT NOT NULL: UTC",
        "what TEXT NOT NULL: an outcome, found, or usd (in millionths)",
        "n INTEGER NOT NULL: how many",
        unique="job, stage, day, what",
        internal=True,
    ),
    "folders": _table(
        "What the index remembers of each directory of the spool.",
        "path PRIMARY KEY: below the spool",
        "mtime INTEGER NOT NULL: its time at the last listing, in nanoseconds; 0 if it may have changed since",
        "listed REAL NOT NULL: when it was listed",
        "took REAL NOT NULL: seconds that the listing took",
        internal=True,
    ),
    "facts": _table(
        "What the index remembers of itself.",
        "name TEXT PRIMARY KEY: of the fact",
        "value TEXT NOT NULL: the fact",
        internal=True,
    ),
}
