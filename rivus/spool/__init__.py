"""The spool: one file per item and stage, and the directory it is in is its state."""
