"""Reads the crops of many faces in a row, as the bytes that the build wrote."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from facesieve.dataset.disk.own_file import damaged_file, missing_file
from facesieve.dataset.manifests import Manifests
from facesieve.errors import DatasetError

_END = b"IEND\xaeB`\x82"  # the last bytes of every PNG
_USUAL = 48 * 1024  # bytes; a crop of 112 x 112 has fewer. Much larger buffers would be mapped anew for each file


def read_crops(dataset: Manifests, rows: pa.Table) -> Iterator[bytes]:
    """Yield the crop of each row as PNG, in order. Raises DatasetError if one is missing or damaged."""
    root = str(dataset.layout.root)
    if "shard" not in rows.column_names:
        for name in rows["file_name"].to_pylist():
            yield _whole(f"{root}/{name}")  # a Path takes longer than reading the file
        return
    held, descriptor = "", -1
    try:
        for shard, offset, size in zip(*(rows[name].to_pylist() for name in ("shard", "offset", "size")), strict=True):
            if shard != held:
                if descriptor >= 0:
                    os.close(descriptor)
                descriptor, held = -1, shard
                descriptor = _opened(f"{root}/{shard}")
            yield _checked(_at(descriptor, offset, size), shard, root)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _whole(path: str) -> bytes:
    descriptor = _opened(path)
    try:
        data = os.read(descriptor, _USUAL)
        if len(data) == _USUAL:
            parts = [data]
            while parts[-1]:
                parts.append(os.read(descriptor, 4 * _USUAL))
            data = b"".join(parts)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)
    return _checked(data, path)


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise missing_file(Path(path)) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _at(descriptor: int, offset: int, size: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)


def _checked(data: bytes, path: str, root: str = "") -> bytes:
    if not data.endswith(_END):
        raise damaged_file(Path(root, path))
    return data


def _unreadable(path: str, error: OSError) -> DatasetError:
    return DatasetError("cannot_read", f"Cannot read {path}: {error.strerror or error}.")
