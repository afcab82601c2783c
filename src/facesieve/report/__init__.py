"""Contact sheet and explanations of a finished dataset. Reads its tables and runs no network."""
