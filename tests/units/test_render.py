"""The units that jobs need: which there are, what they wait for, and that nothing from outside gets into them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rivus.commands import NAMES
from rivus.config import load_jobs
from rivus.units.place import Place
from rivus.units.render import HEADER, render, templates
from tests.units.houses import ROOT, SYSTEM, USER, analyze, units_of

STAGES = "stages: {fetch: {handler: web.page, timeout: 5min}, score: {handler: score.keywords}}\n"
ALWAYS = {
    "rivus.slice", "rivus-sweep.service", "rivus-sweep.timer", "rivus-doctor.service", "rivus-doctor.timer",
    "rivus-failure@.service", "rivus-units.service", "rivus-units.path", "rivus-dash.service", "rivus-dash.socket",
    "rivus-prune.service", "rivus-prune.timer",
}  # fmt: skip
OF_STAGES = {
    "rivus-j.slice", "rivus-stage@j:fetch.service", "rivus-stage@j:fetch.path", "rivus-stage@j:score.service",
    "rivus-stage@j:score.path",
}  # fmt: skip


def every(when: str = "every: 1h") -> str:
    return f"discover: {{strategy: feed, url: 'https://example.org/', {when}}}\n{STAGES}"


def settings(text: str) -> dict[str, list[str]]:
    """name -> its values in order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_every_stage_has_a_service_and_a_path(tmp_path: Path) -> None:
    assert units_of(tmp_path, j=STAGES).keys() == ALWAYS | OF_STAGES


def test_a_job_that_looks_by_itself_has_a_timer(tmp_path: Path) -> None:
    found = units_of(tmp_path, j=every())
    assert found.keys() == ALWAYS | OF_STAGES | {"rivus-discover@j.service", "rivus-discover@j.timer"}


def test_a_job_that_a_person_starts_has_a_service_without_a_timer(tmp_path: Path) -> None:
    found = units_of(tmp_path, j=every("max_items: 5"))
    assert found.keys() == ALWAYS | OF_STAGES | {"rivus-discover@j.service"}


def test_a_job_that_is_switched_off_has_no_units(tmp_path: Path) -> None:
    assert units_of(tmp_path, j=f"enabled: false\n{every()}").keys() == ALWAYS


def test_the_same_jobs_give_the_same_text(tmp_path: Path) -> None:
    first = units_of(tmp_path, j=every(), k=STAGES, a=STAGES)
    jobs = load_jobs(tmp_path).jobs
    assert list(render(dict(reversed(jobs.items())), SYSTEM).items()) == list(first.items())


def test_every_file_says_who_made_it_from_what(tmp_path: Path) -> None:
    for name, text in units_of(tmp_path, j=every()).items():
        line = text.splitlines()[0]
        job = name not in ALWAYS
        source = "/etc/rivus/jobs.d/j.yaml" if job else f"its template {name}"
        assert line == f"{HEADER}{source}. Do not edit: `systemctl edit {name}` makes a drop-in that stays."


def test_no_mark_of_a_template_is_left(tmp_path: Path) -> None:
    for text in units_of(tmp_path, j=every()).values():
        assert not re.search(r"@[A-Z]+@", text)


def test_a_path_unit_watches_what_its_stage_can_run(tmp_path: Path) -> None:
    text = units_of(tmp_path, j=STAGES)["rivus-stage@j:fetch.path"]
    assert settings(text)["DirectoryNotEmpty"] == ["/var/lib/rivus/spool/j/fetch/ready"]


def test_a_service_runs_its_instance_and_leaves_stdin_alone(tmp_path: Path) -> None:
    service = settings(units_of(tmp_path, j=STAGES)["rivus-stage@j:fetch.service"])
    folders = "--jobs /etc/rivus/jobs.d --spool /var/lib/rivus/spool"
    assert service["ExecStart"] == [f"/opt/bin/rivus-stage --no-stdin --for 1h {folders} %i"]
    assert service["OnFailure"] == ["rivus-failure@%n.service"] and service["StartLimitIntervalSec"] == ["0"]
    assert service["Slice"] == ["rivus-j.slice"] and service["StandardOutput"] == ["null"]
    assert service["StandardError"] == ["journal"], "else it goes where stdout goes"


