"""Which jobs.d and which spool a command works on: the option, else the environment, else here, else the
system's."""

from __future__ import annotations

import os
from pathlib import Path


def jobs_folder(option: str | None) -> Path:
    """The folder of jobs: `option`, else $RIVUS_JOBS, else ./jobs.d if there is one, else /etc/rivus/jobs.d.
    It need not exist."""
    return _folder(option, "RIVUS_JOBS", "jobs.d", "/etc/rivus/jobs.d")


def spool_folder(option: str | None) -> Path:
    """The spool: `option`, else $RIVUS_SPOOL, else ./spool if there is one, else /var/lib/rivus/spool.
    It need not exist."""
    return _folder(option, "RIVUS_SPOOL", "spool", "/var/lib/rivus/spool")


def _folder(option: str | None, variable: str, here: str, system: str) -> Path:
    if named := option or os.environ.get(variable):
        return Path(named)
    return Path(here) if Path(here).is_dir() else Path(system)
