"""The errors a command ends with. The exit code stands on the class (sysexits.h where there is one)."""

from __future__ import annotations


class RivusError(Exception):
    """Something a person should read; the command prints it as one line and ends with `exit_code`."""

    exit_code = 1


class BadInput(RivusError):
    """What came on stdin, or as an argument, is not an item (EX_DATAERR)."""

    exit_code = 65


class Unavailable(RivusError):
    """Something outside could not be reached (EX_UNAVAILABLE)."""

    exit_code = 69


class TryAgain(RivusError):
    """Not now; the same command may succeed later (EX_TEMPFAIL)."""

    exit_code = 75


class BadConfig(RivusError):
    """jobs.d, a limit, a credential or the installation must change first (EX_CONFIG)."""

    exit_code = 78
