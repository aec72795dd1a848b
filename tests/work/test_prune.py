"""What a job's `keep` does not keep any longer goes; what it does not name stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from rivus.config import load_jobs
from rivus.config.load import Jobs
from rivus.errors import TryAgain
from rivus.locks import try_lock
from rivus.model.outcome import ItemFailed
from rivus.model.states import Box
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.blessed import bless
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.publish import publishing
from rivus.spool.results import last_result
from rivus.stale.judge import NO_FILES
from rivus.stale.survey import Survey
from rivus.versions.parts import version_of
from rivus.work.context import ItemContext
from rivus.work.prune import due, old_days, prune, remove_days
from rivus.work.sweep import sweep
from tests.spool.crash import check_conserved, fresh_spool
from tests.spool.test_archive import finished, side

DAY = 86_400.0
NOW = time.time()
STAGES = "stages: {fetch: {command: [cat]}, extract: {command: [cat]}, score: {command: [cat]}}\n"


def jobs_with(folder: Path, **keeps: str) -> Jobs:
    folder.mkdir(exist_ok=True)
    for name, keep in keeps.items():
        (folder / f"{name}.yaml").write_text(f"{STAGES}keep: {keep}\n" if keep else STAGES)
    return load_jobs(folder)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = fresh_spool(tmp_path / "spool")
    with Owner(spool) as owner:
        for age in (10, 40, 100):
            finished(spool, owner, f"d{age}", ended=NOW - age * DAY)
    return spool


def has_files(spool: Spool, name: str) -> bool:
    return os.path.isdir(spool.files("job", name))


def test_items_and_files_go_when_they_are_as_old_as_the_job_says(spool: Spool, tmp_path: Path) -> None:
    job = jobs_with(tmp_path / "jobs.d", job="{done: 90d, files: 30d}").jobs["job"]
    rows = [{"job": "job", "key": "d100", "what": "archive"}, {"job": "job", "key": "d40", "what": "files"}]
    assert list(due(spool, job, NOW)) == rows
    assert prune(spool, job, NOW) == {"job": "job", "archived": 1, "files": 1}
    assert side(spool, "d100.json") == "archive" and list(due(spool, job, NOW)) == []
    assert [has_files(spool, name) for name in ("d10.json", "d40.json")] == [True, False]
    check_conserved(spool, {"d10.json", "d40.json"})
    assert prune(spool, job, NOW) == {"job": "job", "archived": 0, "files": 0}


def test_a_job_that_says_nothing_keeps_all(spool: Spool, tmp_path: Path) -> None:
    job = jobs_with(tmp_path / "jobs.d", job="").jobs["job"]
    assert prune(spool, job, NOW + 1e6 * DAY) == {"job": "job", "archived": 0, "files": 0}
    assert not os.path.lexists(spool.archive("job"))


def test_the_files_of_an_item_that_is_not_done_stay(spool: Spool, tmp_path: Path) -> None:
    job = jobs_with(tmp_path / "jobs.d", job="{files: 30d}").jobs["job"]
    os.rename(spool.ticket("job", "score", Box.DONE, "d40.json"), spool.ticket("job", "score", Box.FAILED, "d40.json"))
    assert prune(spool, job, NOW)["files"] == 1
    assert has_files(spool, "d40.json") and not has_files(spool, "d100.json")


def test_a_handler_that_needs_such_a_file_is_told_which_stage_makes_it_again(spool: Spool, tmp_path: Path) -> None:
    context = ItemContext(
        files=spool.files("job", "d40.json"), job="job", stage="score", key="d40", attempt=1, timeout=1, params={},
        folder=tmp_path, private_hosts=(), charge=lambda spent: None,
    )  # fmt: skip
    assert context.path("fetch/page.html").read_text() == "long"
    atomic.remove_tree(spool.files("job", "d40.json"))
    with pytest.raises(ItemFailed, match=r"keep: files.*retry --stage fetch"):
        context.path("fetch/page.html")


def test_a_prune_that_is_stopped_goes_on_the_next_time_and_two_never_work_side_by_side(
    spool: Spool, tmp_path: Path
) -> None:
    job = jobs_with(tmp_path / "jobs.d", job="{done: 1d}").jobs["job"]
    assert prune(spool, job, NOW, stop=lambda: True)["archived"] == 0
    held = try_lock(Path(f"{spool.root}/job/discover/.prune.lock"))
    assert held
    with held, pytest.raises(TryAgain, match="another rivus-prune"):
        prune(spool, job, NOW)
    assert prune(spool, job, NOW)["archived"] == 3


def test_days_of_the_journal_go_when_no_job_keeps_them(spool: Spool, tmp_path: Path) -> None:
    atomic.remove_tree(spool.journal)
    atomic.make_folder(spool.journal)
    days = [f"{utc(NOW - age * DAY)[:10]}.jsonl{end}" for age, end in ((800, ""), (500, ".gz"), (100, ""), (0, ""))]
    for name in (*days, "notes.txt"):
        Path(spool.journal, name).write_text("")
    jobs = jobs_with(tmp_path / "jobs.d", job="{journal: 1y}", other="{journal: 30d}")
    assert old_days(spool, jobs, NOW) == sorted(days[:2])
    remove_days(spool, old_days(spool, jobs, NOW))
    assert sorted(names(spool.journal)) == sorted([*days[2:], "notes.txt"])


@pytest.mark.parametrize("third", ["", "{journal: soon}", "gone"])
def test_a_job_that_does_not_say_or_cannot_be_read_keeps_every_day(spool: Spool, tmp_path: Path, third: str) -> None:
    Path(spool.journal, "2001-01-01.jsonl").write_text("")
    jobs = jobs_with(tmp_path / "jobs.d", job="{journal: 1y}")
    assert old_days(spool, jobs, NOW)
    if third == "gone":
        os.mkdir(f"{spool.root}/gone")
    else:
        jobs = jobs_with(tmp_path / "jobs.d", job="{journal: 1y}", third=third)
    assert old_days(spool, jobs, NOW) == []


def test_the_sweep_settles_what_a_dead_prune_has_left(spool: Spool, tmp_path: Path) -> None:
    jobs = jobs_with(tmp_path / "jobs.d", job="{done: 1d}")
    with publishing(spool, "job"):
        atomic.make_folder(spool.archive("job"))
        atomic.make_folder(f"{spool.archive('job')}/.leaving")
        atomic.make_folder(f"{spool.archive('job')}/.leaving/score")
        os.rename(
            spool.ticket("job", "score", Box.DONE, "d10.json"), f"{spool.archive('job')}/.leaving/score/d10.json"
        )
    with Owner(spool) as owner:
        sweep(spool, jobs.jobs, owner)
    check_conserved(spool, {"d10.json"})
    assert not os.path.lexists(f"{spool.archive('job')}/.leaving")


def test_a_result_whose_files_are_not_kept_is_stale_and_not_redone(spool: Spool, tmp_path: Path) -> None:
    job = jobs_with(tmp_path / "jobs.d", job="{files: 30d}").jobs["job"]

    def ready() -> dict[str, int]:
        return {stage: count.ready for stage, count in Survey(spool, job).counts.items()}

    with Owner(spool) as owner:
        bless(spool, "job", "fetch", [""], version_of(job, job.stages["fetch"]).id, "made by hand", owner)
    assert ready()["extract"] == 3
    prune(spool, job, NOW)
    assert ready()["extract"] == 1
    assert Survey(spool, job).counts["extract"].waits == {NO_FILES: 2}


def test_a_child_that_is_archived_still_counts_as_ended_and_gives_its_result(spool: Spool, tmp_path: Path) -> None:
    job = jobs_with(tmp_path / "jobs.d", job="{done: 90d}").jobs["job"]
    prune(spool, job, NOW)
    assert spool.archived("job", "d100.json") and spool.ended("job", ("score",), "d100.json")
    result = last_result(spool, "job", "score", "d100.json")
    assert result and result["output"] == {"score": "of d100.json"}
    assert not spool.ended("job", ("score",), "d101.json") and last_result(spool, "job", "score", "d101.json") is None
