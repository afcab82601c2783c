"""A resumable build: what is left to do, which engine does it, and what the ledger remembers."""
