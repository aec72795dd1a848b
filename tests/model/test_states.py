"""The state table is whole: every box can be reached and left, every row says who and what a crash leaves."""

from __future__ import annotations

from rivus.model import states
from rivus.model.states import BOXES, RESTING, TABLE, Box, Move


def reached(start: set[Box], rows: tuple[Move, ...]) -> set[Box]:
    """The boxes that tickets from `start` can come to by `rows`."""
    found, before = set(start), set[Box]()
    while found != before:
        before = set(found)
        found |= {row.target for row in rows if row.sources & found and row.target}
    return found


def test_every_row_has_a_letter_and_a_name_of_its_own() -> None:
    assert len({row.letter for row in TABLE}) == len({row.name for row in TABLE}) == len(TABLE)


def test_the_table_holds_every_move_there_is() -> None:
    assert {value for value in vars(states).values() if isinstance(value, Move)} == set(TABLE)


def test_every_row_says_who_makes_the_move_and_what_a_crash_leaves() -> None:
    for row in TABLE:
        assert row.by and row.crash, row.name
        assert row.target not in row.sources, row.name


def test_every_box_can_be_reached_by_what_is_published() -> None:
    assert reached({Box.READY}, TABLE) == set(BOXES)


def test_from_every_box_a_ticket_can_become_done() -> None:
    for box in BOXES:
        assert Box.DONE in reached({box}, TABLE), box


def test_without_a_person_nothing_that_ended_runs_again_and_nothing_is_held_for_ever() -> None:
    alone = tuple(row for row in TABLE if row.by not in ("person", "discover"))
    assert reached({Box.DONE}, alone) <= {Box.DONE, Box.HELD}
    assert reached({Box.FAILED}, alone) <= {Box.FAILED, Box.HELD}
    assert {row.name for row in TABLE if Box.HELD in row.sources and row.by == "person"} >= {"retry", "unhold", "drop"}


def test_only_a_claim_leads_into_running_and_only_from_ready() -> None:
    assert [(row.name, row.sources) for row in TABLE if row.target is Box.RUNNING] == [
        ("claim", frozenset({Box.READY}))
    ]


def test_a_box_is_named_as_its_directory_and_all_but_running_rest() -> None:
    assert [str(box) for box in BOXES] == ["wait", "ready", "running", "later", "done", "failed", "held"]
    assert set(BOXES) - RESTING == {Box.RUNNING}
