from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesieve.errors import ModelError
from facesieve.models.statedict import MAGIC, PROTOCOL, read_state_dict

HEADER = b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True}))


class Runs:
    """A pickled object that runs a function with arguments when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> Any:
        return self.reduced


def one_tensor(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    """A state dict with the tensor `a` over a storage of 0, 1, 2, 3, 4, 5, written opcode by opcode (protocol 0)."""

    def ints(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(f"I{value}\n".encode() for value in values) + b"t"

    storage = b"(Vstorage\nctorch\nFloatStorage\nVkey\nVcpu\nI6\nNtQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + f"I{offset}\n".encode() + ints(size) + ints(stride)
    tensor += b"I00\nccollections\nOrderedDict\n(tRtR"
    values = struct.pack("<q6f", 6, *range(6))
    return HEADER + b"(dVa\n" + tensor + b"s." + pickle.dumps(["key"], 2) + values


def test_a_tensor_is_a_view_of_its_storage() -> None:
    assert read_state_dict(one_tensor((2, 3), (3, 1)))["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read_state_dict(one_tensor((3, 2), (1, 3)))["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert read_state_dict(one_tensor((2,), (2,), offset=1))["a"].tolist() == [1, 3]
    assert read_state_dict(one_tensor((), ()))["a"].tolist() == 0
    assert read_state_dict(one_tensor((0, 3), (3, 1)))["a"].shape == (0, 3)


@pytest.mark.parametrize(
    ("size", "stride", "offset"), [((7,), (1,), 0), ((6,), (1,), 1), ((2,), (-1,), 0), ((1,), (1,), -1)]
)
def test_a_tensor_outside_its_storage_is_refused(size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> None:
    with pytest.raises(ModelError) as caught:
        read_state_dict(one_tensor(size, stride, offset))
    assert caught.value.code == "model_unreadable"


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("place", ["state", "header", "keys", "bare"])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int, place: str) -> None:
    trace = tmp_path / "it ran"
    evil = pickle.dumps(Runs(os.system, f"touch '{trace}'"), protocol)
    empty = pickle.dumps(OrderedDict(), 2)
    data = {"state": HEADER + evil, "header": HEADER[:20] + evil, "keys": HEADER + empty + evil, "bare": evil}[place]
    if place == "header":
        data = pickle.dumps(MAGIC, 2) + evil
    with pytest.raises(ModelError) as caught:
        read_state_dict(data)
    assert caught.value.code == "model_untrusted"
    assert "system" in caught.value.message
    assert not trace.exists()


@pytest.mark.parametrize("function", [eval, exec, getattr, __import__, np.load, os.popen])
def test_every_other_global_is_refused_by_name(function: Any) -> None:
    with pytest.raises(ModelError) as caught:
        read_state_dict(HEADER + pickle.dumps(Runs(function, "1"), 2))
    assert caught.value.code == "model_untrusted" and function.__name__ in caught.value.message


def test_torchs_other_globals_are_refused() -> None:
    for name in (b"torch\nload", b"torch._utils\n_rebuild_parameter", b"torch.hub\nload", b"collections\nCounter"):
        with pytest.raises(ModelError) as caught:
            read_state_dict(HEADER + b"c" + name + b"\n(tR.")
        assert caught.value.code == "model_untrusted"


@pytest.mark.parametrize("data", [b"", b"\x80", b"not a pickle", pickle.dumps(1), HEADER, HEADER + pickle.dumps([1])])
def test_what_is_no_state_dict_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        read_state_dict(data)
    assert caught.value.code == "model_unreadable"
