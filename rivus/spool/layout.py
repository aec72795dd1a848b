"""Where everything is in the spool, and how to look for it. Looking changes nothing."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rivus.errors import BadConfig
from rivus.model.item import NAME
from rivus.model.plan import Plan
from rivus.model.states import BOXES, Box
from rivus.spool import atomic

NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "ocfs2", "gfs2", "beegfs", "fuse.")
LOCAL_FUSE = "fuse.fuse-overlayfs"
_LOOK = (Box.WAIT, Box.READY, Box.RUNNING, Box.LATER, Box.DONE, Box.FAILED, Box.HELD, Box.READY)


@dataclass(frozen=True, slots=True)
class Spool:
    """Paths below `root`, an existing directory on a local file system. limits: the folder of the limits' state,
    which a test spool shares with production."""

    root: str
    limits: str

    @property
    def owners(self) -> str:
        return f"{self.root}/_owners"

    @property
    def journal(self) -> str:
        return f"{self.root}/_journal"

    @property
    def rejected(self) -> str:
        return f"{self.root}/_rejected"

    @property
    def verdicts(self) -> str:
        """What was decided about kinds of failure; people may edit it."""
        return f"{self.root}/_verdicts"

    def births(self, job: str) -> str:
        """The records of every item ever seen."""
        return f"{self.root}/{job}/discover/done"

    def cursor(self, job: str) -> str:
        return f"{self.root}/{job}/discover/cursor.json"

    def pause(self, job: str) -> str:
        """Exists while the job is paused, and says why."""
        return f"{self.root}/{job}/paused.json"

    def stage(self, job: str, stage: str) -> str:
        return f"{self.root}/{job}/{stage}"

    def state(self, job: str, stage: str) -> str:
        """What a stage's handler keeps from one item to the next, made when it first asks for it."""
        return f"{self.root}/{job}/{stage}/state"

    def box(self, job: str, stage: str, box: Box) -> str:
        return f"{self.root}/{job}/{stage}/{box}"

    def ticket(self, job: str, stage: str, box: Box, name: str) -> str:
        return f"{self.root}/{job}/{stage}/{box}/{name}"

    def claims(self, job: str, stage: str, owner: str) -> str:
        return f"{self.root}/{job}/{stage}/running/{owner}"

    def files(self, job: str, name: str) -> str:
        """The folder of an item's large files, made by whoever first needs it."""
        return f"{self.root}/{job}/files/{name.removesuffix('.json')}"

    def record(self, job: str, stage: str, name: str) -> str:
        """What the network said to the last result of an item in a stage, if that was asked for."""
        return f"{self.files(job, name)}/.{stage}.http.gz"

    def jobs(self) -> list[str]:
        """The jobs that have a directory here, whatever jobs.d says."""
        return sorted(name for name in names(self.root) if NAME.fullmatch(name))

    def stages(self, job: str) -> list[str]:
        """The stages of a job that have a directory here."""
        known = names(f"{self.root}/{job}")
        return sorted(name for name in known if NAME.fullmatch(name) and os.path.isdir(self.box(job, name, Box.READY)))

    def archive(self, job: str) -> str:
        """What was finished long ago, made when there first is such an item."""
        return f"{self.root}/{job}/archive"

    def born(self, job: str, name: str) -> bool:
        """Whether an item has a birth record, and so is in the spool."""
        return os.path.lexists(f"{self.births(job)}/{name}")

    def archived(self, job: str, name: str) -> bool:
        """Whether an item is in the job's archive, and not in the spool. Raises RivusError if that cannot be told."""
        if self.born(job, name) or not os.path.lexists(self.archive(job)):
            return False
        from rivus.spool.known import find

        return find(self.archive(job), name) is not None and not self.born(job, name)

    def known(self, job: str, name: str) -> bool:
        """Whether an item was ever published. Raises RivusError if the archive cannot tell."""
        if self.born(job, name):
            return True
        if not os.path.lexists(self.archive(job)):  # and so it was not there a moment ago, nor was the item
            return False
        return self.archived(job, name) or self.born(job, name)

    def where(self, job: str, stage: str, name: str) -> tuple[Box, str] | None:
        """The box and path of a ticket. Looked for in the order in which tickets move, `ready` once more at the
        end, so that one which moves on meanwhile is not missed."""
        for box in _LOOK:
            if box is Box.RUNNING:
                for owner in names(self.box(job, stage, box)):
                    path = f"{self.claims(job, stage, owner)}/{name}"
                    if os.path.lexists(path):
                        return box, path
            elif os.path.lexists(path := self.ticket(job, stage, box, name)):
                return box, path
        return None

    def ended(self, job: str, stages: Sequence[str], name: str) -> bool:
        """Whether all these stages are done with an item. Of an archived one all are."""
        there = all(os.path.lexists(self.ticket(job, stage, Box.DONE, name)) for stage in stages)
        return there or self.archived(job, name)

    def prepare(self, plan: Plan) -> None:
        """Makes the directories of a job that are not there yet."""
        atomic.make_folder(f"{self.root}/{plan.job}")
        atomic.make_folder(f"{self.root}/{plan.job}/discover")
        atomic.make_folder(self.births(plan.job))
        atomic.make_folder(f"{self.root}/{plan.job}/files")
        for stage in plan.needs:
            atomic.make_folder(self.stage(plan.job, stage))
            for box in BOXES:
                atomic.make_folder(self.box(plan.job, stage, box))


