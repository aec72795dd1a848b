"""rivus-units: renders, compares, installs, verifies and shows the systemd units that run the jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rivus.commands.frame import FAULTS, OK, run, version

if TYPE_CHECKING:
    from rivus.commands.unitverbs import Request

EXIT_CODES = OK | FAULTS | {1: "diff: something differs; verify: something is wrong; else: something failed."}
VERBS = ["render", "diff", "install", "remove", "verify", "status", "cron"]


@click.command("rivus-units")
@click.argument("verb", type=click.Choice(VERBS))
@click.argument("names", nargs=-1, metavar="[JOB]...")
@click.option("--user", is_flag=True, help="For this user's own service manager instead of the system's.")
@click.option("--now/--no-start", "start", default=True, help="install: start what waits (default), or at next boot.")
@click.option("--to", type=click.Path(path_type=Path), metavar="DIR", help="render: write files into DIR.")
@click.option("--root", type=click.Path(path_type=Path), metavar="DIR", help="Unit files below DIR; starts nothing.")
@click.option("--json", "as_json", is_flag=True, help="status: print JSON Lines.")
@click.option("--jobs", "jobs_dir", metavar="DIR", help="The jobs (default: /etc/rivus/jobs.d).")
@click.option("--spool", "spool_dir", metavar="DIR", help="The spool (default: /var/lib/rivus/spool).")
@click.option("-v", "--verbose", count=True, help="Say what was done.")
@version
def command(
    verb: str, names: tuple[str, ...], user: bool, start: bool, to: Path | None, root: Path | None, as_json: bool,
    jobs_dir: str | None, spool_dir: str | None, verbose: int,
) -> int:  # fmt: skip
    """Runs the jobs under systemd. render prints the units (of JOB, or of all), diff what install would change;
    install makes the machine follow jobs.d, remove takes it all back; verify asks systemd whether the units are
    right, status how they are. cron prints a crontab for machines without systemd."""
    from rivus import talk
    from rivus.commands import unitverbs
    from rivus.config.folders import jobs_folder, spool_folder

    talk.level = verbose
    misused = {"--to": to and verb != "render", "--json": as_json and verb != "status", "--no-start": not start and
               verb != "install", "JOB": names and verb not in ("render", "status", "cron")}  # fmt: skip
    for option, wrong in misused.items():
        if wrong:
            raise click.UsageError(f"{option} does not go with {verb}")
    # What systemd runs is not what lies where somebody happens to stand, such as the checkout after `make install`.
    here = root is not None or verb in ("render", "cron")
    folders = jobs_folder(jobs_dir, user, here), spool_folder(spool_dir, user, here)
    request = unitverbs.Request(user, *folders, root, names)
    return _call(verb, request, start, to, as_json)


def _call(verb: str, request: Request, start: bool, to: Path | None, as_json: bool) -> int:
    from rivus.commands import unitverbs

    if verb == "render":
        return unitverbs.render(request, to)
    if verb == "install":
        return unitverbs.install(request, start)
    if verb == "status":
        return unitverbs.status(request, as_json)
    plain = {"diff": unitverbs.diff, "remove": unitverbs.remove, "verify": unitverbs.verify, "cron": unitverbs.cron}
    return plain[verb](request)


def main() -> None:
    run(command)
