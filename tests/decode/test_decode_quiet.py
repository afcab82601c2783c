"""Decoders print nothing about a damaged file: their lines do not name it, and the refusal does."""

from __future__ import annotations

import logging
import struct
import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, features

from facesieve.decode import decode_one
from facesieve.decode.quiet import quiet
from facesieve.records import Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources

pytestmark = pytest.mark.skipif(not features.check("libtiff"), reason="this Pillow has no libtiff")


@pytest.fixture
def damaged() -> bytes:
    """A TIFF about which libtiff prints a line, once Pillow loads it."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    stream = BytesIO()
    Image.fromarray(noise).save(stream, "TIFF", compression="tiff_lzw")
    data = bytearray(stream.getvalue())
    data[200:400] = bytes(byte ^ 0x5A for byte in data[200:400])
    return bytes(data)


@pytest.fixture
def of_many_samples() -> bytes:
    """A TIFF about which Pillow logs an error: it declares 200 samples for each pixel."""
    entries = [(256, 4, 1, 8), (257, 4, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2), (277, 3, 1, 200)]
    return (
        b"II*\0\x08\0\0\0" + struct.pack("<H", 5) + b"".join(struct.pack("<HHII", *one) for one in entries) + bytes(4)
    )


def load(data: bytes) -> None:
    with pytest.raises(OSError):
        Image.open(BytesIO(data)).load()


def test_libtiff_prints_nothing_while_a_picture_is_decoded(damaged: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    result = decode_one(as_sources([damaged])[0], Settings())
    assert isinstance(result, Refusal)
    assert result.code == "corrupt"
    assert capfd.readouterr().err == ""


def test_the_host_application_still_sees_lines_about_its_own_pictures(
    damaged: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    load(damaged)
    before = capfd.readouterr().err
    assert before
    decode_one(as_sources([damaged])[0], Settings())
    assert capfd.readouterr().err == ""
    load(damaged)
    assert capfd.readouterr().err == before


def test_pillow_logs_nothing_while_a_picture_is_decoded_and_the_host_application_still_sees_its_own(
    of_many_samples: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(decode_one(as_sources([of_many_samples])[0], Settings()), Refusal)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    load(of_many_samples)
    assert "More samples per pixel than can be decoded" in caplog.text


def test_the_last_of_several_threads_puts_the_handler_back(damaged: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    inside, leave = threading.Event(), threading.Event()

    def decode_for_long() -> None:
        with quiet():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=decode_for_long)
    thread.start()
    assert inside.wait(60)
    decode_one(as_sources([damaged])[0], Settings())
    load(damaged)  # the other thread is not done
    assert capfd.readouterr().err == ""
    leave.set()
    thread.join()
    load(damaged)
    assert capfd.readouterr().err != ""
