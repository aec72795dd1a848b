"""Which results were made by other code, other parameters or from other input than now; what to do about it."""
