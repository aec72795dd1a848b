"""Where an installation lies is the same after an upgrade, and every path of it can stand in a unit file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

import rivus
from rivus.errors import BadConfig
from rivus.units.place import Place, hidden, in_unit, is_hidden, launchers, place
from tests.units.houses import ROOT, SYSTEM


def test_a_checkout_has_its_own_launchers() -> None:
    assert launchers() == ROOT / "bin"


def test_a_release_has_the_launchers_beside_all_releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lib/rivus/1.0-abc/rivus"
    monkeypatch.setattr(rivus, "__file__", str(package / "__init__.py"))
    for folder in (tmp_path / "bin", package.parent / "bin"):
        folder.mkdir(parents=True)
        (folder / "rivus-stage").touch(0o755)
    assert launchers() == tmp_path / "bin"


def test_an_environment_of_pip_has_the_launchers_beside_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rivus, "__file__", str(tmp_path / "lib/python3.11/site-packages/rivus/__init__.py"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin/python"))
    with pytest.raises(BadConfig, match="no launcher"):
        launchers()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/rivus-stage").touch(0o755)
    assert launchers() == tmp_path / "bin"


def test_the_system_has_its_places_and_a_user_has_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/ann/conf")
    found = place(False, Path("/etc/rivus/jobs.d"), Path("/var/lib/rivus/spool"))
    assert (found.units, found.credentials) == (Path("/etc/systemd/system"), Path("/etc/rivus/credentials"))
    found = place(True, Path("/j"), Path("/s"))
    assert found.units == Path("/home/ann/conf/systemd/user")
    assert found.credentials == Path("/home/ann/conf/rivus/credentials")


def test_folders_are_absolute_and_a_root_moves_only_the_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = place(False, Path("jobs.d"), Path("spool"), root=Path("root"))
    assert (found.jobs, found.spool) == (tmp_path / "jobs.d", tmp_path / "spool")
    assert found.units == tmp_path / "root/etc/systemd/system"


def test_a_link_to_jobs_d_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(tmp_path)
    assert place(False, tmp_path / "current", tmp_path).jobs == tmp_path / "current"


@pytest.mark.parametrize("path", ["/srv/Jörg/a-b_c+d=e@f,g~h.i", "/a"])
def test_an_ordinary_path_stands_in_a_unit_as_it_is(path: str) -> None:
    assert in_unit(Path(path)) == path


@pytest.mark.parametrize(
    "path",
    ["/a b", "/a\nExecStart=/bin/evil", "/a%n", '/a"b', "/a'b", "/a\\b", "/a$b", "/a;b", "/a#b", "/a:b", "/a\0b",
     "/a\x1bb", "/a\u2028b", "/a\udcff", "relative", "", "/a/../b", "-/a", "/a*", "/a`b`", "/a{b}", "/a\u00a0b"],
    ids=ascii,
)  # fmt: skip
def test_a_path_with_a_meaning_for_systemd_is_refused(path: str) -> None:
    with pytest.raises(BadConfig, match="cannot stand in a systemd unit"):
        in_unit(path)


@pytest.mark.parametrize("field", ["bin", "jobs", "spool", "units", "credentials"])
def test_no_part_of_a_place_can_be_such_a_path(field: str) -> None:
    with pytest.raises(BadConfig):
        replace(SYSTEM, **{field: Path("/srv/a b")})


@pytest.mark.parametrize("path", ["/home/ann/x", "/root", "/tmp/a", "/var/tmp/a/b", "/run/user/1000"])
def test_what_lies_in_homes_and_temporary_folders_is_hidden(path: str) -> None:
    assert is_hidden(Path(path)) and not is_hidden(Path(f"/srv{path}"))


def test_a_program_that_units_of_the_system_cannot_see_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivus, "__file__", "/usr/local/lib/rivus/1/rivus/__init__.py")
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    monkeypatch.setattr(os.path, "realpath", str)
    assert hidden(SYSTEM) is None
    assert hidden(replace(SYSTEM, bin=Path("/root/bin"))) == Path("/root/bin")
    monkeypatch.setattr(os.path, "realpath", lambda _: "/root/.pyenv/bin/python3")
    assert hidden(SYSTEM) == Path("/root/.pyenv/bin/python3")
    assert hidden(replace(SYSTEM, user=True)) is None


def test_a_place_has_what_the_system_takes_by_default() -> None:
    assert (SYSTEM.account, Place.credentials) == ("rivus", Path("/etc/rivus/credentials"))
