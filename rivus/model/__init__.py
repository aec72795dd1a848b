"""Pure rules: what an item is, which moves there are, what follows from an outcome. No files, no clock."""
