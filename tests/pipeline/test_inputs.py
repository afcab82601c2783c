"""`process` takes one picture or many, of every usual type; anything else is one TypeError."""

from __future__ import annotations

import io
import pickle
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from PIL import Image

from facesieve import FacesieveError, Pipeline, Policy, Record, Settings, UsageError


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(Settings.load(pose="none"))


@pytest.fixture(scope="module")
def portrait(astronaut: Path) -> Image.Image:
    return Image.open(astronaut).convert("RGB")


def boxes(records: list[Record]) -> list[list[tuple[float, ...]]]:
    return [[face.box for face in record.faces] for record in records]


def ids(records: list[Record]) -> list[list[str]]:
    return [[face.face_id for face in record.faces] for record in records]


def written(file: IO[bytes], path: Path) -> IO[bytes]:
    """A file at its end, as it is after writing."""
    file.write(path.read_bytes())
    file.flush()
    return file


class ReadAndSeek:
    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self._file.seek(0, io.SEEK_END)
        self.read, self.seek = self._file.read, self._file.seek


class PathOfNumber:
    def __fspath__(self) -> int:
        return 5


SINGLE: dict[str, Callable[[Path], object]] = {
    "str": str,
    "Path": Path,
    "PathLike": lambda path: next(entry for entry in __import__("os").scandir(path.parent) if entry.name == path.name),
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "array": lambda path: np.asarray(Image.open(path).convert("RGB")),
    "image": lambda path: Image.open(path).convert("RGB"),
    "lazy image": Image.open,
    "open file": lambda path: path.open("rb"),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "temporary file": lambda path: written(tempfile.NamedTemporaryFile(), path),  # noqa: SIM115
    "spooled file": lambda path: written(tempfile.SpooledTemporaryFile(), path),  # noqa: SIM115
    "object with read and seek": lambda path: ReadAndSeek(path.read_bytes()),
    "response": lambda path: urllib.request.urlopen(path.as_uri()),
}


@pytest.mark.parametrize("kind", SINGLE)
def test_a_single_picture_is_answered_with_a_list_of_one_record(pipeline: Pipeline, astronaut: Path, kind: str) -> None:
    expected = boxes(pipeline.process([astronaut]))
    assert len(expected[0]) == 1
    assert boxes(pipeline.process(SINGLE[kind](astronaut))) == expected
    assert boxes(list(pipeline.stream(SINGLE[kind](astronaut)))) == expected
    assert boxes(pipeline.process([SINGLE[kind](astronaut), b""])) == [expected[0], []]


def test_a_batch_of_arrays_in_one_array_and_a_column_of_paths_are_many(pipeline: Pipeline, astronaut: Path) -> None:
    pixels = np.asarray(Image.open(astronaut).convert("RGB"))
    expected = boxes(pipeline.process([pixels]))
    assert boxes(pipeline.process(np.stack([pixels, pixels]))) == expected * 2
    assert boxes(pipeline.process(np.array([str(astronaut)] * 2))) == boxes(pipeline.process([astronaut])) * 2
    assert boxes(pipeline.process(path for path in (astronaut, str(astronaut)))) == expected * 2
    assert boxes(pipeline.process((astronaut,))) == boxes(pipeline.process({astronaut})) == expected


@pytest.mark.parametrize(
    "several",
    [
        *(3, None, 2.5, object(), {"a.jpg": "Ada"}, str, io.StringIO("a.jpg"), PathOfNumber()),
        *(np.array("a.jpg"), np.array("a.jpg", dtype=object), np.array(None)),
    ],
)
def test_what_is_no_picture_is_one_type_error_that_names_its_type(pipeline: Pipeline, several: object) -> None:
    for answer in (pipeline.process, pipeline.stream):
        with pytest.raises(TypeError, match=r"a picture is a path, encoded bytes, ") as caught:
            answer(several)  # type: ignore[arg-type]
        assert isinstance(caught.value, UsageError) and caught.value.code == "bad_picture"
        name = "opened as text" if isinstance(several, io.StringIO) else "None" if several is None else None
        assert (name or f"type {type(several).__name__}") in str(caught.value)


