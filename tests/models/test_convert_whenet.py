"""WHENet against a second forward pass: torch, from the HDF5 itself, nothing folded."""

from __future__ import annotations

import io
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from facesieve.errors import ModelError
from facesieve.models.catalog import entry
from facesieve.models.convert.whenet import convert
from facesieve.models.session import Session
from facesieve.records import Floats, Pixels
from pose_formulas import expectation

# EfficientNet-B0: kernel, stride, in, out of every block
BLOCKS = [
    (3, 1, 32, 16),
    *[(3, 2, 16, 24), (3, 1, 24, 24)],
    *[(5, 2, 24, 40), (5, 1, 40, 40)],
    *[(3, 2, 40, 80), (3, 1, 80, 80), (3, 1, 80, 80)],
    *[(5, 1, 80, 112), (5, 1, 112, 112), (5, 1, 112, 112)],
    *[(5, 2, 112, 192), (5, 1, 192, 192), (5, 1, 192, 192), (5, 1, 192, 192)],
    (3, 1, 192, 320),
]


def as_keras(data: bytes, crops: Pixels) -> Floats:
    """Raw pitch, yaw, roll by the layers of the file, in double precision."""
    torch = pytest.importorskip("torch")
    import h5py

    functional = torch.nn.functional
    file = h5py.File(io.BytesIO(data), "r")
    counts: dict[str, int] = {}

    def weights(kind: str) -> dict[str, Any]:
        counts[kind] = counts.get(kind, 0) + 1
        name = f"{kind}_{counts[kind]}"
        return {key.removesuffix(":0"): torch.tensor(value[()]).double() for key, value in file[name][name].items()}

    def conv(x: Any, stride: int = 1) -> Any:
        layer = weights("conv2d")
        return same(x, layer["kernel"].permute(3, 2, 0, 1), stride, layer.get("bias"))

    def depthwise(x: Any, stride: int) -> Any:
        kernel = weights("depthwise_conv2d")["depthwise_kernel"].permute(2, 3, 0, 1)
        return same(x, kernel, stride, None, groups=x.shape[1])

    def same(x: Any, kernel: Any, stride: int, bias: Any, groups: int = 1) -> Any:
        size, side = kernel.shape[-1], x.shape[-1]
        pad = max((-(-side // stride) - 1) * stride + size - side, 0)
        x = functional.pad(x, (pad // 2, pad - pad // 2) * 2)
        return functional.conv2d(x, kernel, bias, stride, groups=groups)

    def norm(x: Any) -> Any:
        layer = weights("batch_normalization")
        moving = layer["moving_mean"], layer["moving_variance"]
        return functional.batch_norm(x, *moving, layer["gamma"], layer["beta"], eps=1e-3)

    swish = functional.silu
    x = (torch.tensor(crops).double() / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    x = swish(norm(conv(x.permute(0, 3, 1, 2), 2)))
    for number, (_, stride, before, after) in enumerate(BLOCKS):
        inner = swish(norm(conv(x))) if number else x
        inner = swish(norm(depthwise(inner, stride)))
        squeezed = conv(swish(conv(inner.mean((2, 3), keepdim=True))))
        inner = norm(conv(inner * torch.sigmoid(squeezed)))
        x = inner + x if stride == 1 and before == after else inner
    features = swish(norm(conv(x))).mean((2, 3)).numpy()
    heads = [file[f"{name}_new"][f"{name}_new"] for name in ("pitch", "yaw", "roll")]
    return np.stack([expectation(features @ head["kernel:0"][()] + head["bias:0"][()]) for head in heads], axis=1)


@pytest.fixture(scope="module")
def both(published: Callable[[str], dict[str, bytes]]) -> tuple[bytes, bytes]:
    """The published HDF5 and our network."""
    files = published("whenet")
    return files["WHENet.h5"], convert(files)["whenet"]


def test_the_network_agrees_with_an_unfolded_forward_pass(both: tuple[bytes, bytes]) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    crops[1], crops[2, 112:] = 0, 255
    ours = Session(both[1], 1)(crops)[0]
    np.testing.assert_allclose(ours, as_keras(both[0], crops), atol=1e-3, rtol=0)


def test_the_converted_bytes_are_what_the_catalog_pins(both: tuple[bytes, bytes]) -> None:
    assert {"whenet": sha256(both[1]).hexdigest()} == entry("whenet").converted


def test_what_is_no_hdf5_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        convert({"WHENet.h5": b"\x89HDF no"})
    assert caught.value.code == "model_unreadable"


def test_an_hdf5_with_other_layers_is_refused() -> None:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("dense_1")
    with pytest.raises(ModelError, match=r"not the published WHENet\.h5"):
        convert({"WHENet.h5": buffer.getvalue()})
