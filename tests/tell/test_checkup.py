"""The check-up finds each thing that stands in the way, and the command that it names mends it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import rivus
from rivus.config.load import load_jobs
from rivus.model.times import utc
from rivus.spool.layout import open_spool
from rivus.tell.checkup import Finding, checkup
from rivus.tell.checkup.finding import word
from rivus.tell.checkup.machine import uncompiled
from rivus.tell.checkup.sources import discoveries, usual_gap
from tests.commands.samples import CHAIN, STEPS
from tests.conftest import House

DAY = 86400.0
ROOM = ("are free where the spool is", "without bytecode")
"""What the machine that runs the tests may be short of."""


def found(house: House, later: float = 0.0) -> list[Finding]:
    """The findings, as they are `later` seconds from now."""
    folder = house.root / "jobs.d"
    findings = checkup(open_spool(str(house.root / "spool")), load_jobs(folder), folder, time.time() + later)
    return [finding for finding in findings if not any(words in finding.what for words in ROOM)]


def only(findings: list[Finding], words: str) -> Finding:
    [finding] = [finding for finding in findings if words in finding.what]
    assert "\n" not in finding.what + finding.mend
    return finding


def mended(house: House, words: str, later: float = 0.0, **env: str) -> Finding:
    """The finding with these words, after its command has been run and has made it go away."""
    finding = only(found(house, later), words)
    done = house.shell(finding.mend, **env)
    assert done.returncode == 0, f"{finding.mend}\n{done.stderr}"
    assert [left.what for left in found(house, later) if words in left.what] == []
    return finding


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def inject(house: House, **item: str) -> None:
    house.run("rivus-inject", "demo", stdin=json.dumps(item))


def states(folder: Path) -> dict[str, tuple[int, ...]]:
    """All that can change about everything below a folder."""
    paths = [folder, *sorted(folder.rglob("*"))]
    stats = {str(path): os.lstat(path) for path in paths}
    return {path: (s.st_ino, s.st_mode, s.st_uid, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in stats.items()}


def test_where_all_is_well_there_is_nothing_to_say(chain: House) -> None:
    inject(chain, id="a")
    chain.run("rivus-run", "demo")
    assert found(chain) == []


def test_a_paused_job_comes_first_with_its_cause(chain: House) -> None:
    inject(chain, id="a", do="halt")
    chain.run("rivus-stage", "demo:fetch")
    chain.job("broken", "stages: 5")
    assert found(chain)[0].what.startswith("demo is paused since 20")
    assert "no credential" in mended(chain, "is paused").what


def test_a_parked_source_comes_before_graver_things_until_it_is_resumed(chain: House) -> None:
    chain.job("limits", "youtube: {slots: 1}")
    chain.run("rivus-limit", "park", "youtube", "--for", "1h", "--why", "asked for a rest")
    chain.job("broken", "stages: 5")
    assert "the source youtube is parked until 20" in found(chain)[0].what
    assert "asked for a rest (by person)" in mended(chain, "is parked").what


def test_a_source_whose_rest_is_over_is_half_open(chain: House) -> None:
    chain.job("limits", "youtube: {slots: 1}")
    chain.run("rivus-limit", "park", "youtube", "--for", "1s")
    chain.wait_for(lambda: "half-open" in found(chain)[0].what, "the end of the rest")
    mended(chain, "half-open")


@pytest.mark.parametrize("file", ["bucket.json", "parked.json"])
def test_a_limit_that_cannot_be_read_is_reset(chain: House, file: str) -> None:
    chain.job("limits", "youtube: {slots: 1, rate: 100/s}")
    folder = chain.root / "spool/_limits/youtube"
    folder.mkdir(parents=True)
    (folder / file).write_text("garbage")
    assert mended(chain, "limit youtube").grave


def test_a_problem_in_jobs_d_names_the_line_to_edit(house: House) -> None:
    house.job("demo", "title: Demo\nstages: {fetch: {command: [cat], timeout: 5}}\n")
    fix = house.root / "fix"
    fix.write_text('#!/bin/sh\n[ "$1" = +2 ] && sed -i "s/timeout: 5/timeout: 5s/" "$2"\n')
    fix.chmod(0o755)
    assert "expected text such as 90s" in mended(house, "demo.yaml:2", EDITOR=str(fix)).what


def test_a_file_that_is_not_read_for_its_name_is_renamed(chain: House) -> None:
    (chain.root / "jobs.d/other.yml").write_text(CHAIN)
    mended(chain, "other.yml")


def test_a_handler_that_is_not_there_is_told(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: none.such}}")
    assert "rivus-check" in only(found(house), "demo: unknown handler 'none.such'").mend


def test_a_secret_that_a_job_needs_is_asked_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIVUS_SECRET_FINNHUB_TOKEN", raising=False)
    job = "discover: {strategy: finnhub_calendar}\nstages: {show: {command: [cat]}}"
    house.job("earnings", job)
    house.job("off", f"enabled: false\n{job}")
    finding = only(found(house), "no secret finnhub_token")
    assert finding.grave and finding.what.startswith("earnings: ")
    line = f"printf 'a-token-of-ours\\n' | {{ {finding.mend}; printenv RIVUS_SECRET_FINNHUB_TOKEN; }}"
    value = house.shell(line).stdout.strip()
    assert value == "a-token-of-ours"
    monkeypatch.setenv("RIVUS_SECRET_FINNHUB_TOKEN", value)
    assert not any("finnhub_token" in finding.what for finding in found(house))


def test_a_secret_that_the_units_get_from_its_file_is_there(house: House) -> None:
    house.job("demo", f"{CHAIN}", steps=f"{STEPS}\nSECRETS = ('my_key',)\n")
    (house.root / "credentials").mkdir()
    finding = only(found(house), "no secret my_key")
    assert finding.mend.endswith(f"install -m 600 /dev/stdin {house.root}/credentials/my_key")
    (house.root / "credentials/my_key").write_text("k\n")
    assert not [one for one in found(house) if "my_key" in one.what]


def test_a_module_of_jobs_d_can_name_the_secrets_it_needs(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: my.fetch}}", my="SECRETS = ('my_key',)\ndef fetch(item, ctx): ...\n")
    assert only(found(house), "no secret my_key").mend.endswith("export RIVUS_SECRET_MY_KEY")


@pytest.fixture
def small_disk(house: House) -> Iterator[House]:
    """A house whose spool is a file system of 200 MiB and 2,000 files."""
    disk = house.root / "spool"
    options = "size=200m,nr_inodes=2000"
    made = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], capture_output=True
    )
    if not made or made.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield house
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def everything(house: House) -> list[Finding]:
    folder = house.root / "jobs.d"
    return checkup(open_spool(str(house.root / "spool")), load_jobs(folder), folder, time.time())


def test_a_full_disk_is_grave_and_what_tests_left_goes_first(small_disk: House) -> None:
    assert not any("MiB" in finding.what for finding in everything(small_disk))
    folder = small_disk.root / "spool/_test"
    folder.mkdir()
    with (folder / "large").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 120 << 20)
    finding = only(everything(small_disk), "of 200 MiB are free")
    assert finding.grave
    assert small_disk.shell(finding.mend).returncode == 0
    assert not any("MiB" in finding.what for finding in everything(small_disk))


def test_when_inodes_run_out_old_journals_go(small_disk: House) -> None:
    journal = open_spool(str(small_disk.root / "spool")).journal
    for number in range(1930):
        Path(journal, f"{number}.jsonl").touch()
        os.utime(f"{journal}/{number}.jsonl", (0, 0))
    finding = only(everything(small_disk), "inodes are free")
    assert small_disk.shell(finding.mend).returncode == 0
    assert not any("inodes" in finding.what for finding in everything(small_disk))


def test_a_full_disk_with_nothing_to_remove_shows_what_takes_the_room(small_disk: House) -> None:
    with (small_disk.root / "spool/large").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 120 << 20)
    done = small_disk.shell(only(everything(small_disk), "MiB are free").mend)
    assert done.stdout.splitlines()[-1].startswith("120M")


def test_claims_of_a_dead_worker_are_recovered(chain: House) -> None:
    inject(chain, id="a", do="die")
    chain.run("rivus-stage", "demo:fetch", code=-signal.SIGKILL)
    assert "1 item held by 1 dead worker" in mended(chain, "dead worker").what
    assert chain.box("demo", "fetch", "ready") == ["a.json"]


def test_a_stopped_worker_is_sent_on(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: steps.fetch, timeout: 100ms, retry: [1h]}}", steps=STEPS)
    inject(house, id="a", do="hang")
    worker = house.start("rivus-stage", "--linger", "0s", "demo:fetch")
    try:
        house.wait_for(lambda: bool(list((house.root / "spool").glob("demo/fetch/running/*/a.json"))), "a claim")
        worker.send_signal(signal.SIGSTOP)
        house.wait_for(lambda: any("running for" in finding.what for finding in found(house)), "the finding")
        finding = only(found(house), "1 item running for")
        assert finding.mend == f"kill -CONT {worker.pid}"
        assert house.shell(finding.mend).returncode == 0
        house.wait_for(lambda: house.box("demo", "fetch", "later") == ["a.json"], "the end of the try")
        assert not any("running for" in finding.what for finding in found(house))
    finally:
        worker.kill()
        worker.communicate()


def test_a_worker_that_does_not_end_its_item_is_told_to(chain: House) -> None:
    inject(chain, id="a", do="hang")
    worker = chain.start("rivus-stage", "demo:fetch")
    try:
        chain.wait_for(lambda: bool(list((chain.root / "spool").glob("demo/fetch/running/*/a.json"))), "a claim")
        assert not any("running for" in finding.what for finding in found(chain, later=590))
        assert only(found(chain, later=700), "running for").mend == f"kill -TERM {worker.pid}"
    finally:
        worker.kill()
        worker.communicate()


def test_what_is_overdue_is_woken_by_a_sweep(chain: House) -> None:
    inject(chain, id="a", do="later")
    chain.run("rivus-stage", "demo:fetch")
    assert not any("overdue" in finding.what for finding in found(chain, later=3600))
    path = chain.root / "spool/demo/fetch/later/a.json"
    os.utime(path, (time.time() - 400,) * 2)
    mended(chain, "overdue")
    assert chain.box("demo", "fetch", "ready") == ["a.json"]


def test_what_is_ready_while_nothing_runs_is_run(chain: House) -> None:
    inject(chain, id="a")
    assert found(chain) == []
    mended(chain, "demo:fetch: 1 item ready for up to 2h", later=7200)
    assert chain.box("demo", "fetch", "done") == ["a.json"]


def test_what_has_failed_or_is_held_is_counted(chain: House) -> None:
    inject(chain, id="a", do="fail")
    inject(chain, id="b")
    chain.run("rivus-stage", "demo:fetch")
    chain.run("rivus-move", "hold", "demo/b")
    finding = only(found(chain), "demo: 1 failed in fetch, 1 held in extract, 1 held in score")
    assert finding.mend.endswith(" failures") and not finding.grave
    chain.run(*finding.mend.split())


def test_a_stage_that_was_removed_is_told_with_what_it_keeps(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin='{"id": "a"}')
    chain.run("rivus-run", "demo")
    chain.job("demo", CHAIN.replace("  score: {handler: steps.score}\n", ""))
    assert mended(chain, "no stage score any more").what.endswith("; it keeps 1 result; out of sight")
    assert (chain.root / "spool/demo/.score/done/a.json").exists()
    (chain.root / "spool/demo/score/ready").mkdir(parents=True)
    assert any(finding.what.endswith("any more; it is empty; out of sight") for finding in found(chain))


def test_what_was_rejected_is_told_with_the_newest_reason_until_it_is_put_away(chain: House) -> None:
    inject(chain, id="a")
    ready = chain.root / "spool/demo/fetch/ready"
    for name in ("x.json", "-y $(touch z).json"):
        (ready / name).write_text("[]")
        os.utime(ready / name, (0, 0))
    chain.run("rivus-stage", "demo:fetch")
    assert "not a JSON object at the top" in mended(chain, "2 things could not become an item").what
    assert len(list((chain.root / "spool/_rejected/.seen").iterdir())) == 4


FILES = "discover: {strategy: files, glob: in/*}\nstages: {show: {command: [cat]}}"


def birth(house: House, name: str, discovered: float, modified: float | None = None) -> None:
    folder = house.root / "spool/demo/discover/done"
    folder.mkdir(parents=True, exist_ok=True)
    meta = {"discovered": utc(discovered), "strategy": "files"}
    (folder / name).write_text(json.dumps({"job": "demo", "key": name, "data": {}, "meta": meta}))
    os.utime(folder / name, (modified or discovered,) * 2)


def regular(house: House, quiet: float, gap: float) -> None:
    """An item every `gap` seconds, the last one `quiet` seconds ago."""
    for number in range(40):
        birth(house, f"{number}.json", time.time() - quiet - number * gap)
    os.utime(house.root / "spool/demo/discover/done", (time.time() - quiet,) * 2)


def test_a_source_that_is_silent_for_longer_than_usual_is_looked_at(house: House) -> None:
    house.job("demo", FILES)
    (house.root / "jobs.d/in").mkdir()
    (house.root / "jobs.d/in/new.json").write_text("{}")
    regular(house, quiet=4 * DAY, gap=DAY)
    assert "nothing new from its source for 4d; usual is 1d" in mended(house, "nothing new").what


@pytest.mark.parametrize(("quiet", "gap"), [(2 * DAY, DAY), (0.9 * DAY, 3600), (4 * DAY, 1)])
def test_a_source_is_not_silent_within_three_gaps_or_a_day_or_when_nothing_is_usual(
    house: House, quiet: float, gap: float
) -> None:
    house.job("demo", FILES)
    regular(house, quiet, gap)
    assert not any("nothing new" in finding.what for finding in found(house))


def test_the_last_discoveries_are_found_though_tickets_that_were_put_off_share_their_time(house: House) -> None:
    now = time.time()
    for number in range(60):
        birth(house, f"{number}.json", now - number * 1000, now + DAY if number > 40 else None)
    times = discoveries(open_spool(str(house.root / "spool")), "demo")
    assert times == pytest.approx([now - number * 1000 for number in reversed(range(30))], abs=0.01)


def test_the_usual_gap_is_between_looks_and_outlives_one_holiday() -> None:
    assert usual_gap([0.0, 1.0, 2.0]) is None
    days = [day * DAY + second for day in range(12) for second in (0.0, 1.0)]
    assert usual_gap(days) == DAY - 1
    assert usual_gap([*days, 31 * DAY]) == DAY - 1


def test_a_source_in_which_nothing_is_found_any_more_is_told(house: House) -> None:
    house.job("demo", FILES)
    noted = house.root / "spool/demo/discover/looks.json"
    noted.parent.mkdir(parents=True)

    def look(*seen: int) -> None:
        noted.write_text(json.dumps({"looks": [{"t": "2026-01-01T00:00:00.000Z", "seen": one} for one in seen]}))

    look(15, 15, 14, 15, 0, 0, 0)
    finding = only(found(house), "the last 3 looks at its source found nothing, where there used to be 15")
    assert finding.mend.startswith("rivus-discover ")
    for usual in [(15, 15, 15, 0, 0, 1), (0, 15, 0, 0, 0, 0), (0, 0, 0)]:
        look(*usual)
        assert found(house) == []


YOUTUBE = "stages: {fetch: {handler: youtube.captions}}"


def test_an_old_ytdlp_is_told_where_a_job_uses_it(house: House) -> None:
    pytest.importorskip("yt_dlp")
    house.job("demo", CHAIN, steps=STEPS)
    assert not any("days old" in finding.what for finding in found(house, later=1000 * DAY))
    house.job("dml", YOUTUBE)
    finding = only(found(house, later=1000 * DAY), "days old")
    assert finding.mend == f"{word(sys.executable)} -m pip install -U yt-dlp"


def test_without_a_javascript_runtime_ytdlp_is_not_complete(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("yt_dlp")
    house.job("dml", YOUTUBE)
    monkeypatch.setenv("PATH", str(house.root))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(house.root))
    assert only(found(house), "no JavaScript runtime").mend.endswith(" -m pip install -U deno")
    (house.root / "node").write_text("#!/bin/sh\n")
    (house.root / "node").chmod(0o755)
    assert found(house) == []


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that everybody can reach, for a test that is somebody without rights while it runs."""
    folder = Path(tempfile.mkdtemp(prefix="rivus-test-"))
    folder.chmod(0o755)
    try:
        if os.geteuid() == 0:
            os.seteuid(65534)
        yield folder
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_modules_without_bytecode_in_a_folder_that_cannot_be_written_to_are_compiled(nobody: Path) -> None:
    package, uid = nobody / "rivus", os.geteuid()
    with suppress(PermissionError):
        os.seteuid(0)
    shutil.copytree(Path(rivus.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        folder.chmod(0o555)
    os.seteuid(uid)
    finding = uncompiled(package)
    assert finding is not None and "compileall" in finding.mend
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        with suppress(PermissionError):
            folder.chmod(0o755)
    subprocess.run(["bash", "-c", finding.mend.removeprefix("sudo ")], check=True)
    assert uncompiled(package) is None


def test_files_of_somebody_else_are_given_to_the_owner_of_the_spool(chain: House) -> None:
    if os.geteuid():
        pytest.skip("needs root, to give a file away")
    inject(chain, id="a b")
    os.chown(chain.root / "spool/demo/fetch/ready/a%20b.json", 65534, -1)
    assert mended(chain, "do not belong to root").grave


def test_files_that_are_closed_to_their_owner_are_opened(chain: House) -> None:
    inject(chain, id="a")
    (chain.root / "spool/demo/fetch/later").chmod(0o500)
    (chain.root / "spool/demo/fetch/ready/a.json").chmod(0o200)
    assert mended(chain, "closed to their owner").grave


def test_jobs_that_everybody_can_write_to_are_closed(chain: House) -> None:
    (chain.root / "jobs.d/steps.py").chmod(0o666)
    (chain.root / "jobs.d").chmod(0o777)
    assert mended(chain, "and so decide what runs").grave


def test_a_spool_on_a_network_file_system_is_told(chain: House, monkeypatch: pytest.MonkeyPatch) -> None:
    # The one thing that no test machine has; which types count is tested with the layout.
    monkeypatch.setattr("rivus.tell.checkup.machine.network_file_system", lambda path: "nfs4")
    assert only(found(chain), "is on nfs4").grave


def test_a_large_spool_of_tests_is_removed(chain: House) -> None:
    chain.run("rivus-inject", "demo", "--test", stdin='{"id": "a"}')
    with (chain.root / "spool/_test/demo/files/large").open("wb") as file:
        file.truncate(2 << 30)
    mended(chain, "more than 1 GiB")


def test_a_check_that_cannot_be_made_is_a_finding_and_the_others_are_made(chain: House) -> None:
    chain.job("broken", "stages: 5")
    folder = chain.root / "gone"
    findings = checkup(open_spool(str(chain.root / "spool")), load_jobs(chain.root / "jobs.d"), folder, time.time())
    assert only(findings, "writable_by_all: could not be checked").mend.startswith("namei")
    assert only(findings, "broken.yaml")


def test_the_commands_name_the_folders_where_these_are_not_the_usual_ones(
    chain: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.run("rivus-limit", "pause", "demo")
    monkeypatch.chdir(chain.root)
    assert found(chain)[0].mend == "rivus-limit unpause demo"
    monkeypatch.chdir("/")
    assert found(chain)[0].mend == f"rivus-limit --jobs {chain.root}/jobs.d --spool {chain.root}/spool unpause demo"
    chain.run("rivus-limit", "pause", "demo", "--test")
    monkeypatch.chdir(chain.root)
    spool = open_spool(str(chain.root / "spool"), test=True)
    jobs = load_jobs(chain.root / "jobs.d")
    assert checkup(spool, jobs, chain.root / "jobs.d", time.time())[0].mend == "rivus-limit --test unpause demo"


@pytest.mark.parametrize("name", ["it's", "a b", "$(x)", "new\nline", "\x1b[31m", "caf\u00e9", "\u200b", "\udcff"])
def test_any_name_is_one_word_for_the_shell(name: str) -> None:
    assert word(name).isprintable()
    shown = subprocess.run(["bash", "-c", f"printf %s {word(name)}"], capture_output=True, check=True).stdout
    assert shown == os.fsencode(name)


def test_a_check_up_changes_nothing(chain: House) -> None:
    chain.job("limits", "youtube: {slots: 1, rate: 100/s}")
    for do in ("die", "later", "fail", "well"):
        inject(chain, id=do, do=do)
    for _ in range(2):
        process = chain.start("rivus-stage", "demo:fetch")
        process.communicate(timeout=60)
    chain.run("rivus-limit", "park", "youtube")
    chain.run("rivus-limit", "pause", "demo")
    found(chain)
    before = states(chain.root / "spool")
    assert len(found(chain, later=DAY)) == 3
    assert states(chain.root / "spool") == before
