"""Weights with a name: where they come from, whether they are what the catalog says, and sessions that run them."""
