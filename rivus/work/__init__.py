"""What runs: discovery, the crew of a stage with its threads, what becomes of a failure, the sweep."""
