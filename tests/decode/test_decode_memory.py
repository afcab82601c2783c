"""A lack of memory is reported as such, never as a damaged picture; in a process with a memory limit."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import PIL
import pillow_heif
import pytest
from PIL import Image

from facesieve.errors import is_about_memory

CHILD = """
import json, os, resource, sys
import facesieve.decode.heif
from facesieve.decode import decode_one
from facesieve.settings import Settings
from facesieve.sources import as_sources
sources, settings = as_sources([sys.argv[1]]), Settings()
decode_one(as_sources([sys.argv[2]])[0], settings)
space = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
codes = []
for megabytes in range(1, 60, 6):
    read, write = os.pipe()
    if os.fork() == 0:
        resource.setrlimit(resource.RLIMIT_AS, (space + (megabytes << 20), -1))
        os.write(write, getattr(decode_one(sources[0], settings), "code", "photo").encode())
        os._exit(0)
    os.close(write)
    codes.append(os.read(read, 99).decode())
    os.wait()
print(json.dumps(codes))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
@pytest.mark.parametrize("format", ["JPEG", "PROGRESSIVE", "CMYK", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "JPEG2000"])
def test_under_any_memory_limit_a_good_picture_is_a_photo_or_out_of_memory(tmp_path: Path, format: str) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    noise = np.random.default_rng(0).integers(0, 256, (100, 160, 3), np.uint8)
    for file, size in ((large, (1200, 750)), (small, (16, 16))):
        image = Image.fromarray(noise).resize(size)
        out = BytesIO()
        if format == "HEIF":
            pillow_heif.from_pillow(image).save(out, quality=40)
        elif format == "CMYK":
            image.convert("CMYK").save(out, "JPEG")
        elif format == "PROGRESSIVE":
            image.save(out, "JPEG", progressive=True)
        else:
            image.save(out, format)
        file.write_bytes(out.getvalue())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(large), str(small)], capture_output=True, text=True, check=True, timeout=900
    )
    codes = json.loads(done.stdout)
    # Without memory, libheif's threads end the process, and so do WebP and AVIF of Pillow before 12.2: a build says
    # `crashed`.
    old_pillow = tuple(map(int, PIL.__version__.split(".")[:2])) < (12, 2)
    ends = format == "HEIF" or (format in ("WEBP", "AVIF") and old_pillow)
    assert set(codes) <= {"photo", "out_of_memory"} | ({""} if ends else set()), codes
    assert format == "HEIF" or "out_of_memory" in codes


@pytest.mark.parametrize(
    ("error", "about"),
    [
        (MemoryError(), True),
        (OSError(12, "Cannot allocate memory"), True),
        (OSError("out of memory error when reading image file"), True),
        (cv2.error("OpenCV: (-4:Insufficient memory) Failed to allocate 9 bytes"), True),
        (ValueError("Insufficient memory (case 4)"), True),
        (ImportError("libtiff.so.6: failed to map segment from shared object"), True),
        (RuntimeError("can't start new thread"), True),
        (ValueError("Memory allocation error: Security limit exceeded: image size"), False),
        (ValueError("broken data stream"), False),
    ],
)
def test_errors_about_memory_are_distinguished_from_others(error: Exception, about: bool) -> None:
    assert is_about_memory(error) is about
