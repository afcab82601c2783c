"""Rows of a dataset: their columns, from the parts of the ledger to the manifests."""
