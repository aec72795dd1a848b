"""Root works on an account's spool as that account: it follows no link of theirs into what is not theirs, runs no
handler with more rights than systemd does, and leaves no file that the next worker could not write."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from pathlib import Path


def become_owner(folder: Path) -> None:
    """Gives up root's rights, for good, for those of whoever owns `folder`; unless that is root, or there is no such
    folder."""
    try:
        state = os.stat(folder)
    except OSError:
        return
    if state.st_uid == 0:
        return
    os.setgroups([])
    group = state.st_gid
    with suppress(KeyError):
        account = pwd.getpwuid(state.st_uid)
        group = account.pw_gid
        os.initgroups(account.pw_name, group)
    os.setgid(group)
    os.setuid(state.st_uid)
