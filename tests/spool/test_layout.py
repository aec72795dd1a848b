"""Where everything is, how it is looked for, and which file systems are refused."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rivus.errors import BadConfig
from rivus.model.states import BOXES, Box
from rivus.spool import layout
from rivus.spool.layout import Spool, names, network_file_system, open_spool
from rivus.spool.owners import Owner
from tests.conftest import House
from tests.spool.crash import PLAN, fresh_spool
from tests.spool.test_crash import claimed, published

ROOT_LINE = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"
Mount = Callable[..., None]


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Mount:
    """Makes the kernel's table say these mounts: (point as the kernel writes it, type)."""

    def set_table(*mounts: tuple[str, str]) -> None:
        lines = [ROOT_LINE]
        lines += [
            f"{40 + n} 21 0:{n} / {point} rw shared:{n} - {kind} a:b rw" for n, (point, kind) in enumerate(mounts)
        ]
        text = "\n".join(lines) + "\n"
        monkeypatch.setattr(layout, "open", lambda *path, **how: io.StringIO(text), raising=False)

    return set_table


def test_the_file_systems_of_this_machine_are_read_and_local_ones_are_fine(tmp_path: Path) -> None:
    assert network_file_system(str(tmp_path)) == ""
    assert network_file_system("/proc") == ""
    assert network_file_system("/no/such/place") == network_file_system("/")


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ocfs2", "gfs2", "beegfs",
     "fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.rclone"],
)  # fmt: skip
def test_a_network_file_system_is_named(mount: Mount, kind: str) -> None:
    mount(("/net", kind))
    assert network_file_system("/net/spool") == network_file_system("/net") == kind
    assert network_file_system("/network") == network_file_system("/") == ""


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "f2fs", "fuseblk", "fuse.fuse-overlayfs"]
)
def test_a_local_file_system_is_not(mount: Mount, kind: str) -> None:
    mount(("/net", kind))
    assert network_file_system("/net/spool") == ""


def test_the_innermost_mount_counts_and_of_two_at_one_place_the_last(mount: Mount) -> None:
    mount(
        ("/net", "nfs"),
        ("/net/local", "ext4"),
        ("/over", "nfs"),
        ("/over", "xfs"),
        ("/under", "xfs"),
        ("/under", "nfs"),
    )
    assert network_file_system("/net/local/spool") == network_file_system("/over/spool") == ""
    assert network_file_system("/net/localhost/spool") == network_file_system("/under/spool") == "nfs"


@pytest.mark.parametrize(("written", "name"), [("a\\040b", "a b"), ("a\\011b", "a\tb"), ("a\\134b", "a\\b")])
def test_a_mount_point_with_odd_characters_is_found(mount: Mount, written: str, name: str) -> None:
    mount((f"/{written}", "nfs4"))
    assert network_file_system(f"/{name}/spool") == "nfs4"


def test_the_way_there_may_be_a_link(mount: Mount, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "spool").symlink_to(tmp_path / "net")
    mount((str(tmp_path / "net"), "nfs4"))
    assert network_file_system(str(tmp_path / "spool")) == "nfs4"


def test_a_spool_on_a_network_file_system_is_refused_untouched_unless_told_otherwise(
    mount: Mount, tmp_path: Path
) -> None:
    mount((str(tmp_path), "nfs4"))
    with pytest.raises(BadConfig, match=r"nfs4.*--allow-network-fs"):
        open_spool(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert open_spool(str(tmp_path), allow_network=True).root == str(tmp_path)


def test_a_machine_that_cannot_tell_is_refused_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*path: object, **how: object) -> io.StringIO:
        raise PermissionError

    monkeypatch.setattr(layout, "open", fail, raising=False)
    with pytest.raises(BadConfig, match="mountinfo"):
        open_spool(str(tmp_path))


