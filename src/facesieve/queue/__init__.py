"""Queue workers: they read jobs from a Redis stream and write results to another. Any worker may die at any time."""
