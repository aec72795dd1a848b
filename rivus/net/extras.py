"""Packages of an optional extra, loaded where they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rivus.model.outcome import Halt


def load(module: str, extra: str) -> Any:
    """The module of that name. Raises Halt with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise Halt(f"{module} cannot be imported ({error}): pip install 'rivus[{extra}]'") from None
