"""rivus-dash on the command line; what it serves is tested in tests/dash."""

from __future__ import annotations

from tests.conftest import ROOT, House


def test_two_places_to_listen_are_one_too_many(house: House) -> None:
    assert "--port or --unix" in house.run("rivus-dash", "--port", "1", "--unix", "x", code=2).err


def test_a_port_is_a_number_below_65536(house: House) -> None:
    assert "65536" in house.run("rivus-dash", "--port", "65536", code=2).err


def test_a_spool_that_is_not_there_is_said(house: House) -> None:
    done = house.run("rivus-dash", "--spool", "nowhere", code=78)
    assert "nowhere: no such directory" in done.err and len(done.err.splitlines()) == 1


def test_jobs_that_are_not_there_are_said(house: House) -> None:
    assert "no such directory" in house.run("rivus-dash", "--jobs", "nowhere", code=78).err


def test_without_datasette_it_says_what_to_install(house: House) -> None:
    (house.root / "datasette.py").write_text("raise ImportError('No module named datasette')")
    done = house.run("rivus-dash", env={"PYTHONPATH": f"{house.root}:{ROOT}"}, code=78)
    assert done.err.startswith("rivus-dash: No module named datasette; the dashboard needs Datasette: pip install ")