@pytest.mark.parametrize("wrong", [["a.jpg"], 3, None, {"path": "a.jpg"}, [[[0, 0, 0]]]])
def test_a_wrong_item_is_named_with_its_place(pipeline: Pipeline, astronaut: Path, wrong: object) -> None:
    with pytest.raises(TypeError, match=r"^Picture 1 is (None|a value of type \w+); a picture is "):
        pipeline.process([astronaut, wrong])  # type: ignore[list-item]
    stream = pipeline.stream([astronaut, wrong])  # type: ignore[list-item]
    with pytest.raises(FacesieveError, match="Picture 1 is "):
        list(stream)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 3)),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40, 3), np.uint16),
        np.zeros((3, 40, 40), np.uint8),
        np.zeros((0, 40, 3), np.uint8),
        np.zeros(40, np.uint8),
    ],
)
def test_an_array_of_another_shape_or_type_is_refused_whether_alone_or_in_a_list(
    pipeline: Pipeline, pixels: np.ndarray
) -> None:
    for records in (pipeline.process(pixels), pipeline.process([pixels])):
        assert [record.refusal.code for record in records if record.refusal] == ["bad_pixels"]


@pytest.mark.parametrize("path", ["\ud800.jpg", Path("a\udbff.jpg"), "folder\ud834/a.jpg"])
def test_half_a_character_in_a_path_is_a_refusal(pipeline: Pipeline, path: str | Path) -> None:
    (record,) = pipeline.process(path)
    assert record.refusal and record.refusal.code == "unreadable"
    assert str(path).encode("ascii", "backslashreplace").decode() == record.source.name


