"""The dashboard: Datasette over the index, with rivus's own pages. It reads; nothing in it changes an item."""
