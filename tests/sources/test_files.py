from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from rivus.model.outcome import Halt
from rivus.sources.files import files

from .conftest import FakeLook


def write(path: Path, content: str | bytes, when: int = 1_700_000_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (when, when))


def test_files_are_found_with_the_last_changed_first(look: FakeLook) -> None:
    write(look.folder / "in/old.txt", "old")
    write(look.folder / "in/deep/new.txt", "new", 1_700_000_100)
    write(look.folder / "in/other.md", "no")
    found = look.take(files(look, glob="in/**/*.txt"))
    assert [f.key for f in found] == ["in/deep/new.txt", "in/old.txt"]
    assert found[1].data == {
        "path": "in/old.txt", "name": "old.txt", "bytes": 3, "modified": "2023-11-14T22:13:20Z",
        "sha256": hashlib.sha256(b"old").hexdigest(),
    }  # fmt: skip
    assert look.take(files(look, glob="in/**/*.txt")) == []


def test_content_comes_on_request(look: FakeLook, caplog: pytest.LogCaptureFixture) -> None:
    write(look.folder / "a.txt", "\ufeffgrün")
    write(look.folder / "b.bin", b"\xff\xfe\x00")
    write(look.folder / "c.txt", "x" * (2**20 + 1))
    found = {f.key: f.data for f in files(look, glob="*", content=True)}
    assert found["a.txt"]["content"] == "grün"
    assert "content" not in found["b.bin"] and "content" not in found["c.txt"] and found["c.txt"]["bytes"] == 2**20 + 1
    assert "b.bin" in caplog.text and "c.txt" in caplog.text


@pytest.mark.parametrize("glob", ["/etc/*", "../*", "a/../../*", "", "a**"])
def test_a_pattern_that_leaves_the_folder_or_is_none_halts(look: FakeLook, glob: str) -> None:
    with pytest.raises(Halt, match="glob"):
        list(files(look, glob=glob))


def test_links_out_pipes_and_dead_links_are_left_out_with_a_warning(
    look: FakeLook, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    write(outside / "secret", "secret")
    (look.folder / "to_file").symlink_to(outside / "secret")
    (look.folder / "to_folder").symlink_to(outside)
    (look.folder / "dead").symlink_to("nowhere")
    (look.folder / "loop").symlink_to("loop")
    (look.folder / "device").symlink_to("/dev/zero")
    os.mkfifo(look.folder / "pipe")
    write(look.folder / "good", "good")
    (look.folder / "inside").symlink_to("good")
    found = [f.key for glob in ("*", "to_folder/*", "**/*") for f in look.take(files(look, glob=glob, content=True))]
    assert sorted(found) == ["good", "inside"]
    for name in ("to_file", "dead", "loop", "device", "pipe", "to_folder/secret"):
        assert name in caplog.text


def test_hidden_files_need_a_dot_in_the_pattern(look: FakeLook) -> None:
    write(look.folder / ".hidden", "x")
    write(look.folder / ".d/x", "x")
    assert list(files(look, glob="**/*")) == []
    assert [f.key for f in files(look, glob=".hid*")] == [".hidden"]


def test_odd_names_are_kept_and_impossible_ones_left_out(look: FakeLook, caplog: pytest.LogCaptureFixture) -> None:
    for name in (b"two  spaces", b"line\nend", b"\xff\xfe"):
        Path(os.fsdecode(os.fsencode(look.folder) + b"/" + name)).write_bytes(b"x")
    assert [f.key for f in files(look, glob="*")] == ["two  spaces"]
    assert len(caplog.records) == 2


def test_a_span_takes_the_files_changed_in_it(look: FakeLook) -> None:
    for name, when in (("a", 1_700_000_000), ("b", 1_700_000_060), ("c", 1_700_000_120)):
        write(look.folder / name, name, when)
    found = files(look, glob="*", since="2023-11-14T22:13:20Z", until="2023-11-14T22:15:20Z")
    assert [one.key for one in found] == ["b", "a"]
    with pytest.raises(Halt, match="until"):
        list(files(look, glob="*", since="2024-01-01", until="2023-01-01"))


def test_a_file_that_is_no_longer_there_has_vanished(look: FakeLook) -> None:
    for name in ("a", "b"):
        write(look.folder / f"in/{name}", name)
    look.take(files(look, glob="in/*"))
    (look.folder / "in/a").unlink()
    look.take(files(look, glob="in/*", since="2000-01-01"))
    assert look.gone == [], "a span tells nothing of the others"
    look.take(files(look, glob="in/*"))
    assert look.gone == ["in/a"]
