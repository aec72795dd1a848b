"""Questions with a name, in SQL: `/rivus/NAME`, with `.json` and `.csv`. `:job` empty means all jobs; days are UTC."""

from __future__ import annotations

from typing import NamedTuple


class Query(NamedTuple):
    title: str
    description: str
    sql: str


_JOB = "(:job = '' OR {table}job = :job)"
_BAD = "('failed', 'held', 'retry', 'timeout', 'blocked', 'halted')"

QUERIES: dict[str, Query] = {
    "failed_today": Query(
        "What failed today, and why",
        "Each run of today that did not end well, the latest first, with its class and reason.",
        f"""SELECT started, job, stage, key, outcome, class, reason, fingerprint
FROM runs WHERE started >= date('now') AND outcome IN {_BAD} AND {_JOB.format(table="")}
ORDER BY started DESC LIMIT 1000""",
    ),
    "failure_groups": Query(
        "Failures by group",
        "One line for each group that is open, over all jobs: how many items, what was decided, an example.",
        """SELECT fingerprint, class, sum(items) AS items, sum(failed) AS failed, sum(held) AS held,
    sum(later) AS later, min(first) AS first, max(last) AS last, max(verdict) AS verdict,
    group_concat(DISTINCT job || ':' || stage) AS stages, max(example_reason) AS example_reason
FROM failures GROUP BY fingerprint, class ORDER BY items DESC LIMIT 500""",
    ),
    "slowest_stages": Query(
        "The slowest stages",
        "Seconds per run of each stage in the last 7 days: median, the time that 95 of 100 keep, the longest.",
        """WITH timed AS (
    SELECT job, stage, duration, percent_rank() OVER (PARTITION BY job, stage ORDER BY duration) AS share
    FROM runs WHERE started >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days')
        AND outcome IN ('done', 'skipped') AND duration IS NOT NULL)
SELECT job, stage, count(*) AS runs, round(max(duration) FILTER (WHERE share <= 0.5), 3) AS median,
    round(max(duration) FILTER (WHERE share <= 0.95), 3) AS p95, round(max(duration), 3) AS longest
FROM timed GROUP BY job, stage ORDER BY p95 DESC""",
    ),
    "slowest_runs": Query(
        "The longest runs",
        "The 100 runs of the last 7 days that took longest, however they ended.",
        f"""SELECT round(duration, 3) AS seconds, job, stage, key, started, outcome, class
FROM runs WHERE started >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days') AND duration IS NOT NULL
    AND {_JOB.format(table="")} ORDER BY duration DESC LIMIT 100""",
    ),
    "what_waits": Query(
        "What waits, for what, until when",
        "Items put off, by job, stage and what put them off: a limit or a resting source shows as its class. "
        "2100-01-01 stands for: until a person resumes it.",
        f"""SELECT job, stage, coalesce(class, 'a limit or a pause') AS waits_for, count(*) AS items,
    min(due) AS first_due, max(due) AS last_due, max(reason) AS example_reason
FROM tickets WHERE state = 'later' AND {_JOB.format(table="")}
GROUP BY job, stage, class ORDER BY first_due""",
    ),
    "limits_now": Query(
        "The limits as they are",
        "The last sample of each limit: slots, how many are taken, tokens, and until when its source rests.",
        """SELECT name, t, slots, held, tokens, parked_until, why FROM limits
WHERE (name, t) IN (SELECT name, max(t) FROM limits GROUP BY name) ORDER BY name""",
    ),
    "cost_per_day": Query(
        "Cost per day",
        "Dollars per day and job in the last 60 days, failed runs included, as far as costs are known.",
        f"""SELECT day, job, round(sum(usd), 4) AS usd FROM days
WHERE usd IS NOT NULL AND day >= date('now', '-60 days') AND {_JOB.format(table="")}
GROUP BY day, job ORDER BY day DESC, usd DESC""",
    ),
    "cost_per_stage": Query(
        "Cost per stage this month",
        "Dollars since the first of the month by job and stage, failed runs included, as far as costs are known.",
        """SELECT job, stage, round(sum(usd), 4) AS usd, sum(done) AS done FROM days
WHERE day >= date('now', 'start of month') AND stage <> 'discover'
GROUP BY job, stage HAVING usd IS NOT NULL ORDER BY usd DESC""",
    ),
    "unknown_cost": Query(
        "Runs of unknown cost",
        "Runs that made calls whose price nobody knows, the latest first. The sums of costs leave them out.",
        f"""SELECT ended, job, stage, key, outcome, cost_unknown, calls, tokens, usd FROM runs
WHERE cost_unknown > 0 AND {_JOB.format(table="")} ORDER BY ended DESC LIMIT 500""",
    ),
    "newest_items": Query(
        "The newest items",
        "What was found last, over all jobs.",
        f"""SELECT discovered, job, key, title, state, url FROM items
WHERE {_JOB.format(table="")} ORDER BY discovered DESC LIMIT 200""",
    ),
    "stuck_in_running": Query(
        "What has been running for longest",
        "Items that a process holds, by when their stage last ended with them. The owner's name has its process "
        "number; rivus-sweep gives back what a process held that is gone.",
        f"""SELECT job, stage, key, owner, since, attempts, interruptions FROM tickets
WHERE state = 'running' AND {_JOB.format(table="")} ORDER BY since LIMIT 500""",
    ),
    "interrupted": Query(
        "What is interrupted again and again",
        "Items whose runs were cut short at least once, most often first: look for what kills their workers.",
        f"""SELECT job, stage, key, state, interruptions, attempts, since, reason FROM tickets
WHERE interruptions > 0 AND {_JOB.format(table="")} ORDER BY interruptions DESC, since DESC LIMIT 500""",
    ),
    "retries_in_vain": Query(
        "Retries that did not help",
        "Groups of failures of the last 30 days whose items were tried again, and how many of those are done now.",
        """SELECT r.fingerprint, r.class, r.job, r.stage, count(*) AS retries, count(DISTINCT r.item) AS items,
    count(DISTINCT r.item) FILTER (WHERE t.state = 'done') AS done_now, max(r.reason) AS example_reason
FROM runs AS r JOIN tickets AS t ON t.item = r.item AND t.stage = r.stage
WHERE r.started >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 days') AND r.outcome IN ('retry', 'timeout')
GROUP BY r.fingerprint, r.class, r.job, r.stage HAVING done_now < items ORDER BY retries DESC LIMIT 200""",
    ),
    "quiet_sources": Query(
        "Sources gone quiet",
        "Each job that runs, the one without anything new for longest first, with the looks at its source.",
        """SELECT name AS job, newest, round(julianday('now') - julianday(newest), 1) AS days_ago,
    (SELECT count(*) FROM items WHERE items.job = j.name
        AND discovered >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 days')) AS last_30_days,
    last_look, next_look, paused_why, problem
FROM (SELECT *, (SELECT max(discovered) FROM items WHERE items.job = jobs.name) AS newest FROM jobs) AS j
WHERE enabled = 1 ORDER BY newest""",
    ),
    "skipped": Query(
        "What was skipped, and why",
        "Stages that had nothing to do, by the reason they gave.",
        f"""SELECT job, stage, skipped, count(*) AS items, max(since) AS last, max(key) AS example_key FROM tickets
WHERE skipped IS NOT NULL AND {_JOB.format(table="")} GROUP BY job, stage, skipped ORDER BY items DESC LIMIT 200""",
    ),
    "per_hour": Query(
        "Runs per hour",
        "What each stage ended in the last 48 hours, hour by hour.",
        f"""SELECT substr(started, 1, 13) AS hour, job, stage, count(*) AS runs,
    count(*) FILTER (WHERE outcome = 'done') AS done, count(*) FILTER (WHERE outcome IN {_BAD}) AS not_well
FROM runs WHERE started >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 days') AND {_JOB.format(table="")}
GROUP BY hour, job, stage ORDER BY hour DESC, job, stage""",
    ),
    "find": Query(
        "Find items of any job",
        "Items whose searched columns have these words one after the other.",
        """SELECT items.job, items.key, items.title, items.discovered, items.state
FROM search JOIN items ON items.id = search.rowid
WHERE search MATCH '"' || replace(:words, '"', '""') || '"' ORDER BY items.discovered DESC LIMIT 200""",
    ),
}
