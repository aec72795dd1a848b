"""rivus-units: units from jobs.d and back, below a folder, and under a real systemd."""

from __future__ import annotations

import json
from shutil import which

import pytest

from tests.conftest import House
from tests.systemd_box import Box

JOB = """
discover: {strategy: files, glob: "in/*.txt", every: 1h}
stages: {look: {command: [cat], sandbox: {network: false}}}
"""
JOBS, SPOOL, UNITS = "/etc/rivus/jobs.d", "/var/lib/rivus/spool", "/etc/systemd/system"
TIMER = f"{UNITS}/rivus-discover@a.timer"


def names(house: House) -> set[str]:
    return {file.name for file in (house.root / "root/etc/systemd/system").iterdir()}


def units(house: House, verb: str, *more: str, code: int = 0) -> str:
    done = house.run("rivus-units", verb, "--root", "root", *more, code=code)
    return done.out + done.err


def test_render_prints_all_units_or_those_of_a_job(house: House) -> None:
    house.job("a", JOB)
    house.job("b", JOB)
    every = house.run("rivus-units", "render").out
    assert f"# {TIMER}\n# Made by rivus-units from {house.root}/jobs.d/a.yaml" in every
    assert "OnUnitActiveSec=1min" in every
    one = house.run("rivus-units", "render", "a").out
    assert "rivus-stage@a:look.path" in one
    assert "rivus-stage@b" not in one and "OnUnitActiveSec=1min" not in one
    assert "no such job" in house.run("rivus-units", "render", "nosuch", code=78).err


def test_render_writes_into_a_folder(house: House) -> None:
    house.job("a", JOB)
    assert house.run("rivus-units", "render", "--to", "out").out == ""
    assert (house.root / "out/rivus-stage@a:look.path").read_text().startswith("# Made by rivus-units from ")


def test_install_writes_what_differs_and_diff_tells_before(house: House) -> None:
    house.job("a", JOB)
    assert "+OnUnitActiveSec=3600s" in units(house, "diff", code=1)
    assert units(house, "install") == ""
    assert units(house, "diff") == units(house, "install", "-v") == ""
    house.job("a", JOB.replace("1h", "2h"))
    assert "-OnUnitActiveSec=3600s\n+OnUnitActiveSec=7200s" in units(house, "diff", code=1)
    assert units(house, "install", "-v") == "rivus-discover@a.timer: changed\n"


def test_a_job_that_is_gone_or_switched_off_loses_its_units(house: House) -> None:
    house.job("a", JOB)
    house.job("b", JOB)
    units(house, "install")
    (house.root / "jobs.d/a.yaml").unlink()
    house.job("b", f"enabled: false{JOB}")
    units(house, "install")
    assert not [name for name in names(house) if "@a" in name or "@b" in name]
    assert "rivus-sweep.timer" in names(house)
    units(house, "remove")
    assert names(house) == set()


def test_a_broken_file_keeps_its_units_and_the_others_follow(house: House) -> None:
    house.job("a", JOB)
    house.job("b", JOB)
    units(house, "install")
    before = names(house)
    house.job("a", "stages: [")
    house.job("b", JOB.replace("1h", "2h"))
    assert "a.yaml:" in units(house, "install", code=78)
    assert names(house) == before
    assert "7200s" in (house.root / "root" / f".{UNITS}/rivus-discover@b.timer").read_text()


def test_broken_limits_keep_the_units_of_jobs_that_name_one(house: House) -> None:
    house.job("limits", "site: {slots: 1}")
    house.job("a", JOB.replace("command", "limit: site, command"))
    units(house, "install")
    house.job("limits", "site: [")
    units(house, "install", code=78)
    assert "rivus-stage@a:look.path" in names(house)


def test_a_folder_of_jobs_that_cannot_be_read_changes_nothing(house: House) -> None:
    house.job("a", JOB)
    units(house, "install")
    before = names(house)
    assert "cannot be read" in units(house, "install", "--jobs", "nosuch", code=78)
    assert names(house) == before


