"""The index: one SQLite file beside the spool, made from it, so that everything can be looked at with SQL."""
