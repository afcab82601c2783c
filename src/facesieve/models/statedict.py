"""PyTorch state dicts, read without torch and without running what a pickle may carry.

A pickle is a program. This reader knows the five things that a state dict's program needs and refuses all others by
name, before anything is called. Only the format before PyTorch 1.6 is read (not the later zip): the one that the
published file has. Layout: torch/serialization.py, `_legacy_save`: magic number, protocol, machine, the dict with
storages by key, the list of keys, then each storage as a count and its raw numbers.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from facesieve.errors import ModelError
from facesieve.records import Floats32

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8"}


def read_state_dict(data: bytes) -> dict[str, Floats32]:
    """The tensors of a state dict by name, as float32.

    Raises ModelError `model_untrusted` when the pickle asks for anything but tensors, `model_unreadable` when the
    bytes are no state dict in the format before PyTorch 1.6.
    """
    if data.startswith(b"PK"):
        raise ModelError(
            "model_unreadable", "This state dict is a zip (PyTorch 1.6 or later); the older format is read."
        )
    try:
        return _tensors(io.BytesIO(data))
    except ModelError:
        raise
    except Exception as error:  # a broken pickle can fail in any way; none of them ran anything
        raise ModelError("model_unreadable", "This is not a PyTorch state dict.") from error


def _tensors(file: io.BytesIO) -> dict[str, Floats32]:
    if _Reader(file).load() != MAGIC or _Reader(file).load() != PROTOCOL or not _Reader(file).load()["little_endian"]:
        raise ValueError("header")
    reader = _Reader(file)
    views = reader.load()
    storages = {key: _storage(file, reader.dtypes[key]) for key in _Reader(file).load()}
    return {name.removeprefix("module."): view.over(storages) for name, view in views.items()}


def _storage(file: io.BytesIO, dtype: str) -> npt.NDArray[np.generic]:
    (count,) = struct.unpack("<q", file.read(8))
    raw = file.read(count * np.dtype(dtype).itemsize)
    return np.frombuffer(raw, dtype, count)


class _View:
    """A tensor before its storage is read."""

    def __init__(self, key: str, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> None:
        self.key, self.offset, self.size, self.stride = key, offset, size, stride

    def over(self, storages: dict[str, npt.NDArray[np.generic]]) -> Floats32:
        """The tensor's numbers, every index of which must lie in the storage."""
        storage = storages[self.key]
        steps = [np.arange(size) * stride for size, stride in zip(self.size, self.stride, strict=True)]
        index = sum(np.ix_(*steps), start=np.zeros((), np.intp)) + self.offset
        if index.size and not (index.min() >= 0 and index.max() < len(storage)):
            raise ValueError("tensor outside its storage")
        return storage[index].astype(np.float32)


class _Reader(pickle.Unpickler):
    """An unpickler that can make an OrderedDict and tensors, and nothing else."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="latin1")
        self.dtypes: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor"): _View,
            ("torch._utils", "_rebuild_tensor_v2"): _View,
        }
        if (module, name) in allowed:
            return allowed[module, name]
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise ModelError(
            "model_untrusted", f"This file asks to run {module}.{name}, which no weights need; it was refused."
        )

    def persistent_load(self, pid: Any) -> str:
        """A storage, by its key. pid: ("storage", type, key, device, count, view)."""
        kind, dtype, key, *_ = pid
        if kind != "storage" or pid[5:] not in ((), (None,)):
            raise ValueError("persistent id")
        self.dtypes[key] = dtype
        return str(key)
