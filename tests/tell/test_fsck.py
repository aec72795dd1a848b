"""Conservation is looked at file by file, and the command that a finding names restores it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rivus.config.load import load_jobs
from rivus.spool.layout import Spool, open_spool
from rivus.spool.owners import Owner
from rivus.tell.checkup import Finding
from rivus.tell.fsck import fsck
from tests.commands.samples import CHAIN, STEPS
from tests.conftest import House, furnished


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a chain of three stages: `a` is done in all, `b` in the first, `c` is new."""
    house = furnished(tmp_path_factory.mktemp("chain"))
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, "a")
    house.run("rivus-run", "demo")
    inject(house, "b")
    house.run("rivus-stage", "demo:fetch")
    inject(house, "c")
    return house.root


@pytest.fixture
def chain(original: Path, tmp_path: Path) -> House:
    """A copy of that folder, with its hard links and times."""
    subprocess.run(["cp", "--archive", f"{original}/.", tmp_path], check=True)
    return House(tmp_path)


def inject(house: House, *keys: str) -> None:
    house.run("rivus-inject", "demo", stdin="\n".join(json.dumps({"id": key}) for key in keys))


def spool_of(house: House) -> Spool:
    return open_spool(str(house.root / "spool"))


def found(house: House) -> list[Finding]:
    return fsck(spool_of(house), load_jobs(house.root / "jobs.d"))


def mended(house: House, words: str) -> Finding:
    """The one finding there is, after its command has been run and nothing is wrong any more."""
    [finding] = found(house)
    assert words in finding.what and "\n" not in finding.what + finding.mend
    done = house.shell(finding.mend)
    assert done.returncode == 0, f"{finding.mend}\n{done.stderr}"
    assert found(house) == []
    return finding


def demo(house: House, path: str) -> Path:
    return house.root / "spool/demo" / path


def where(house: House, name: str) -> dict[str, str]:
    spool = spool_of(house)
    places = {stage: spool.where("demo", stage, name) for stage in ("fetch", "extract", "score")}
    return {stage: str(place[0]) if place else "-" for stage, place in places.items()}


def test_in_a_sound_spool_nothing_is_found_and_nothing_changes(chain: House) -> None:
    inject(chain, "a b/ü", "-x", "k" * 500)
    chain.run("rivus-stage", "demo:fetch", stdin='{"job": "demo", "key": "-x"}')
    before = {path: os.lstat(path) for path in (chain.root / "spool").rglob("*")}
    assert found(chain) == []
    after = {path: os.lstat(path) for path in (chain.root / "spool").rglob("*")}
    assert [path for path in after if path not in before or after[path].st_ctime_ns != before[path].st_ctime_ns] == []


def test_a_ticket_that_was_deleted_is_made_anew_from_the_birth_record(chain: House) -> None:
    demo(chain, "extract/done/a.json").unlink()
    assert mended(chain, "demo:extract has no ticket of 1 item, of 3: a").grave
    assert where(chain, "a.json") == {"fetch": "done", "extract": "ready", "score": "done"}


def test_a_stage_that_was_added_later_is_one_finding_and_gets_all_items(chain: House) -> None:
    inject(chain, *(f"item {number}" for number in range(30)))
    chain.job("demo", CHAIN + "  more: {handler: steps.score, needs: [fetch]}\n")
    finding = mended(chain, "demo:more has no ticket of 33 items, of 33: ")
    assert not finding.grave
    assert chain.box("demo", "more", "ready") == ["a.json", "b.json"]
    assert len(chain.box("demo", "more", "wait")) == 31


def test_items_of_which_a_stage_knows_only_some_are_completed_all_at_once(chain: House) -> None:
    inject(chain, *(f"item {number}" for number in range(30)))
    for number in range(10, 30):
        demo(chain, f"score/wait/item%20{number}.json").unlink()
    mended(chain, "demo:score has no ticket of 20 items, of 33: ")
    assert where(chain, "item%2010.json")["score"] == where(chain, "item%201.json")["score"] == "wait"


def test_waiting_tickets_without_a_birth_record_are_completed_by_the_sweep(chain: House) -> None:
    for name in ("b", "c"):
        demo(chain, f"discover/done/{name}.json").unlink()
    assert mended(chain, "demo: 2 items without a birth record: b, c").mend.startswith("rivus-sweep")


def test_ready_tickets_without_a_birth_record_are_completed_by_their_stage(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: steps.fetch}}", steps=STEPS)
    inject(house, "a", "b")
    demo(house, "discover/done/a.json").unlink()
    assert "rivus-stage" in mended(house, "demo: 1 item without a birth record: a").mend


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq, which the command uses")
def test_an_item_that_is_done_but_has_no_birth_record_is_published_again_and_stays_done(chain: House) -> None:
    demo(chain, "discover/done/a.json").unlink()
    mended(chain, "demo: 1 item without a birth record: a")
    assert set(where(chain, "a.json").values()) == {"done"}
    assert chain.ticket("demo", "discover", "done", "a.json")["data"] == {"id": "a"}