def test_a_stage_has_time_for_what_it_began_last(tmp_path: Path) -> None:
    found = units_of(tmp_path, j="stages: {a: {handler: x.y, timeout: 5min}, b: {handler: x.y, timeout: 2d}}\n")
    assert settings(found["rivus-stage@j:a.service"])["TimeoutStartSec"] == ["3960s"]
    assert settings(found["rivus-stage@j:b.service"])["TimeoutStartSec"] == [f"{3600 + 2 * 86400 + 60}s"]


@pytest.mark.parametrize(
    ("when", "lines"),
    [
        ("every: 1h", {"OnActiveSec": ["53s"], "OnUnitActiveSec": ["3600s"]}),
        ("every: 1min", {"OnActiveSec": ["7s"], "OnUnitActiveSec": ["60s"]}),
        ("every: 1h, catch_up: never", {"OnActiveSec": ["3600s"], "OnUnitActiveSec": ["3600s"]}),
        ("every: 1ms", {"OnActiveSec": ["1s"], "OnUnitActiveSec": ["1s"]}),
        ("every: 99999999999d", {"OnActiveSec": ["53s"], "OnUnitActiveSec": ["316224000s"]}),
        ("calendar: '7:30 Asia/Tokyo'", {"OnCalendar": ["7:30 Asia/Tokyo"], "Persistent": ["true"]}),
        ("calendar: daily, catch_up: never", {"OnCalendar": ["daily"], "Persistent": ["false"]}),
    ],
)
def test_a_timer_says_when_in_the_words_of_systemd(tmp_path: Path, when: str, lines: dict[str, list[str]]) -> None:
    timer = settings(units_of(tmp_path, j=every(when))["rivus-discover@j.timer"])
    mine = {"OnBootSec", "OnActiveSec", "OnUnitActiveSec", "OnCalendar", "Persistent"}
    assert {name: values for name, values in timer.items() if name in mine} == lines


def test_jobs_of_the_same_hour_start_at_times_of_their_own(tmp_path: Path) -> None:
    found = units_of(tmp_path, **{name: every("every: 1h") for name in "abcdefgh"})
    first = [settings(found[f"rivus-discover@{name}.timer"])["OnActiveSec"][0] for name in "abcdefgh"]
    assert len(set(first)) > 5
    assert all(1 <= int(time.removesuffix("s")) <= 61 for time in first)
    fixed = settings(units_of(tmp_path, j=every("calendar: daily"))["rivus-discover@j.timer"])
    assert (fixed["RandomizedDelaySec"], fixed["FixedRandomDelay"]) == (["60s"], ["true"])


def test_what_a_job_may_use_stands_in_its_slice(tmp_path: Path) -> None:
    found = units_of(tmp_path, j=f"memory: 512M\ncpu: 150%\nnice: -5\n{every()}", k=STAGES)
    slice_ = settings(found["rivus-j.slice"])
    assert (slice_["MemoryMax"], slice_["CPUQuota"]) == (["512M"], ["150%"])
    assert {"MemoryMax", "CPUQuota"}.isdisjoint(settings(found["rivus-k.slice"]))
    for unit in ("rivus-discover@j.service", "rivus-stage@j:fetch.service"):
        assert settings(found[unit])["Nice"] == ["-5"]
    assert "Nice" not in settings(found["rivus-stage@k:fetch.service"])


def test_a_user_cannot_be_more_urgent_than_others(tmp_path: Path) -> None:
    found = units_of(tmp_path, USER, j=f"nice: -5\n{STAGES}", k=f"nice: 7\n{STAGES}")
    assert settings(found["rivus-stage@j:fetch.service"])["Nice"] == ["0"]
    assert settings(found["rivus-stage@k:fetch.service"])["Nice"] == ["7"]


def test_only_what_uses_the_network_waits_for_it(tmp_path: Path) -> None:
    found = units_of(tmp_path, j=every())
    for unit in ("rivus-discover@j.service", "rivus-stage@j:fetch.service"):
        assert settings(found[unit])["Wants"] == ["network-online.target"]
    assert "Wants" not in settings(found["rivus-stage@j:score.service"])
    assert "Wants" not in settings(units_of(tmp_path, USER)["rivus-stage@j:fetch.service"])


