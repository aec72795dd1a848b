from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from rivus.handlers import REGISTRY


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_registered_handler_exists_and_takes_item_context_and_keywords(name: str) -> None:
    module, _, function = REGISTRY[name].partition(":")
    found = getattr(import_module(module), function)
    kinds = [parameter.kind.name for parameter in inspect.signature(found).parameters.values()]
    assert kinds[:2] == ["POSITIONAL_OR_KEYWORD"] * 2 and set(kinds[2:]) <= {"KEYWORD_ONLY"}
    assert f"handler: {name}" in found.__doc__


def test_importing_the_handlers_loads_no_heavy_library() -> None:
    modules = sorted({target.partition(":")[0] for target in REGISTRY.values()} | {"rivus.handlers.command"})
    heavy = [
        "requests",
        "yt_dlp",
        "selectolax",
        "charset_normalizer",
        "asyncio",
        "subprocess",
        "xml.parsers.expat",
    ]
    program = f"import sys, {', '.join(modules)}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