@pytest.mark.parametrize(
    ("source", "copy", "stays"),
    [
        ("fetch/done", "fetch/ready", "done"),
        ("score/wait", "score/failed", "failed"),
        ("score/held", "score/later", "held"),
    ],
)
def test_of_two_tickets_the_one_that_knows_less_is_put_aside(chain: House, source: str, copy: str, stays: str) -> None:
    if source == "score/held":
        chain.run("rivus-move", "hold", "demo/b", "--stage", "score")
    shutil.copy(demo(chain, f"{source}/b.json"), demo(chain, f"{copy}/b.json"))
    finding = mended(chain, "b.json is in ")
    assert finding.grave
    assert where(chain, "b.json")[source.split("/")[0]] == stays
    assert len(os.listdir(chain.root / "spool/_rejected")) == 1


def test_a_file_under_a_name_that_is_not_its_keys_is_renamed(chain: House) -> None:
    demo(chain, "fetch/done/b.json").rename(demo(chain, "fetch/done/it's.json"))
    mended(chain, "by its key it is b.json")
    assert where(chain, "b.json")["fetch"] == "done"


def test_a_birth_record_under_a_wrong_name_is_renamed(chain: House) -> None:
    demo(chain, "discover/done/b.json").rename(demo(chain, "discover/done/x.json"))
    mended(chain, "discover/done/x.json: by its key it is b.json")


def test_a_copy_under_a_wrong_name_is_put_aside(chain: House) -> None:
    shutil.copy(demo(chain, "fetch/done/b.json"), demo(chain, "fetch/failed/copy.json"))
    mended(chain, "by its key it is b.json, which is there as well")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"job": "other", "key": "b", "data": {}, "meta": {}}', "{}"])
def test_a_ticket_that_cannot_be_read_is_put_aside_and_its_stage_runs_again(chain: House, text: str) -> None:
    demo(chain, "fetch/done/b.json").write_text(text)
    assert mended(chain, "done/b.json cannot be used").grave
    assert where(chain, "b.json") == {"fetch": "ready", "extract": "ready", "score": "wait"}


def test_what_is_not_a_file_is_put_aside(chain: House) -> None:
    demo(chain, "fetch/held/folder.json").mkdir()
    mended(chain, "folder.json cannot be used: not a regular file")
    demo(chain, "fetch/wait/link.json").symlink_to("/etc/passwd")
    mended(chain, "link.json cannot be used")


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq, which the command uses")
def test_a_birth_record_that_cannot_be_read_is_made_anew_from_a_ticket(chain: House) -> None:
    birth = demo(chain, "discover/done/b.json")
    birth.unlink()
    birth.write_text("half of i")
    mended(chain, "discover/done/b.json cannot be read")
    assert json.loads(birth.read_text())["data"] == {"id": "b"}


def test_an_output_that_was_changed_after_its_receipt_is_made_again(chain: House) -> None:
    path = demo(chain, "extract/done/a.json")
    ticket = json.loads(path.read_text())
    path.write_text(json.dumps({**ticket, "output": {"text": "something else"}}))
    mended(chain, "its output is not the one that its receipt was written for")
    assert where(chain, "a.json")["extract"] == "ready"
    chain.run("rivus-stage", "demo:extract")
    assert chain.ticket("demo", "extract", "done", "a.json")["output"] == ticket["output"]
    assert found(chain) == []


def test_what_was_skipped_dropped_or_moved_to_done_by_hand_is_sound(chain: House) -> None:
    chain.run("rivus-move", "drop", "demo/b", "--stage", "extract")
    demo(chain, "fetch/ready/c.json").rename(demo(chain, "fetch/done/c.json"))
    chain.run("rivus-sweep")
    assert found(chain) == []


def test_what_was_dropped_in_and_not_claimed_yet_is_sound(chain: House) -> None:
    for box in ("ready", "held"):
        demo(chain, f"fetch/{box}/any name.json").write_text('{"url": "https://example.org/"}')
        demo(chain, f"fetch/{box}/any name.json").rename(demo(chain, f"fetch/{box}/{box}.json"))
    demo(chain, "fetch/ready/half.json").write_text('{"url')
    demo(chain, "fetch/ready/.hidden").write_text("")
    assert found(chain) == []


def test_files_of_no_item_are_removed(chain: House) -> None:
    demo(chain, "files/a/fetch").mkdir(parents=True)
    demo(chain, "files/gone; x/fetch").mkdir(parents=True)
    assert not mended(chain, "gone; x belongs to no item").grave
    assert os.listdir(demo(chain, "files")) == ["a"]


