"""`python -m rivus.commands rivus-stage …` is `rivus-stage …`, for the launchers of a checkout."""

import sys
from importlib import import_module

if __name__ == "__main__":
    program = sys.argv.pop(1)
    import_module(f"rivus.commands.{program.removeprefix('rivus-')}").main()
