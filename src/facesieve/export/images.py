"""How the pictures of an export are encoded."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np

from facesieve.draw import encode
from facesieve.errors import DatasetError, UsageError
from facesieve.records import Pixels

_FORM = re.compile(r"(png|jpeg|jpg|webp)(?::([0-9]{1,3}))?")
_QUALITY = {"jpeg": 95, "webp": 90}


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A picture format. name: `png`, `jpeg` or `webp`. quality: 1 to 100, or 0 for `png`, which loses nothing."""

    name: str
    quality: int = 0

    @classmethod
    def parse(cls, text: str) -> ImageFormat:
        """Read `png`, `jpeg`, `jpeg:95`, `webp` or `webp:90`. Raises UsageError `bad_image`."""
        found = _FORM.fullmatch(text.strip().lower())
        name = (found[1] if found else "").replace("jpg", "jpeg")
        quality = int(found[2]) if found and found[2] else _QUALITY.get(name, 0)
        if not found or (name == "png") != (quality == 0) or (found[2] and name == "png") or quality > 100:
            raise UsageError("bad_image", f"--image {text!r} is unknown; write png, jpeg:95 or webp:90.")
        return cls(name, quality)

    @property
    def suffix(self) -> str:
        """The end of the names of its files, without a dot."""
        return "jpg" if self.name == "jpeg" else self.name

    @property
    def lossless(self) -> bool:
        return self.name == "png"

    def encoded(self, pixels: Pixels) -> bytes:
        """(H, W, 3) uint8 RGB pixels as a file of this format. Equal pixels become equal bytes."""
        if self.name == "png":
            return encode.png(pixels)
        if self.name == "jpeg":
            return encode.jpeg(pixels, self.quality)
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, self.quality])
        return data.tobytes()

    def of_png(self, data: bytes) -> bytes:
        """A PNG file as a file of this format: the same bytes if this is PNG."""
        return data if self.lossless else self.encoded(decoded(data))


def decoded(data: bytes) -> Pixels:
    """(H, W, 3) uint8 RGB pixels of a picture of a dataset or an export."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise DatasetError("damaged_crop", "A crop cannot be decoded. Run `facesieve check DATASET` to find it.")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
