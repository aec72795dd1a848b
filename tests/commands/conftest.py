"""Modules that a command imports only when it needs them: here at once, so that no forked command imports them anew."""

from __future__ import annotations

import importlib
import pkgutil

for room in ("commands", "config", "handlers", "limits", "sources", "spool", "stale", "work"):
    package = importlib.import_module(f"rivus.{room}")
    for module in pkgutil.iter_modules(package.__path__, f"rivus.{room}."):
        importlib.import_module(module.name)
for name in ("filelock", "jsonlines", "queue", "rivus.net.record", "rivus.plugins", "rivus.versions.code"):
    importlib.import_module(name)
