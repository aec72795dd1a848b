"""rivus-cost: what was spent, and what the budgets still allow."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version
from rivus.errors import BadConfig, BadInput
from rivus.talk import plain, say

EXIT_CODES = OK | FAULTS
COUNTS = ("calls", "tokens", "unknown", "items")


@click.command("rivus-cost")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option("--by", type=click.Choice(["job", "stage", "day"]), default="stage", help="What to add up by.")
@click.option("--since", metavar="YYYY-MM-DD", help="The first day, in UTC (default: the first of this month).")
@click.option("--rebuild", is_flag=True, help="First count these days anew, from the journal and the tickets.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@version
@house
def command(house: House, jobs: tuple[str, ...], by: str, since: str | None, rebuild: bool, as_json: bool) -> int:
    """Shows what the handlers of these jobs (of all) have reported as paid: dollars, calls, tokens, calls of unknown
    cost, and the tries that cost something; then each budget with what was spent of it today and this month. Days are
    those of UTC."""
    from rivus.limits.spending import Spending
    from rivus.tell.costs import accounts, budgets, summed

    first = _day(since) if since else time.strftime("%Y-%m-01", time.gmtime())
    spool, known = house.spool(look=not rebuild), house.jobs()
    spending = Spending(spool)
    here = {*known.jobs, *known.broken, *spool.jobs(), *spending.jobs()}
    if unknown := [job for job in jobs if job not in here]:
        raise BadInput(f"{unknown[0]}: no such job here")
    for job in (jobs or sorted(here)) if rebuild else ():
        spending.rebuild(job, first)
    rows, wrong = accounts(spool, jobs, first)
    sums, of_budgets = list(summed(rows, by)), list(budgets(spool, known, jobs))
    lines = map(json.dumps, [*sums, *of_budgets]) if as_json else [*_table(by, sums), *map(_budget, of_budgets)]
    click.echo("".join(f"{line}\n" for line in lines), nl=False)
    for problem in wrong:
        say(problem)
    return BadConfig.exit_code if wrong else house.broken


def _day(text: str) -> str:
    try:
        return time.strftime("%Y-%m-%d", time.strptime(text, "%Y-%m-%d"))
    except ValueError:
        raise click.UsageError(f"--since: {text!r} is no day such as 2026-01-31") from None


def _table(by: str, sums: list[dict[str, Any]]) -> list[str]:
    if not sums:
        return []
    wide = max([len(by), *(len(row[by]) for row in sums)])
    head = f"{by.upper():{wide}}  {'USD':>10}" + "".join(f"  {part.upper():>9}" for part in COUNTS)
    counts = ["".join(f"  {row[part]:>9}" for part in COUNTS) for row in sums]
    rows = (f"{row[by]:{wide}}  {row['usd']:>10.4f}{rest}" for row, rest in zip(sums, counts, strict=True))
    return [head, *map(plain, rows)]


def _budget(row: dict[str, Any]) -> str:
    today, month = row["today"], row["month"]
    usd = f" of {row['usd']:g}" if "usd" in row else ""
    calls = f" of {row['calls']}" if "calls" in row else ""
    parts = [f"{today['usd']:.4f}{usd} USD", f"{today['calls']}{calls} calls"]
    parts += [f"{today['unknown']} of {row['max_unknown']} unknown"] if "max_unknown" in row else []
    return plain(f"{row['budget']}: today {', '.join(parts)}; month {month['usd']:.4f} USD, {month['calls']} calls")


def main() -> None:
    run(command)
