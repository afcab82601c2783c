"""Whole numbers in the headers of files."""

from __future__ import annotations


def big(data: bytes | memoryview) -> int:
    """An unsigned number whose highest byte comes first; 0 for no bytes."""
    return int.from_bytes(data, "big")


def little(data: bytes | memoryview) -> int:
    """An unsigned number whose lowest byte comes first; 0 for no bytes."""
    return int.from_bytes(data, "little")
