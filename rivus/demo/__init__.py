"""A small video channel on loopback: the whole chain can be tried without touching anybody's servers."""
