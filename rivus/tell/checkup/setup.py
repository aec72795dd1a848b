"""What a person has set up: jobs.d, the secrets that its jobs need, and yt-dlp with what it needs itself."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import which

from rivus.config.schema import Job
from rivus.errors import BadConfig
from rivus.model.outcome import Halt
from rivus.plugins import Kind, find
from rivus.tell.checkup.finding import Finding, as_root, edit, one_line, word
from rivus.tell.checkup.visit import Visit, walk

OLD_DAYS = 90
RUNTIMES = ("deno", "node", "bun")


def problems(visit: Visit) -> Iterator[Finding]:
    """What cannot be understood in jobs.d: the jobs in question do not run."""
    for problem in visit.jobs.problems:
        if problem.file.endswith(".yml"):
            mend = f"mv -n -- {word(problem.file)} {word(problem.file.removesuffix('.yml') + '.yaml')}"
        else:
            mend = f"{edit(problem.file, problem.line)} && {visit.commands.rivus('check')}"
        yield Finding(str(problem), mend, grave=True)


def secrets(visit: Visit) -> Iterator[Finding]:
    """Secrets that a module names in SECRETS and that this process does not find; and modules that cannot be loaded."""
    needed: dict[str, list[str]] = {}
    for job in visit.enabled:
        for kind, name in _plugins(job):
            try:
                function = find(kind, name, visit.folder)
            except BadConfig as error:
                mend = f"{edit(str(job.file))} && {visit.commands.rivus('check')}"
                yield Finding(f"{job.name}: {one_line(error, 400)}", mend, grave=True)
                continue
            for secret in getattr(sys.modules.get(function.__module__), "SECRETS", ()):
                needed.setdefault(secret, []).append(job.name)
    for secret, jobs in needed.items():
        yield from _missing(secret, jobs, visit.folder.parent / "credentials")


def _plugins(job: Job) -> Iterator[tuple[Kind, str]]:
    if job.discover:
        yield "source", job.discover.strategy
    for stage in job.stages.values():
        if stage.handler:
            yield "handler", stage.handler


def _missing(secret: str, jobs: list[str], credentials: Path) -> Iterator[Finding]:
    """credentials: what the units get their secrets from, beside jobs.d; there it is neither in our environment, nor
    may anybody but root look."""
    from rivus.secrets import get

    try:
        get(secret)
    except Halt as error:
        if _may_be(credentials / secret):
            return
        variable = f"RIVUS_SECRET_{secret.upper()}"
        # It is asked for, because what stands on a command line can be read by everybody on the machine.
        mend = f"read -rs {variable} && export {variable}"
        if credentials.is_dir():
            mend = as_root(f"install -m 600 /dev/stdin {word(str(credentials / secret))}")
        yield Finding(f"{', '.join(dict.fromkeys(jobs))}: {one_line(error)}", mend, grave=True)


def _may_be(file: Path) -> bool:
    """Whether something is in the file, or this account may not know."""
    try:
        return file.stat().st_size > 0
    except PermissionError:
        return True
    except OSError:
        return False


def writable_by_all(visit: Visit) -> Iterator[Finding]:
    """A jobs.d in which anybody on the machine can change what runs."""
    loose = [
        path
        for path, state in walk(str(visit.folder), each=1000, most=2000)
        if state.st_mode & stat.S_IWOTH and not stat.S_ISLNK(state.st_mode)
    ]
    if loose:
        more = f" and {len(loose) - 1} more" if len(loose) > 1 else ""
        what = f"everybody on this machine can write to {one_line(loose[0])}{more}, and so decide what runs"
        yield Finding(what, f"chmod -R o-w -- {word(os.path.abspath(visit.folder))}", grave=True)


def ytdlp(visit: Visit) -> Iterator[Finding]:
    """A yt-dlp that is missing or too old for sites that change every month, or has no JavaScript runtime."""
    users = [job.name for job in visit.enabled if _uses_ytdlp(job)]
    if not users:
        return
    if sys.flags.isolated:  # how an installed release runs, which nothing is added to
        newer, deno = "make install, in a checkout: it takes the newest", "install deno or node for the whole system"
    else:
        newer, deno = (f"{word(sys.executable)} -m pip install -U {name}" for name in ("yt-dlp", "deno"))
    version = _version()
    if version is None:
        yield Finding(f"{', '.join(users)}: yt-dlp is not installed", newer, grave=True)
        return
    age = _age(version, visit.now)
    if age > OLD_DAYS:
        yield Finding(f"yt-dlp {version} is {age} days old; sites change faster than that", newer)
    if not any(which(name) or _beside_python(name) for name in RUNTIMES):
        what = f"{', '.join(users)}: yt-dlp finds no JavaScript runtime ({', '.join(RUNTIMES)}), which YouTube needs"
        yield Finding(what, deno)


def _uses_ytdlp(job: Job) -> bool:
    names = [stage.handler or "" for stage in job.stages.values()]
    names += [job.discover.strategy] if job.discover else []
    return any(name.startswith(("youtube.", "youtube_")) for name in names)


def _version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("yt-dlp")
    except PackageNotFoundError:
        return None


def _age(version: str, now: float) -> int:
    """Days since the release; yt-dlp's versions are dates (2026.10.26, nightly 2026.10.26.232845)."""
    try:
        year, month, day = map(int, version.split(".")[:3])
        return (datetime.fromtimestamp(now, UTC).date() - date(year, month, day)).days
    except ValueError:
        return 0


def _beside_python(name: str) -> bool:
    """Where yt-dlp looks before PATH: pip installs deno there."""
    return os.access(os.path.join(sysconfig.get_path("scripts"), name), os.X_OK)
