"""Animated pictures as clips: GIF, WebP, PNG and AVIF with several frames, and HEIF with several images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image

from facesieve.decode.colour import to_srgb
from facesieve.decode.cost import check_cost
from facesieve.decode.exif import orientation_of
from facesieve.decode.flatten import flatten
from facesieve.decode.quiet import quiet
from facesieve.decode.still import open_still
from facesieve.decode.structure import check_structure
from facesieve.decode.upright import upright
from facesieve.records import Pixels
from facesieve.settings import Settings

ANIMATED = ("gif", "webp", "png", "avif", "heif")
USUAL = 0.1  # seconds of a frame that states no time, as browsers show it

Show = Callable[[int], Image.Image]  # the frame with a number, loaded; raises EOFError or IndexError after the last


class Animation:
    """An animated picture with the methods of `Capture`. Its length is not known before its end."""

    def __init__(self, show: Show, format: str, colour_profiles: bool) -> None:
        self._show, self._colour_profiles = show, colour_profiles
        self._image: Image.Image | None = None
        self._next, self._stamp = 0, 0.0
        self.fps: float | None = None
        self.duration: float | None = None
        self.codec = format

    def grab(self) -> float | None:
        """Decode the next frame. Returns its time in seconds; None after the last frame."""
        if self._image is not None:
            self._stamp += float(self._image.info.get("duration") or 0) / 1000 or USUAL
        try:
            with quiet():
                self._image = self._show(self._next)
        except (EOFError, IndexError):
            return None
        self._next += 1
        return self._stamp

    def pixels(self) -> Pixels | None:
        """The frame as (H, W, 3) uint8 RGB, upright."""
        image = self._image
        assert image is not None
        with quiet():
            pixels = flatten(image)
            if self._colour_profiles and image.mode in ("RGB", "RGBA"):
                pixels = to_srgb(pixels, image.info.get("icc_profile") or b"")
            return upright(pixels, orientation_of(image.info.get("exif", b"")))


@contextmanager
def opened_animation(format: str, data: bytes, settings: Settings) -> Iterator[Animation | None]:
    """Yield the picture; None if it has a single frame.

    Raises Refused for limits, the decoders' own errors otherwise.
    """
    check_structure(format, data, settings)
    with quiet():
        size, show = _opened(format, data, settings)
        check_cost(format, size, len(data), settings)
        try:
            show(1)
            several = True
        except (EOFError, IndexError):
            several = False
        if several:
            _, show = _opened(format, data, settings)  # Pillow cannot go back to the first frame of every PNG
    yield Animation(show, format, settings.colour_profiles) if several else None


def _opened(format: str, data: bytes, settings: Settings) -> tuple[tuple[int, int], Show]:
    """Width and height in pixels, and the frames."""
    return _images(data, settings) if format == "heif" else _frames(format, data)


def _frames(format: str, data: bytes) -> tuple[tuple[int, int], Show]:
    picture = open_still(format, data)

    def show(number: int) -> Image.Image:
        picture.seek(number)
        picture.load()
        return picture

    return picture.size, show


def _images(data: bytes, settings: Settings) -> tuple[tuple[int, int], Show]:
    """The images of a HEIF file. They state no times, so each is shown as long as the time between two frames."""
    import pillow_heif  # libheif is large, and few pictures need it

    file = pillow_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=True)

    def show(number: int) -> Image.Image:
        image: Image.Image = file[number].to_pillow()
        image.info["duration"] = settings.clip_every * 1000
        image.info.pop("exif", None)  # libheif has turned the image already
        return image

    return file.size, show