def test_the_option_of_every_command_allows_it(house: House) -> None:
    assert "--allow-network-fs" in house.run("rivus-ls", "--help").out
    house.run("rivus-ls", "--allow-network-fs")


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("x")])
def test_what_is_no_directory_is_refused_in_one_line(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "spool")
    with pytest.raises(BadConfig, match="RIVUS_SPOOL") as caught:
        open_spool(str(tmp_path / "spool"))
    assert "\n" not in str(caught.value)


def test_opening_makes_rivuss_own_folders_and_no_other(tmp_path: Path) -> None:
    spool = open_spool(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["_journal", "_limits", "_owners", "_rejected", "_verdicts"]
    assert open_spool(str(tmp_path)) == spool


def test_a_relative_spool_stays_where_it_was_when_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spool").mkdir()
    monkeypatch.chdir(tmp_path)
    assert open_spool("spool").root == str(tmp_path / "spool")


def test_a_test_spool_is_inside_and_shares_the_limits(tmp_path: Path) -> None:
    spool, test = open_spool(str(tmp_path)), open_spool(str(tmp_path), test=True)
    assert test.root == f"{spool.root}/_test"
    assert test.limits == spool.limits
    test.prepare(PLAN)
    assert spool.jobs() == []
    assert test.jobs() == ["job"]


def test_jobs_and_stages_are_the_directories_that_can_be_ones(tmp_path: Path) -> None:
    spool = fresh_spool(tmp_path / "spool")
    for odd in ("_own", ".hidden", "Upper", "two words", "9"):
        os.mkdir(f"{spool.root}/{odd}")
    Path(f"{spool.root}/job/README").write_text("x")
    assert spool.jobs() == ["job"]
    assert spool.stages("job") == ["extract", "fetch", "score"]
    assert spool.stages("none") == []


def test_preparing_twice_changes_nothing_and_a_new_stage_gets_its_boxes(tmp_path: Path) -> None:
    spool = fresh_spool(tmp_path / "spool")
    published(spool, "a")
    spool.prepare(PLAN)
    for stage in PLAN.needs:
        assert sorted(os.listdir(spool.stage("job", stage))) == sorted(BOXES)
    assert list(names(spool.box("job", "fetch", Box.READY))) == ["a.json"]


def test_a_ticket_is_found_in_whatever_box_it_is(tmp_path: Path) -> None:
    spool = fresh_spool(tmp_path / "spool")
    published(spool, "a")
    path = spool.ticket("job", "fetch", Box.READY, "a.json")
    assert spool.where("job", "fetch", "none.json") is None
    for box in BOXES:
        if box is not Box.RUNNING:
            target = spool.ticket("job", "fetch", box, "a.json")
            os.rename(path, target)
            assert spool.where("job", "fetch", "a.json") == (box, target)
            path = target
    os.rename(path, spool.ticket("job", "fetch", Box.READY, "a.json"))
    with Owner(spool) as owner:
        claim = claimed(spool, owner)
        assert spool.where("job", "fetch", "a.json") == (Box.RUNNING, claim.path)


def test_hidden_names_are_passed_over_everywhere(tmp_path: Path) -> None:
    spool = fresh_spool(tmp_path / "spool")
    Path(spool.ticket("job", "fetch", Box.READY, ".half.json")).write_text("{")
    assert list(names(spool.box("job", "fetch", Box.READY))) == []
    assert list(names("/no/such/folder")) == list(names("/etc/passwd")) == []


def test_paths_have_no_state_but_the_two_roots() -> None:
    spool = Spool("/s", "/s/_limits")
    assert spool.ticket("j", "f", Box.LATER, "a.json") == "/s/j/f/later/a.json"
    assert spool.claims("j", "f", "me") == "/s/j/f/running/me"
    assert (spool.births("j"), spool.cursor("j")) == ("/s/j/discover/done", "/s/j/discover/cursor.json")
    assert (spool.files("j", "a.json"), spool.pause("j")) == ("/s/j/files/a", "/s/j/paused.json")
