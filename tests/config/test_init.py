"""Importing the room costs nothing; its names are there when they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rivus.config
from tests.conftest import ROOT


def loaded_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_importing_the_room_loads_no_library() -> None:
    assert not loaded_after("import rivus.config") & {"yaml", "msgspec", "requests", "click", "asyncio"}


def test_asking_for_a_folder_loads_no_library() -> None:
    assert not loaded_after("from rivus.config import spool_folder") & {"yaml", "msgspec", "hashlib"}


def test_loading_jobs_loads_yaml_and_msgspec_only() -> None:
    loaded = loaded_after("from rivus.config import load_jobs, load_job, Job, Stage, Problem, Seconds, Limit")
    assert loaded >= {"yaml", "msgspec"}
    assert not loaded & {"requests", "click", "asyncio", "subprocess", "difflib"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rivus.config.nothing  # noqa: B018
