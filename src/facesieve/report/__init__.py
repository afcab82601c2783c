"""Contact sheet and explanations of a finished dataset. They are made from its tables, without a network."""