def open_spool(root: str, *, test: bool = False, allow_network: bool = False, look: bool = False) -> Spool:
    """The spool in the directory `root`, with rivus's own folders made, unless it is only to `look` at; `test`: the
    one in its `_test`, which shares the limits. Raises BadConfig: not a directory, or on a network file system."""
    root = os.path.abspath(root)
    if not os.path.isdir(root):
        raise BadConfig(f"{root}: no such directory; make it, or name the spool with --spool or RIVUS_SPOOL")
    if not allow_network and (kind := network_file_system(root)):
        raise BadConfig(
            f"{root} is on {kind}: locks and renames cannot be trusted on a network file system "
            "(--allow-network-fs to use it all the same)"
        )
    limits = f"{root}/_limits"
    root = f"{root}/_test" if test else root
    spool = Spool(root, limits)
    for folder in () if look else (limits, root, spool.owners, spool.journal, spool.rejected, spool.verdicts):
        atomic.make_folder(folder)
    return spool


def network_file_system(path: str) -> str:
    """The type of the file system that holds `path` if it is a network one, else "". The types are the names
    that the kernel gives in /proc/self/mountinfo (field 9, proc(5)), which tell sshfs from other FUSE systems where
    statfs's number does not."""
    path = os.path.realpath(path)
    best, found = "", ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                fields, _, rest = line.partition(" - ")
                point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields.split()[4])
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best):
                    best, found = point, rest.split()[0]
    except OSError:
        return "an unknown file system (no /proc/self/mountinfo)"
    return found if found.startswith(NETWORK) and not found.startswith(LOCAL_FUSE) else ""


def names(folder: str) -> Iterator[str]:
    """The names in a directory that are not hidden; nothing if there is no such directory."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    yield entry.name
    except (FileNotFoundError, NotADirectoryError):
        return


def may_run(spool: Spool, job: str, stage: str, within: float) -> bool:
    """Whether a worker of this stage would find anything to do within so many seconds: something in `ready`, a claim
    to look after, a ticket that falls due. It errs on the side of yes."""
    if any(True for box in (Box.READY, Box.RUNNING) for _ in names(spool.box(job, stage, box))):
        return True
    later, soon = spool.box(job, stage, Box.LATER), time.time() + within
    return any(_modified(f"{later}/{name}") <= soon for name in names(later))


def _modified(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except FileNotFoundError:
        return 0.0
