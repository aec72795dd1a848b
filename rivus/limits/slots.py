"""How many at once: N lock files `slot.0` … `slot.N-1`, taken in the order in which people stood in line at `turn`.

Only who has the turn looks for a slot, so nobody overtakes. A slot is a lock: it is free once its holder, and every
child that inherited it, is gone. With fewer slots than before, the files above the new number are just not used any
more: in between there are never more holders than the old number, and afterwards never more than the new one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rivus.locks import Held, holders, lock_any, queue

_LOOK_EVERY = 0.003


def take(folder: Path, count: int, stop: Callable[[], bool]) -> Held | None:
    """Waits for one of `count` slots in `folder`, first come, first served; None once `stop()` is true."""
    turn = queue(folder / "turn", stop)
    if turn is None:
        return None
    with turn:
        return lock_any([folder / f"slot.{number}" for number in range(count)], stop, _LOOK_EVERY)


def held(folder: Path) -> dict[str, list[int]]:
    """The slots that are taken now and by which processes, those above the present number included."""
    paths = sorted(folder.glob("slot.*"), key=lambda path: (len(path.name), path.name))
    taken = {path.name: holders(path) for path in paths}
    return {name: pids for name, pids in taken.items() if pids}
