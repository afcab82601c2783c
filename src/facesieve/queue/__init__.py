"""Jobs from a Redis stream, answers to a stream: many workers, any of which may die at any time."""
