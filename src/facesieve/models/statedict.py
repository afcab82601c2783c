"""Reads PyTorch state dicts without torch, and without running the code that a pickle may contain.

A pickle is a program. This reader allows only the few names that a state dict needs, and refuses every other name
before anything is called. It reads the format before PyTorch 1.6, which the published file has, and not the later zip.
Layout, from `_legacy_save` of torch/serialization.py: magic number, protocol, machine, the dict of tensors, each with
the key of its storage, the list of keys, and then each storage as a count and its raw numbers.
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
    """The tensors of a state dict by name, as float32 arrays of their shapes.

    Raises ModelError `model_untrusted` when the pickle needs anything else than tensors, `model_unreadable` when the
    bytes are not a state dict in the format before PyTorch 1.6.
    """
    if data.startswith(b"PK"):
        raise ModelError(
            "model_unreadable", "This state dict is a zip of PyTorch 1.6 or later; only the older format can be read."
        )
    try:
        return _tensors(io.BytesIO(data))
    except ModelError:
        raise
    except Exception as error:  # a broken pickle can raise anything, but ran no code
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
    """A tensor whose storage was not read yet."""

    def __init__(self, key: str, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> None:
        self.key, self.offset, self.size, self.stride = key, offset, size, stride

    def over(self, storages: dict[str, npt.NDArray[np.generic]]) -> Floats32:
        """The tensor's numbers. Raises ValueError when some of them lie outside the storage."""
        storage = storages[self.key]
        steps = [np.arange(size) * stride for size, stride in zip(self.size, self.stride, strict=True)]
        index = sum(np.ix_(*steps), start=np.zeros((), np.intp)) + self.offset
        if index.size and not (index.min() >= 0 and index.max() < len(storage)):
            raise ValueError("tensor outside its storage")
        return storage[index].astype(np.float32)


class _Reader(pickle.Unpickler):
    """An unpickler that can only make an OrderedDict and tensors."""

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
            "model_untrusted", f"This file would run {module}.{name}, which weights do not need; it was refused."
        )

    def persistent_load(self, pid: Any) -> str:
        """The key of a storage. pid: ("storage", type, key, device, count, view)."""
        kind, dtype, key, *_ = pid
        if kind != "storage" or pid[5:] not in ((), (None,)):
            raise ValueError("persistent id")
        self.dtypes[key] = dtype
        return str(key)
