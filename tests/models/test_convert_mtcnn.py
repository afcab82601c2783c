from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from facesieve.models.catalog import entry
from facesieve.models.convert.mtcnn import convert
from facesieve.models.onnx_reader import initializers
from facesieve.models.session import Session

Array = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def both(published: Callable[[str], dict[str, bytes]]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The published networks and ours."""
    files = published("mtcnn")
    return files, convert(files)


def as_published(model: bytes, pixels: Array) -> list[Array]:
    """What the published network says of upright pixels: it wants them transposed and normalised."""
    session = onnxruntime.InferenceSession(model)
    batch = ((pixels.transpose(0, 2, 1, 3) - 127.5) * 0.0078125).astype(np.float32)
    outputs: list[Array] = session.run(None, {session.get_inputs()[0].name: batch})
    return outputs


def patches(picture: Path, side: int) -> Array:
    """Squares all over a picture, of 20 to 200 pixels, resized."""
    pixels = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)
    starts = [(x, y, size) for size in (20, 60, 200) for x in range(0, 300, 60) for y in range(0, 300, 60)]
    starts.append((170, 65, 110))  # the face
    cut = [pixels[y : y + size, x : x + size].astype(np.float32) for x, y, size in starts]
    return np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in cut])


@pytest.mark.parametrize("shape", [(240, 320), (37, 61), (12, 12), (13, 200)])
def test_pnet_is_the_published_network_on_the_upright_picture(
    both: tuple[dict[str, bytes], dict[str, bytes]], astronaut: Path, shape: tuple[int, int]
) -> None:
    picture = cv2.cvtColor(cv2.imread(str(astronaut)), cv2.COLOR_BGR2RGB)
    pixels = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)[None].astype(np.float32)
    regression, score = as_published(both[0]["pnet.onnx"], pixels)
    ours = Session(both[1]["pnet"], 1)(pixels)
    np.testing.assert_allclose(ours[0], score[..., 1].transpose(0, 2, 1), atol=1e-5, rtol=0)
    np.testing.assert_allclose(ours[1], regression.transpose(0, 2, 1, 3), atol=1e-5, rtol=0)


def test_rnet_is_the_published_network_on_upright_crops(
    both: tuple[dict[str, bytes], dict[str, bytes]], astronaut: Path
) -> None:
    crops = patches(astronaut, 24)
    regression, score = as_published(both[0]["rnet.onnx"], crops)
    ours = Session(both[1]["rnet"], 1)(crops)
    assert score[:, 1].max() > 0.9
    np.testing.assert_allclose(ours[0], score[:, 1], atol=1e-5, rtol=0)
    np.testing.assert_allclose(ours[1], regression, atol=1e-5, rtol=0)


def test_onet_is_the_published_network_on_upright_crops(
    both: tuple[dict[str, bytes], dict[str, bytes]], astronaut: Path
) -> None:
    crops = patches(astronaut, 48)
    regression, landmarks, score = as_published(both[0]["onet.onnx"], crops)
    ours = Session(both[1]["onet"], 1)(crops)
    np.testing.assert_allclose(ours[0], score[:, 1], atol=1e-5, rtol=0)
    np.testing.assert_allclose(ours[1], regression, atol=1e-5, rtol=0)
    np.testing.assert_allclose(ours[2], landmarks, atol=1e-5, rtol=0)


def test_no_crops_are_no_answers(both: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    shapes = [output.shape for output in Session(both[1]["onet"], 1)(np.empty((0, 48, 48, 3), np.float32))]
    assert shapes == [(0,), (0, 4), (0, 10)]


def test_a_crop_gets_the_same_answer_whatever_stands_beside_it(
    both: tuple[dict[str, bytes], dict[str, bytes]], astronaut: Path
) -> None:
    crops = patches(astronaut, 24)
    net = Session(both[1]["rnet"], 1)
    together = net(crops)[0]
    assert (np.concatenate([net(crops[i : i + 7])[0] for i in range(0, len(crops), 7)]) == together).all()
    assert (Session(both[1]["rnet"], 2)(crops)[0] == together).all()


def test_the_converted_bytes_are_what_the_catalog_pins(both: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    assert {part: sha256(data).hexdigest() for part, data in both[1].items()} == entry("mtcnn").converted


def test_weights_have_plain_names(both: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    shapes = {name: weight.shape for name, weight in initializers(both[1]["rnet"]).items() if "." in name}
    assert shapes == {
        "conv1.weight": (28, 3, 3, 3),
        "conv1.bias": (28,),
        "prelu1.slope": (28, 1, 1),
        "conv2.weight": (48, 28, 3, 3),
        "conv2.bias": (48,),
        "prelu2.slope": (48, 1, 1),
        "conv3.weight": (64, 48, 2, 2),
        "conv3.bias": (64,),
        "prelu3.slope": (64, 1, 1),
        "dense.weight": (128, 576),
        "dense.bias": (128,),
        "dense.slope": (128,),
        "score.weight": (1, 128),
        "score.bias": (1,),
        "regression.weight": (4, 128),
        "regression.bias": (4,),
    }
