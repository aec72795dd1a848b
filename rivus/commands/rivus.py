"""rivus VERB: the same as rivus-VERB, which may be any program of that name on PATH."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import import_module

from rivus.commands import NAMES
from rivus.commands.frame import OK

EXIT_CODES = OK | {2: "There is no such command."}


def _usage() -> str:
    first = {name: (import_module(f"rivus.commands.{name}").__doc__ or "").strip() for name in NAMES}
    rows = [f"  {name:10} {text.partition(': ')[2]}" for name, text in first.items()]
    return "usage: rivus COMMAND [ARGUMENT]...\n\n" + "\n".join(rows) + "\n\nrivus COMMAND --help tells more.\n"


def main() -> None:
    """Runs `rivus-VERB`: our own in this process, any other from PATH."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("--help", "-h", "help"):
        sys.stdout.write(_usage())
    elif verb == "--version":
        from rivus import __version__

        sys.stdout.write(f"rivus {__version__}\n")
    elif verb in NAMES:
        del sys.argv[1]
        import_module(f"rivus.commands.{verb}").main()
    elif program := shutil.which(f"rivus-{verb}"):
        os.execv(program, [program, *sys.argv[2:]])
    else:
        sys.stderr.write(f"rivus: no command {verb!r}; there are {', '.join(NAMES)}\n")
        sys.exit(2)
