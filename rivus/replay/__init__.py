"""Running a stage of an item again with the present code, beside production, to see what would change."""
