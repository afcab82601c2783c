"""A resumable build: what is left to do, which build engine does it, and what the ledger remembers."""
