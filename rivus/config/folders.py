"""Which jobs.d and which spool a command works on: the option, else the environment, else here, else the user's own,
else the system's."""

from __future__ import annotations

import os
from pathlib import Path


def jobs_folder(option: str | None, user: bool = False, here: bool = True) -> Path:
    """The folder of jobs: `option`, else $RIVUS_JOBS, else ./jobs.d if there is one, else rivus/jobs.d in
    $XDG_CONFIG_HOME if there is one and we are not root, else /etc/rivus/jobs.d. user: never the system's. here: False
    for what does not depend on who asks where: not ./jobs.d, and a user's own only for `user`. It need not exist."""
    system = None if user else "/etc/rivus"
    return _folder(option, "RIVUS_JOBS", "jobs.d", ("XDG_CONFIG_HOME", ".config"), system, here)


def spool_folder(option: str | None, user: bool = False, here: bool = True) -> Path:
    """The spool: `option`, else $RIVUS_SPOOL, else ./spool if there is one, else rivus/spool in $XDG_STATE_HOME if
    there is one and we are not root, else /var/lib/rivus/spool. user, here: as for `jobs_folder`. It need not exist."""
    system = None if user else "/var/lib/rivus"
    return _folder(option, "RIVUS_SPOOL", "spool", ("XDG_STATE_HOME", ".local/state"), system, here)


def _folder(
    option: str | None, variable: str, name: str, home: tuple[str, str], system: str | None, here: bool
) -> Path:
    if named := option or os.environ.get(variable):
        return Path(named)
    if here and os.path.isdir(name):
        return Path(name)
    own = _own(*home) / "rivus" / name
    if system is None or (here and os.geteuid() != 0 and os.path.isdir(own)):
        return own
    return Path(system) / name


def _own(variable: str, default: str) -> Path:
    """A folder of the XDG Base Directory Specification, which says to ignore a relative path."""
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / default
