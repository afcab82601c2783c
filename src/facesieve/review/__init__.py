"""Looks through a finished dataset: a local page, and decisions by hand."""