def test_cron_needs_no_systemd_and_names_every_job(house: House) -> None:
    house.job("a", JOB)
    text = house.run("rivus-units", "cron").out
    assert f"/rivus-run --jobs {house.root}/jobs.d --spool {house.root}/spool a >/dev/null" in text


def test_an_option_that_does_not_go_with_the_verb_is_refused(house: House) -> None:
    for wrong in (["diff", "--to", "x"], ["install", "--json"], ["remove", "--no-start"], ["install", "a"]):
        assert "does not go with" in house.run("rivus-units", *wrong, code=2).err


@pytest.mark.skipif(which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_verify_tells_what_systemd_has_against_a_calendar(house: House) -> None:
    house.job("a", JOB)
    assert house.run("rivus-units", "verify", "--jobs", "jobs.d").out == ""
    house.job("a", JOB.replace("every: 1h", 'calendar: "Mon 25:99"'))
    assert "a: Failed to parse calendar" in house.run("rivus-units", "verify", "--jobs", "jobs.d", code=1).out


def shown(box: Box, unit: str, key: str) -> str:
    return box.run("systemctl", "show", "--value", f"--property={key}", unit).stdout.strip()


def test_install_starts_all_and_the_units_follow_jobs_d(house_box: Box) -> None:
    box = house_box
    box.write(f"{JOBS}/a.yaml", JOB)
    box.run("rivus-units", "install")
    for unit in ("rivus-discover@a.timer", "rivus-stage@a:look.path", "rivus-sweep.timer", "rivus-units.path"):
        assert box.run("systemctl", "is-active", unit).stdout == "active\n"
        assert box.run("systemctl", "is-enabled", unit).stdout == "enabled\n"
    assert box.run("stat", "-c", "%U", f"{SPOOL}/a/look/ready").stdout == "rivus\n"
    box.write(f"{JOBS}/a.yaml", JOB.replace("1h", "2h"))
    box.wait_for(lambda: "7200s" in box.read(TIMER), "the timer to follow jobs.d")
    box.wait_for(lambda: "2h" in shown(box, "rivus-discover@a.timer", "TimersMonotonic"), "systemd to know")
    box.wait_for(lambda: shown(box, "rivus-units.service", "ActiveState") == "inactive", "the end of the installation")
    box.write(f"{JOBS}/a.yaml", "stages: [")
    box.wait_for(lambda: "a.yaml:" in box.journal("-u", "rivus-units.service"), "the problem in the journal")
    assert "7200s" in box.read(TIMER) and shown(box, "rivus-discover@a.timer", "ActiveState") == "active"


def test_jobs_that_come_while_the_units_are_made_are_followed_too(house_box: Box) -> None:
    box = house_box
    box.run("rivus-units", "install")
    jobs = " ".join(f"j{number}" for number in range(12))
    box.run("bash", "-ec", f"for n in {jobs}; do cat <<<'{JOB}' >{JOBS}/$n.yaml; sleep .1; done")
    paths = {f"rivus-stage@{name}:look.path" for name in jobs.split()}
    box.wait_for(lambda: paths <= set(box.names(UNITS)), "the units of all jobs", 30)


def test_a_checkout_that_somebody_stands_in_is_not_what_systemd_runs(house_box: Box) -> None:
    box = house_box
    box.write("/srv/checkout/jobs.d/stray.yaml", JOB)
    box.run("mkdir", "/srv/checkout/spool")
    box.write(f"{JOBS}/a.yaml", JOB)
    box.run("sh", "-ec", "cd /srv/checkout && rivus-units install && rivus-units diff")
    assert "rivus-stage@a:look.path" in box.names(UNITS)
    assert not [name for name in box.names(UNITS) if "stray" in name]
    assert f"--jobs {JOBS} --spool {SPOOL}" in box.read(f"{UNITS}/rivus-sweep.service")
    rows = box.run("sh", "-ec", "cd /srv/checkout && rivus-units status --json").stdout.splitlines()
    assert {json.loads(row)["job"] for row in rows} == {"a"}


def test_a_stage_at_work_ends_by_itself_when_its_job_is_removed(house_box: Box) -> None:
    box, unit = house_box, "rivus-stage@a:look.service"
    waits = '[sh, -c, "while [ ! -e /var/lib/rivus/go ]; do sleep .05; done; cat"]'
    box.write(f"{JOBS}/a.yaml", JOB.replace("[cat]", waits))
    box.run("rivus-units", "install")
    box.run("sh", "-c", f"echo '{{\"n\": 1}}' >{SPOOL}/.k && mv {SPOOL}/.k {SPOOL}/a/look/ready/k.json")
    box.wait_for(lambda: shown(box, unit, "ActiveState") == "activating", "the stage")
    (row,) = [json.loads(line) for line in box.run("rivus-units", "status", "--json", "a").stdout.splitlines()[1:]]
    assert (row["what"], row["state"]) == ("look", "running")
    box.run("rm", f"{JOBS}/a.yaml")
    box.wait_for(lambda: "a:look" not in " ".join(box.names(UNITS)), "the units to go")
    assert shown(box, unit, "ActiveState") == "activating"
    box.run("touch", "/var/lib/rivus/go")
    box.wait_for(lambda: box.names(f"{SPOOL}/a/look/done") == ["k.json"], "the item in done")


def test_what_a_person_disabled_or_dropped_in_stays_and_remove_leaves_nothing_running(house_box: Box) -> None:
    box = house_box
    box.write(f"{JOBS}/a.yaml", JOB)
    box.run("rivus-units", "install")
    box.write(f"{TIMER}.d/mine.conf", "[Timer]\nAccuracySec=5s\n")
    box.run("systemctl", "disable", "--now", "rivus-discover@a.timer")
    box.write(f"{JOBS}/b.yaml", JOB)
    box.wait_for(lambda: shown(box, "rivus-discover@b.timer", "ActiveState") == "active", "the new job")
    assert shown(box, "rivus-discover@a.timer", "ActiveState") == "inactive"
    box.wait_for(lambda: shown(box, "rivus-units.service", "ActiveState") == "inactive", "the end of the installation")
    box.run("rivus-units", "remove")
    left = [name for name in box.names(UNITS) if name.startswith("rivus")]
    assert left == ["rivus-discover@a.timer.d"]
    assert "rivus" not in box.run("systemctl", "list-units", "--type=timer,path", "--plain", "--no-legend").stdout


def test_links_that_the_account_put_in_the_spool_lead_root_nowhere(house_box: Box) -> None:
    box = house_box
    box.write(f"{JOBS}/a.yaml", JOB)
    box.run("mkdir", "-m", "755", "/root-only")
    box.run("ln", "-s", "/root-only", f"{SPOOL}/a")
    done = box.run("rivus-units", "install", check=False)
    assert done.returncode == 1 and "Permission denied" in done.stderr
    assert box.names("/root-only") == []


def test_a_user_has_units_of_their_own(house_box: Box) -> None:
    box = house_box
    box.run("useradd", "-m", "ann")
    uid = box.run("id", "-u", "ann").stdout.strip()
    if box.run("systemctl", "start", f"user@{uid}.service", check=False).returncode:
        pytest.skip("this machine runs no service manager for users")
    mine = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "env", "HOME=/home/ann",
            f"XDG_RUNTIME_DIR=/run/user/{uid}"]  # fmt: skip
    box.run(*mine, "mkdir", "-p", "/home/ann/.config/rivus/jobs.d")
    box.run(*mine, "sh", "-c", "cat >/home/ann/.config/rivus/jobs.d/a.yaml", input=JOB)
    said = box.run(*mine, "rivus-units", "install", "--user").stderr
    assert "enable-linger" in said
    ready = "/home/ann/.local/state/rivus/spool/a/look/ready"
    box.run(*mine, "sh", "-c", f"echo '{{\"n\": 1}}' >{ready}/.k && mv {ready}/.k {ready}/k.json")
    box.wait_for(lambda: box.names(f"{ready}/../done") == ["k.json"], "the item in done")
    assert box.run(*mine, "rivus-units", "install", "--user").stderr == ""
    assert [name for name in box.names(UNITS) if name.startswith("rivus")] == []
