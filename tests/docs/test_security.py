"""SECURITY.md: the files and sections that it names exist, and outputs carry nothing of a picture's metadata."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image, PngImagePlugin

ROOT = Path(__file__).resolve().parents[2]
MARK = "made-by-a-stranger-52.5163N"


def test_every_test_that_it_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) >= 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_no_output_of_a_build_carries_metadata_of_its_pictures(
    run: Callable[..., tuple[int, str, str]], hopper: Path, astronaut: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    with Image.open(hopper) as picture:
        exif = Image.Exif()
        exif[0x010E] = exif[0x013B] = MARK  # description, artist
        exif.get_ifd(0x8825)[0x001D] = MARK  # the date of GPS, a field of free text
        picture.save(photos / "1.jpg", exif=exif, comment=MARK, icc_profile=MARK.encode(), quality=95)
    with Image.open(astronaut) as picture:
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", MARK)
        picture.save(photos / "2.png", pnginfo=text)
    for photo in photos.iterdir():
        assert MARK.encode() in photo.read_bytes()

    out = tmp_path / "dataset"
    written = ("--crops", "face", "--crops", "head", "--marked", "--keep-rejected")
    status, _, stderr = run("build", photos, "-o", out, *written, "--workers", 1)

    assert status == 0, stderr
    files = [file for file in out.rglob("*") if file.is_file()]
    assert {".png", ".jpg"} <= {file.suffix for file in files}
    assert [file for file in files if MARK.encode() in file.read_bytes()] == []
    for file in files:
        if file.suffix in (".png", ".jpg"):
            with Image.open(file) as image:
                assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}, file
