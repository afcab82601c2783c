"""The fast PNG encoder: every decoder reads back the same pixels."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facesieve.draw.fast_png import fast_png


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (9, 1), (112, 112), (300, 203)])
def test_decoders_read_back_the_same_pixels(height: int, width: int) -> None:
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)
    data = fast_png(pixels)
    image = Image.open(io.BytesIO(data))
    image.verify()
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (width, height))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], pixels)


def test_a_view_of_a_picture_is_encoded_and_hardly_larger_than_by_opencv(astronaut: Path) -> None:
    from facesieve.draw.encode import png as careful

    cut = np.asarray(Image.open(astronaut).convert("RGB"))[30:300, 150:420]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(fast_png(cut)))), cut)
    assert len(fast_png(cut)) < 1.1 * len(careful(cut))
