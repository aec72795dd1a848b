"""What tells: what is where and why, failures and what was decided about them, whether all is well."""
