"""What people write in jobs.d: read strictly, reported completely. The only room that imports yaml and
msgspec.

The names below are loaded when they are first used, so that a command that only asks for a folder pays for
nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rivus.config.convert import Seconds as Seconds
    from rivus.config.folders import jobs_folder as jobs_folder
    from rivus.config.folders import spool_folder as spool_folder
    from rivus.config.load import Jobs as Jobs
    from rivus.config.load import load_job as load_job
    from rivus.config.load import load_jobs as load_jobs
    from rivus.config.problem import Problem as Problem
    from rivus.config.schema import Discover as Discover
    from rivus.config.schema import Expect as Expect
    from rivus.config.schema import Job as Job
    from rivus.config.schema import Limit as Limit
    from rivus.config.schema import Stage as Stage

_ROOMS = {
    "convert": ("Seconds",),
    "folders": ("jobs_folder", "spool_folder"),
    "load": ("Jobs", "load_job", "load_jobs"),
    "problem": ("Problem",),
    "schema": ("Discover", "Expect", "Job", "Limit", "Stage"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
