"""The commands: parse, call, print. One file each, named as the command is."""

NAMES = ("discover", "stage", "run", "inject", "ls", "show", "move", "limit", "sweep", "check")
