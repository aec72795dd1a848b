"""rivus under systemd: which units the jobs need, what is in them, and how they get into the system."""