def test_a_relative_path_in_a_working_folder_that_was_deleted_is_a_refusal(
    pipeline: Pipeline, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    records = pipeline.process(["a.jpg", astronaut])
    assert [record.refusal and record.refusal.code for record in records] == ["unreadable", None]


def test_a_temporary_file_opened_as_text_is_a_type_error(pipeline: Pipeline) -> None:
    with tempfile.NamedTemporaryFile("w+") as file, pytest.raises(TypeError, match="opened as text"):
        pipeline.process(file)  # type: ignore[arg-type]


def test_a_path_that_is_missing_is_one_refusal_and_no_letters(pipeline: Pipeline, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.jpg", str(tmp_path / "nowhere.jpg"), "nowhere.jpg", ""):
        (record,) = pipeline.process(path)
        assert record.refusal and not record.faces


@pytest.mark.parametrize(
    "mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "YCbCr", "I;16", "F", "RGBX", "PA", "La", "RGBa"]
)
def test_a_pillow_image_of_any_mode_has_the_face(pipeline: Pipeline, portrait: Image.Image, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.asarray(portrait.convert("L")).astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(portrait.convert("L")).astype(np.float32) / 255)
    elif mode in ("PA", "La", "RGBa"):
        image = portrait.convert({"PA": "P", "La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    else:
        image = portrait.convert(mode)
    assert image.mode == mode
    (record,) = pipeline.process(image)
    (face,) = record.faces
    (expected,) = pipeline.process(portrait)[0].faces
    assert face.box == pytest.approx(expected.box, abs=12)
    assert record.photo and record.photo.pixels.shape == (512, 512, 3)


@pytest.mark.parametrize("mode", ["I", "HSV"])
def test_a_pillow_image_without_an_agreed_range_is_refused(
    pipeline: Pipeline, portrait: Image.Image, mode: str
) -> None:
    image = Image.new(mode, (60, 60))
    (record,) = pipeline.process(image)
    assert record.refusal and record.refusal.code == "unsupported_format"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_pillow_image_is_applied_once(
    pipeline: Pipeline, portrait: Image.Image, orientation: int, tmp_path: Path
) -> None:
    from PIL import ImageOps

    undo = [None, None, 0, 3, 1, 5, 2, 6, 4][orientation]
    stored = portrait if undo is None else portrait.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    upright = np.asarray(portrait)
    for image in (Image.open(tmp_path / "turned.png"), ImageOps.exif_transpose(Image.open(tmp_path / "turned.png"))):
        (record,) = pipeline.process(image)
        assert record.photo and np.array_equal(record.photo.pixels, upright)


def test_an_image_and_the_array_of_its_pixels_have_the_same_ids(pipeline: Pipeline, portrait: Image.Image) -> None:
    assert ids(pipeline.process(portrait)) == ids(pipeline.process(np.asarray(portrait)))
    assert portrait.mode == "RGB" and portrait.size == (512, 512)


def test_a_pillow_image_that_cannot_be_loaded_is_a_refusal(pipeline: Pipeline, hopper: Path, tmp_path: Path) -> None:
    short = Image.open(io.BytesIO(hopper.read_bytes()[:20_000]))
    closed = Image.open(hopper)
    closed.close()
    large = Image.new("L", (200, 200))
    strict = Pipeline(Settings.load(pose="none", max_pixels=10_000))
    codes = [record.refusal.code for record in strict.process([short, closed, large]) if record.refusal]
    assert codes == ["too_many_pixels", "too_many_pixels", "too_many_pixels"]
    assert [record.refusal.code for record in pipeline.process([short, closed]) if record.refusal] == [
        "truncated",
        "unreadable",
    ]


def test_a_file_is_read_from_its_start_and_stays_open(pipeline: Pipeline, astronaut: Path, tmp_path: Path) -> None:
    expected = ids(pipeline.process(astronaut))
    with astronaut.open("rb") as file:
        file.seek(100)
        assert ids(pipeline.process(file)) == ids(pipeline.process([file])) == expected
        assert not file.closed
    (record,) = pipeline.process(file)
    assert record.refusal and record.refusal.code == "unreadable"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(astronaut, "a.png")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("a.png") as member:
        assert ids(pipeline.process(member)) == expected


def test_a_file_that_fails_or_never_ends_is_a_refusal(pipeline: Pipeline) -> None:
    class Failing(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise TimeoutError("the network is gone")

    class Text:
        def read(self, size: int = -1) -> str:
            return "words"

    class Endless:
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    records = pipeline.process([Failing(), Text(), Endless()])  # type: ignore[list-item]
    assert [record.refusal.code for record in records if record.refusal] == [
        "unreadable",
        "unreadable",
        "too_many_bytes",
    ]


def facts(records: list[Record]) -> list[object]:
    return [
        [
            (face.face_id, face.box, face.crop.tobytes(), list(map(repr, face.measures.items())), face.verdict)
            for face in record.faces
        ]
        for record in records
    ]


@pytest.fixture(scope="module")
def strict() -> Pipeline:
    return Pipeline(Settings.load(pose="geometric", crop_size=160), Policy.preset("strict"))


def test_a_pipeline_that_was_pickled_gives_the_same_answer(strict: Pipeline, astronaut: Path, hopper: Path) -> None:
    copy = pickle.loads(pickle.dumps(strict))
    assert copy.settings == strict.settings and copy.policy == strict.policy
    assert facts(copy.process([astronaut, hopper])) == facts(strict.process([astronaut, hopper]))
    assert len(pickle.dumps(strict)) < 20_000, "no network travels"


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def test_a_pipeline_works_in_a_process_that_was_spawned(
    strict: Pipeline, astronaut: Path, hopper: Path, pool: ProcessPoolExecutor
) -> None:
    pictures = [str(astronaut), str(hopper)]
    records = list(pool.map(strict.process, [[picture] for picture in pictures]))
    assert [facts(one) for one in records] == [facts([one]) for one in strict.process(pictures)]


def test_a_pipeline_with_a_listener_of_its_own_pickles_without_it(astronaut: Path) -> None:
    heard = list[str]()
    pipeline = Pipeline(Settings.load(pose="none"), announce=lambda line: heard.append(line))
    assert ids(pickle.loads(pickle.dumps(pipeline)).process(astronaut)) == ids(pipeline.process(astronaut))
