"""The commands: parse, call, print. One file each, named as the command is."""

NAMES = (
    "discover", "stage", "run", "inject", "ls", "show", "why", "move", "limit", "doctor", "stale", "sweep", "index",
    "dash", "log", "check", "units", "cost", "prune", "replay",
)  # fmt: skip