def test_the_check_up_asks_a_model_only_if_there_is_one(tmp_path: Path) -> None:
    place = replace(SYSTEM, jobs=tmp_path)
    before = units_of(tmp_path, place, j=STAGES)["rivus-doctor.service"]
    (tmp_path / "doctor.yaml").write_text("llm: {base_url: 'https://example.org/v1', model: m, key: llm_key}\n")
    after = units_of(tmp_path, place)["rivus-doctor.service"]
    assert "diagnose" not in before and "LoadCredential" not in settings(before)
    assert settings(after)["ExecStart"][0].endswith(" diagnose") and len(settings(after)["ExecStart"]) == 2
    assert settings(after)["LoadCredential"] == ["llm_key:/etc/rivus/credentials/llm_key"]


def test_jobs_d_and_its_hooks_are_watched_as_far_as_they_exist(tmp_path: Path) -> None:
    place = replace(USER, jobs=tmp_path)
    assert settings(units_of(tmp_path, place)["rivus-units.path"])["PathChanged"] == [str(tmp_path)]
    (tmp_path / "hooks.d").mkdir()
    watched = settings(units_of(tmp_path, place)["rivus-units.path"])["PathChanged"]
    assert watched == [str(tmp_path), str(tmp_path / "hooks.d")]


def test_only_the_system_follows_the_addresses_of_name_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "resolv.conf"
    file.touch()
    monkeypatch.setattr("rivus.units.render.RESOLVERS", file)
    for place in (SYSTEM, USER):
        text = units_of(tmp_path, place)["rivus-units.path"]
        assert (f"PathChanged={file}" in text.splitlines()) is not place.user


def test_the_units_follow_the_jobs_in_the_mode_they_were_made_for(tmp_path: Path) -> None:
    assert settings(units_of(tmp_path)["rivus-units.service"])["ExecStart"] == ["/opt/bin/rivus-units install"]
    text = units_of(tmp_path, USER)["rivus-units.service"]
    assert settings(text)["ExecStart"] == ["/opt/bin/rivus-units install --user"]
    assert "`systemctl --user edit rivus-units.service`" in text


FIELDS = ["memory", "cpu", "nice", "secrets[]", "allow_private_hosts[]", "discover.every"]
FIELDS += [f"stages.fetch.sandbox.{name}" for name in ("read[]", "write[]", "network", "javascript")]
EVIL = "x\nExecStart=/bin/evil %n %h \"'`$(evil)` ; ${HOME} \\"


def test_free_text_of_a_job_never_reaches_a_unit(tmp_path: Path) -> None:
    stages = {"fetch": {"handler": "web.page", "timeout": "5min"}, "score": {"handler": "score.keywords"}}
    discover = {"strategy": "feed", "url": "https://example.org/", "every": "1h"}
    quiet = units_of(tmp_path, j=json.dumps({"discover": discover, "stages": stages}))
    loud = {"title": EVIL, "columns": {"a": f"data.{EVIL}"}, "discover": {**discover, "url": EVIL, "base_url": EVIL}}
    stages["fetch"] = {"command": [EVIL], "timeout": "5min", "with": {EVIL: EVIL}, "expect": {"forbidden": [EVIL]}}
    assert units_of(tmp_path, j=json.dumps({**loud, "stages": stages})) == quiet


@pytest.mark.parametrize("text", ["512M\nExecStart=/bin/evil", "/srv/%n", "daily\n", "/srv/$x", "/srv\0", "a;b", "a#b"])
@pytest.mark.parametrize("field", [*FIELDS, "discover.calendar"])
def test_what_does_reach_a_unit_is_refused_in_any_other_form(tmp_path: Path, field: str, text: str) -> None:
    assert refused(tmp_path, field, text)


@pytest.mark.parametrize("text", ["/srv/a b", "a:b", "10.0.0.1 ::1", "/srv/../etc"])
@pytest.mark.parametrize("field", FIELDS)
def test_nothing_but_a_calendar_holds_more_than_one_word(tmp_path: Path, field: str, text: str) -> None:
    assert refused(tmp_path, field, text)


def refused(folder: Path, field: str, text: str) -> bool:
    job: dict[str, Any] = {"discover": {"strategy": "feed"}, "stages": {"fetch": {"handler": "web.page"}}}
    *path, last = field.removesuffix("[]").split(".")
    place = job
    for name in path:
        place = place.setdefault(name, {})
    place[last] = [text] if field.endswith("[]") else text
    (folder / "j.yaml").write_text(json.dumps(job))
    found = load_jobs(folder)
    return len(found.problems) == 1 and "j" not in found.jobs


