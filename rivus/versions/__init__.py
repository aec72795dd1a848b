"""Which version of a stage made a result: its code, what it depends on, its parameters."""
