"""A resumable build: what is left to do, who does it, and what is remembered."""