def test_a_file_whose_name_is_no_name_has_no_units(tmp_path: Path) -> None:
    (tmp_path / "a%n\nb.yaml").write_text(STAGES)
    assert render(load_jobs(tmp_path).jobs, SYSTEM).keys() == ALWAYS


def test_a_value_is_never_searched_for_marks(tmp_path: Path) -> None:
    place = replace(SYSTEM, jobs=Path("/etc/@SPOOL@/jobs.d"))
    text = units_of(tmp_path, place, j=STAGES)["rivus-stage@j:fetch.service"]
    assert "--jobs /etc/@SPOOL@/jobs.d --spool /var/lib/rivus/spool" in text


def test_rendering_needs_no_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("subprocess.Popen", None)
    assert units_of(tmp_path, j=every()).keys() >= OF_STAGES


def test_every_template_is_used_and_there_is_no_other(tmp_path: Path) -> None:
    files = {path.name for path in templates().iterdir() if path.is_file() and path.suffix != ".md"}
    rendered = {re.sub(r"@.+\.", "@.", name) for name in units_of(tmp_path, j=every())} - {"rivus-j.slice"}
    assert files == rendered | {"rivus-job.slice"}


def test_a_wheel_has_the_templates_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert templates() == ROOT / "units"
    (tmp_path / "templates").mkdir()
    monkeypatch.setattr("rivus.units.render.__file__", str(tmp_path / "render.py"))
    assert templates() == tmp_path / "templates"


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "units").glob("rivus*")))
def test_a_template_names_a_man_page_that_exists_or_will(name: str) -> None:
    text = (ROOT / "units" / name).read_text()
    pages = re.findall(r"^Documentation=man:(rivus-[a-z]+)\(1\)$", text, re.MULTILINE)
    assert pages and set(pages) <= {*(f"rivus-{each}" for each in NAMES), "rivus-units"}
    assert not any(len(line) > 120 for line in text.splitlines())


def verify(units: dict[str, str], folder: Path, *mode: str) -> str:
    """What systemd-analyze says against the whole set. It takes a colon in a name for `FILE:NAME`, so each file gets a
    plain name, and is verified as what it is; a template as one of its instances."""
    arguments = []
    for number, (name, text) in enumerate(units.items()):
        file = folder / f"{number}.{name.rpartition('.')[2]}"
        file.write_text(text)
        arguments.append(f"{file}:{name.replace('@.', '@rivus-sweep.service.')}")
    done = analyze("verify", "--man=no", *mode, *arguments)
    return done.stderr or "failed" * done.returncode


def launchers(folder: Path, place: Place) -> Place:
    """systemd-analyze looks whether programs are there."""
    (folder / "bin").mkdir()
    for name in {*NAMES, "units"}:
        (folder / "bin" / f"rivus-{name}").touch(0o755)
    return replace(place, bin=folder / "bin")


@pytest.mark.parametrize(("place", "mode"), [(SYSTEM, "--system"), (USER, "--user")], ids=["system", "user"])
def test_systemd_finds_nothing_wrong_with_any_unit(tmp_path: Path, place: Place, mode: str) -> None:
    (tmp_path / "jobs.d").mkdir()
    (tmp_path / "units").mkdir()
    place = replace(launchers(tmp_path, place), jobs=tmp_path / "jobs.d")
    (place.jobs / "doctor.yaml").write_text("llm: {base_url: 'https://example.org/v1', model: m, key: llm_key}\n")
    calendar = every("calendar: 'Mon..Fri 07:30 America/New_York'")
    resources = "memory: 512M\ncpu: 150%\nnice: 5\nsecrets: [token]\nallow_private_hosts: [10.0.0.0/8, 'fd00::1']\n"
    files = "stages: {a: {handler: x.y, sandbox: {javascript: true, read: [/home/ann], write: [/srv/out]}}}\n"
    units = units_of(place.jobs, place, j=every(), k=calendar, m=resources + files)
    assert verify(units, tmp_path / "units", mode) == ""


def test_systemd_finds_a_setting_that_it_does_not_know(tmp_path: Path) -> None:
    units = {"rivus-stage@a:b.service": "[Service]\nExecStart=/bin/true\nReadWritePath=/x\n"}
    assert "rivus-stage@a:b.service:3: Unknown key" in verify(units, tmp_path)
