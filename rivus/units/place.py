"""Where an installation lies: its launchers, jobs, spool, units and credentials. Only paths that can stand in a unit
file as they are: systemd.syntax(7) and systemd.unit(5) give a meaning to white space, quotes, %, $ and \\."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import rivus
from rivus.config.problem import quoted
from rivus.errors import BadConfig

SYSTEM_UNITS = Path("/etc/systemd/system")
HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))
"""What ProtectHome= and PrivateTmp= hide from a unit (systemd.exec(5))."""
_UNFIT = re.compile(r"[^\w/.,@+=~-]")


@dataclass(frozen=True)
class Place:
    """user: units of a user's own service manager. bin: the folder of the launchers. units: where unit files go.
    account: who the units run as (system mode). credentials: a file for each secret. Raises BadConfig for a path
    that cannot stand in a unit file."""

    user: bool
    bin: Path
    jobs: Path
    spool: Path
    units: Path
    account: str = "rivus"
    credentials: Path = Path("/etc/rivus/credentials")

    def __post_init__(self) -> None:
        for path in (self.bin, self.jobs, self.spool, self.units, self.credentials):
            in_unit(path)


def place(user: bool, jobs: Path, spool: Path, root: Path | None = None) -> Place:
    """This installation's place. root: write the units below it, as packagers do. Raises BadConfig."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config").absolute()
    units = config / "systemd/user" if user else SYSTEM_UNITS
    return Place(
        user=user,
        bin=launchers(),
        jobs=jobs.absolute(),
        spool=spool.absolute(),
        units=units if root is None else root.absolute() / units.relative_to("/"),
        credentials=config / "rivus/credentials" if user else Place.credentials,
    )


def in_unit(path: Path | str) -> str:
    """The path as it stands in a unit file. Raises BadConfig for one that is relative, leads upwards, or would have to
    be quoted; each directive has other rules for that."""
    text = str(path)
    if not text.startswith("/") or ".." in text.split("/") or _UNFIT.search(text):
        why = "must be absolute, of letters, digits and /._-+=,@~"
        raise BadConfig(f"{quoted(text)} cannot stand in a systemd unit: a path there {why}")
    return text


def launchers() -> Path:
    """The folder of rivus-stage and the others, the same after an upgrade. Raises BadConfig if there is none."""
    package = Path(rivus.__file__).parent
    for folder in _candidates(package):
        if os.access(folder / "rivus-stage", os.X_OK):
            return folder
    raise BadConfig(f"no launcher rivus-stage was found for {package}")


def _candidates(package: Path) -> Iterator[Path]:
    """PREFIX/bin for a release in PREFIX/lib/rivus; bin of a checkout; where pip puts scripts."""
    for folder in package.parents:
        if folder.parts[-2:] == ("lib", "rivus"):
            yield folder.parent.parent / "bin"
    yield package.parent / "bin"
    yield Path(sys.argv[0]).absolute().parent
    yield Path(sys.executable).absolute().parent


def hidden(place: Place) -> Path | None:
    """A part of the program that the units of the system could not see; None if they see all of it."""
    parts = (place.bin, Path(rivus.__file__), Path(sys.executable), Path(os.path.realpath(sys.executable)))
    return None if place.user else next((part for part in parts if is_hidden(part)), None)


def is_hidden(path: Path) -> bool:
    """Whether ProtectHome= or PrivateTmp= hides it."""
    return any(path.is_relative_to(folder) for folder in HIDDEN)