@pytest.mark.parametrize("path", ["notes.txt", "demo/notes.txt", "demo/discover/x", "demo/fetch/redy", "$(touch x)\n"])
def test_what_does_not_belong_is_put_aside(chain: House, path: str) -> None:
    (chain.root / "spool" / path).write_text("")
    mended(chain, "does not belong here")
    assert len(os.listdir(chain.root / "spool/_rejected")) == 1
    assert not (chain.root / "x").exists()


def test_what_lies_in_running_and_is_nobodys_is_handed_on(chain: House) -> None:
    demo(chain, "fetch/running/d.json").write_text('{"id": "d"}')
    mended(chain, "running/d.json is nobody's")
    assert "d.json" in chain.box("demo", "fetch", "ready")


def test_a_stage_that_is_in_no_job_any_more_is_left_to_the_check_up(chain: House) -> None:
    chain.job("demo", CHAIN.replace("  score: {handler: steps.score}\n", ""))
    told = chain.run("rivus-doctor", "--fsck", code=1).out
    assert told.count("demo has no stage score any more; it keeps 1 result and 2 unfinished tickets; out of sight") == 1
    assert found(chain) == []


def test_a_job_without_a_file_in_jobs_d_is_put_out_of_sight(chain: House) -> None:
    chain.job("other", CHAIN)
    (chain.root / "jobs.d/demo.yaml").unlink()
    mended(chain, "demo is in the spool and not in jobs.d")


def test_a_job_whose_file_is_broken_is_not_looked_at_and_that_is_told(chain: House) -> None:
    for text in ("stages: 5", "{"):
        chain.job("demo", text)
        [finding] = found(chain)
        assert "demo: not looked at" in finding.what and finding.mend.endswith("/jobs.d/demo.yaml")


def test_what_dead_workers_left_is_buried_by_the_sweep(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin='{"id": "d", "do": "die"}')
    worker = chain.start("rivus-stage", "demo:fetch", "demo/d")
    worker.communicate(timeout=60)
    assert worker.returncode == -signal.SIGKILL
    assert found(chain) == []
    [claim] = demo(chain, "fetch/running").glob("*/d.json")
    claim.rename(demo(chain, "fetch/failed/d.json"))
    claim.parent.rmdir()
    hidden = chain.root / "spool/_owners/.unborn.lock"
    hidden.touch()
    os.utime(hidden, (0, 0))
    mended(chain, "_owners holds what 2 dead workers left")


def test_a_live_worker_and_its_claims_are_sound(chain: House) -> None:
    spool = spool_of(chain)
    with Owner(spool) as owner:
        claim = Path(owner.claims("demo", "fetch")) / "c.json"
        demo(chain, "fetch/ready/c.json").rename(claim)
        shutil.copy(claim, demo(chain, "fetch/done/c.json"))  # as between a result and the end of its claim
        assert found(chain) == []
        demo(chain, "fetch/done/c.json").unlink()
        claim.rename(demo(chain, "fetch/ready/c.json"))


def test_a_finished_item_whose_worker_died_before_it_dropped_the_claim_is_swept(chain: House) -> None:
    folder = demo(chain, "fetch/running/20260101T000000-1-aaaaaaaa")
    folder.mkdir()
    ticket = chain.ticket("demo", "fetch", "done", "b.json")
    ticket["receipt"]["owner"] = folder.name
    demo(chain, "fetch/done/b.json").write_text(json.dumps(ticket))
    shutil.copy(demo(chain, "discover/done/b.json"), folder / "b.json")
    assert not mended(chain, "b.json is in done and in running").grave
    assert where(chain, "b.json")["fetch"] == "done"


def test_of_many_findings_of_a_kind_twenty_are_told_and_the_others_counted(chain: House) -> None:
    for number in range(30):
        demo(chain, f"files/{number}").mkdir()
    findings = found(chain)
    assert len(findings) == 21
    assert "10 more of these" in findings[0].what and findings[0].mend.endswith("--fsck")


def test_while_workers_run_nothing_is_found(chain: House) -> None:
    inject(chain, *(f"i{number}" for number in range(300)))
    worker = chain.start("rivus-run", "demo", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while worker.poll() is None:
        assert found(chain) == []
    assert len(chain.box("demo", "score", "done")) == 303


@pytest.mark.torture
@pytest.mark.timeout(300)
def test_a_hundred_thousand_items_in_three_stages_take_half_a_minute(chain: House) -> None:
    birth = json.loads(demo(chain, "discover/done/c.json").read_text())
    done = json.loads(demo(chain, "score/done/a.json").read_text())
    for number in range(100_000):
        name = f"n{number:06}"
        demo(chain, f"discover/done/{name}.json").write_text(json.dumps({**birth, "key": name}))
        for stage in ("fetch", "extract", "score"):
            demo(chain, f"{stage}/done/{name}.json").write_text(json.dumps({**done, "key": name}))
    started = time.monotonic()
    assert found(chain) == []
    assert time.monotonic() - started < 30
