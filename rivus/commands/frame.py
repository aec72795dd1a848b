"""What every command shares: its common options, the folders they name, its exit codes and its output."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import click

from rivus import __version__, talk
from rivus.errors import BadConfig, RivusError

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.config.schema import Job
    from rivus.spool.layout import Spool

LEAVE_WITHIN = 9.0
"""Seconds after a signal by which the process is gone."""
F = TypeVar("F", bound=Callable[..., Any])

OK = {0: "All went well. What happened to an item is data, not the command's failure."}
FAULTS = {
    1: "Something failed; the last line on standard error says what.",
    2: "The command line is wrong.",
    65: "Standard input, or an argument, held something that is not an item (EX_DATAERR).",
    69: "A source could not be used (EX_UNAVAILABLE).",
    75: "Not now; the same command may succeed later (EX_TEMPFAIL).",
    78: "The configuration, a limit's state or a credential is broken (EX_CONFIG).",
    130: "Interrupted by SIGINT, SIGTERM or SIGHUP; what was held has been finished or given back.",
}


@dataclass
class House:
    """The folders a command works on. broken: the exit code for jobs that could not be read, 0 if all could."""

    jobs_folder: Path
    spool_folder: Path
    test: bool
    allow_network: bool
    broken: int = 0

    def spool(self, look: bool = False) -> Spool:
        """The spool; `look`: for a command that changes nothing, and so needs no right to."""
        from rivus.spool.layout import open_spool

        if not look and os.geteuid() == 0:
            from rivus.commands.account import become_owner

            become_owner(self.spool_folder)
        return open_spool(str(self.spool_folder), test=self.test, allow_network=self.allow_network, look=look)

    def options(self) -> str:
        """The options with which a further command works on the same folders, as a person types them."""
        import shlex

        from rivus.config.folders import jobs_folder, spool_folder

        spool = ["--spool", str(self.spool_folder)] if self.spool_folder != spool_folder(None) else []
        jobs = ["--jobs", str(self.jobs_folder)] if self.jobs_folder != jobs_folder(None) else []
        return shlex.join([*jobs, *spool, *["--test"] * self.test, *["--allow-network-fs"] * self.allow_network])

    def job(self, name: str) -> Job:
        """One job, read alone. Raises BadConfig."""
        from rivus.config import load_job

        return load_job(self.jobs_folder, name)

    def named(self, names: Sequence[str]) -> list[Job]:
        """The jobs of these names, or all that are enabled. One that cannot be read is reported and left out."""
        if not names:
            return [job for job in self.jobs().jobs.values() if job.enabled]
        jobs = []
        for name in dict.fromkeys(names):
            try:
                jobs.append(self.job(name))
            except BadConfig as error:
                talk.say(str(error))
                self.broken = error.exit_code
        return jobs

    def jobs(self) -> Jobs:
        """All of jobs.d; each problem is reported."""
        from rivus.config import load_jobs

        if not self.jobs_folder.is_dir():
            raise BadConfig(f"{self.jobs_folder}: no such directory; name the jobs with --jobs or RIVUS_JOBS")
        jobs = load_jobs(self.jobs_folder)
        for problem in jobs.problems:
            talk.say(str(problem))
            self.broken = BadConfig.exit_code
        return jobs


def house(function: F) -> F:
    """Adds the common options to a command, which gets them as its first argument, a House."""

    def called(
        jobs_dir: str | None, spool_dir: str | None, test: bool, allow_network_fs: bool, verbose: int, **options: Any
    ) -> Any:
        from rivus.config.folders import jobs_folder, spool_folder

        talk.level = verbose
        return function(House(jobs_folder(jobs_dir), spool_folder(spool_dir), test, allow_network_fs), **options)

    called.__doc__ = function.__doc__
    called.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option("-v", "--verbose", count=True, help="Say what was done; twice: what handlers log."),
        click.option("--allow-network-fs", is_flag=True, help="Use a spool on a network file system all the same."),
        click.option("--test", is_flag=True, help="Work in the spool's _test, beside production, under its limits."),
        click.option(
            "--spool",
            "spool_dir",
            metavar="DIR",
            help="The spool (default: $RIVUS_SPOOL, ./spool, /var/lib/rivus/spool).",
        ),
        click.option(
            "--jobs", "jobs_dir", metavar="DIR", help="The jobs (default: $RIVUS_JOBS, ./jobs.d, /etc/rivus/jobs.d)."
        ),
    ):
        option(called)
    return called  # type: ignore[return-value]


def run(command: click.Command) -> NoReturn:
    """Runs a command to its exit code. Errors for people go to stderr as one line; a closed pipe is a normal end."""
    talk.speaker = command.name or talk.speaker
    _fill_standard_streams()
    try:
        code = command.main(prog_name=command.name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = 130
    except BrokenPipeError:
        code = 0
    except (RivusError, OSError) as error:
        talk.say(f"{command.name}: {error}", talk.BROKEN)
        code = getattr(error, "exit_code", 1)
    except Exception as error:  # noqa: BLE001 - a mistake of ours is one line too, and a traceback with -vv
        import traceback

        said = f"{command.name}: {type(error).__name__}: {error} (a bug of rivus; -vv shows where)"
        talk.say(said, talk.BROKEN)
        talk.say("".join(traceback.format_exception(error)).replace("\n", " | "), 2)
        code = 1
    leave(code or 0)


def _fill_standard_streams() -> None:
    """Opens those of descriptors 0, 1 and 2 that the caller has closed: else the next file, such as a lock, would be
    one of them, and what is done to the stream would be done to the file. Nothing can be written to them."""
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) <= 2:
        pass
    os.close(descriptor)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def leave(code: int) -> NoReturn:
    """Ends the process at once: threads that hang do not keep it. What was printed is flushed first."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    os._exit(code)


class Printer:
    """Writes JSON Lines to stdout, each flushed, until the reader goes away. closed: called then, once.

    From then on stdout is this object's alone: whatever handlers, libraries and their programs print goes to stderr,
    so that it cannot end up among the items.
    """

    def __init__(self, closed: Callable[[], None]) -> None:
        self._closed = closed
        self.terminal = sys.stdout is not None and sys.stdout.isatty()
        self._out: TextIO | None = None
        if sys.stdout is not None:
            self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
            os.dup2(2, 1)

    def __call__(self, line: dict[str, Any]) -> None:
        import json

        self.text([json.dumps(line, ensure_ascii=False)])

    def text(self, lines: Iterable[str]) -> None:
        """Writes lines that are no JSON."""
        if self._out is None:
            return
        try:
            self._out.writelines(talk.scrubbed(line) + "\n" for line in lines)
            self._out.flush()
        except BrokenPipeError:
            self._out = None
            self._closed()

    def close(self) -> None:
        """Gives stdout back."""
        if self._out is not None:
            os.dup2(self._out.fileno(), 1)


def on_signal(stop: Callable[[], None]) -> Callable[[], bool]:
    """Makes SIGINT, SIGTERM and SIGHUP (unless it is ignored, as by nohup) call `stop`. Gives a function that tells
    whether one came."""
    came: list[int] = []

    def handle(number: int, frame: object) -> None:
        if not came:
            # Whatever has not ended by then (a source that hangs) ends with the process, as in a crash.
            last = threading.Timer(LEAVE_WITHIN, lambda: os._exit(130))
            last.daemon = True
            last.start()
        came.append(number)
        stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handle)
    return lambda: bool(came)


version = click.version_option(__version__, prog_name="rivus", message="%(prog)s %(version)s")
