"""The compiled extension against ONNX Runtime and OpenCV, on every instruction set that runs here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facesieve.detect import Mtcnn, load_networks
from facesieve.detect.boxes import suppress
from facesieve.detect.native import NativeNetworks
from facesieve.detect.networks import ONET_SIDE, RNET_SIDE, OnnxNetworks
from facesieve.detect.pyramid import WINDOW
from facesieve.models.onnx_reader import initializers
from facesieve.models.store import Store
from facesieve.native import Extension, instruction_sets
from facesieve.records import Photo, Source
from facesieve.settings import Settings
from meanwhile import turns_during

if not instruction_sets():
    pytest.skip("the extension was not built", allow_module_level=True)

Random = np.random.Generator
EDGES = [
    12,
    13,
    14,
    15,
    16,
    17,
    27,
    28,
    29,
    43,
    44,
    45,
    75,
    76,
    77,
    107,
    108,
    109,
]  # around 1, 2, 3 vectors of each width


@pytest.fixture(scope="module")
def onnx() -> OnnxNetworks:
    settings = Settings.load(engine="onnxruntime")
    networks = load_networks(settings, Store(settings))
    assert isinstance(networks, OnnxNetworks)
    return networks


@pytest.fixture(scope="module")
def named() -> Callable[[str], NativeNetworks]:
    files = Store(Settings.load()).load("mtcnn")
    weights = [initializers(files[name]) for name in ("pnet", "rnet", "onet")]
    return lambda isa: NativeNetworks(Extension(isa), *weights)


@pytest.fixture(scope="module", params=instruction_sets())
def networks(request: pytest.FixtureRequest, named: Callable[[str], NativeNetworks]) -> NativeNetworks:
    return named(request.param)


@pytest.fixture
def random() -> Random:
    return np.random.default_rng(20)


def picture(random: Random, height: int, width: int) -> np.ndarray:
    """Noise at a scale of its own, so that levels have both texture and flat parts."""
    coarse = max(1, int(random.integers(1, 9)))
    noise = random.integers(0, 256, (-(-height // coarse), -(-width // coarse), 3), np.uint8)
    return np.ascontiguousarray(noise.repeat(coarse, 0).repeat(coarse, 1)[:height, :width])


def read(file: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(file), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def assert_same_cells(ours: NativeNetworks, theirs: OnnxNetworks, pixels: np.ndarray, scale: float) -> None:
    """All cells of the map, in order: a threshold of zero lets every one through."""
    [[found]] = ours.propose([pixels], [scale], 0.0)
    if min(math.ceil(side * scale) for side in pixels.shape[:2]) < 12:
        assert len(found.rows) == 0
        return
    [[expected]] = theirs.propose([pixels], [scale], 0.0)
    assert found.rows.tolist() == expected.rows.tolist()
    assert found.columns.tolist() == expected.columns.tolist()
    np.testing.assert_allclose(found.probability, expected.probability, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.offsets, expected.offsets, rtol=0, atol=1e-5)


def assert_same_level(ours: NativeNetworks, pixels: np.ndarray, width: int, height: int) -> None:
    level = ours._native.level(pixels, width, height)
    assert np.array_equal(level, cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (11, 11), (2, 7), (64, 48), (301, 299)])
def test_a_level_is_opencv_s_area_average_bit_for_bit(networks: NativeNetworks, random: Random, size: tuple) -> None:
    height, width = size
    pixels = picture(random, height, width)
    for scale in (1, 0.97, 0.6, 0.5, 1 / 3, 0.25, 0.1, 0.01):
        assert_same_level(networks, pixels, math.ceil(width * scale), math.ceil(height * scale))


def test_levels_of_random_shapes_are_opencv_s(networks: NativeNetworks, random: Random) -> None:
    for _ in range(150):
        height, width = (int(side) for side in random.integers(1, 160, 2))
        pixels = picture(random, height, width)
        assert_same_level(networks, pixels, int(random.integers(1, width + 1)), int(random.integers(1, height + 1)))


def test_whole_ratios_round_halves_as_opencv_does(networks: NativeNetworks, random: Random) -> None:
    """2 x 2 rounds halves up, larger whole ratios to even; both differ from the weighted sum."""
    for ratio in (2, 3, 4, 6):
        pixels = random.integers(0, 4, (ratio * 40, ratio * 37, 3), np.uint8)
        assert_same_level(networks, pixels, 37, 40)


def test_levels_of_a_portrait_are_opencv_s(networks: NativeNetworks, hopper: Path) -> None:
    pixels = read(hopper)
    for power in range(9):
        scale = 0.6 * 0.709**power
        assert_same_level(networks, pixels, *(math.ceil(side * scale) for side in pixels.shape[1::-1]))


@pytest.mark.parametrize("width", EDGES)
def test_cells_of_a_map_around_each_vector_s_width_are_onnx_runtime_s(
    networks: NativeNetworks, onnx: OnnxNetworks, random: Random, width: int
) -> None:
    for height in (12, 13, 14, 15):
        assert_same_cells(networks, onnx, picture(random, height, width), 1.0)
        assert_same_cells(networks, onnx, picture(random, width, height), 1.0)


def test_cells_of_random_shapes_are_onnx_runtime_s(
    networks: NativeNetworks, onnx: OnnxNetworks, random: Random
) -> None:
    for _ in range(60):
        height, width = (int(side) for side in random.integers(12, 140, 2))
        assert_same_cells(networks, onnx, picture(random, height, width), float(random.uniform(0.1, 1)))


@pytest.mark.parametrize("size", [(12, 40_000), (40_000, 12)])
def test_cells_of_a_ribbon_are_onnx_runtime_s(
    networks: NativeNetworks, onnx: OnnxNetworks, random: Random, size: tuple[int, int]
) -> None:
    assert_same_cells(networks, onnx, picture(random, *size), 1.0)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (11, 11), (11, 500)])
def test_a_level_smaller_than_the_window_has_no_cells(networks: NativeNetworks, size: tuple[int, int]) -> None:
    [[cells]] = networks.propose([np.zeros((*size, 3), np.uint8)], [1.0], 0.0)
    assert cells.rows.shape == cells.probability.shape == (0,) and cells.offsets.shape == (0, 4)


def test_no_scales_give_no_levels(networks: NativeNetworks) -> None:
    assert networks.propose([np.zeros((50, 50, 3), np.uint8)] * 2, [], 0.6) == [[], []]
    assert networks.propose([], [1.0], 0.6) == []


def test_only_cells_at_or_above_the_threshold_leave(networks: NativeNetworks, astronaut: Path) -> None:
    pixels = read(astronaut)
    [[everything]] = networks.propose([pixels], [0.3], 0.0)
    [[passed]] = networks.propose([pixels], [0.3], 0.6)
    above = everything.probability >= np.float32(0.6)
    assert 0 < above.sum() < len(above)
    assert passed.rows.tolist() == everything.rows[above].tolist()
    assert passed.probability.tolist() == everything.probability[above].tolist()
    assert passed.offsets.tolist() == everything.offsets[above].tolist()
    highest = float(everything.probability.max())
    assert networks.propose([pixels], [0.3], highest)[0][0].probability.tolist() == [highest]


@pytest.mark.parametrize("side", [24, 48])
def test_crops_are_opencv_s_whatever_the_box(
    networks: NativeNetworks, onnx: OnnxNetworks, random: Random, side: int
) -> None:
    """Larger, smaller, oblong, of the crop's own size, across a border, and beyond the picture."""
    pixels = picture(random, 120, 90)
    corner = random.integers(-60, 130, (200, 2))
    size = random.integers(0, 110, (200, 2))
    size[:120, 1] = size[:120, 0] + random.integers(-1, 2, 120)
    size[:20] = side - 1
    boxes = np.hstack([corner, corner + np.maximum(size, 0)]).astype(np.int32)
    inside = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] <= (90, 120)).all(axis=1)
    assert 10 < (~inside).sum() < 150
    crops = networks.crop(pixels, boxes, side)
    np.testing.assert_allclose(crops[inside], onnx.crop(pixels, boxes[inside], side), rtol=0, atol=2e-4)
    assert not crops[~inside].any()


@pytest.mark.parametrize("box", [(1, 1, 1250, 1300), (-40, -30, 900, 1890), (300, 500, 1280, 2500), (5, 9, 30, 1299)])
def test_crops_of_boxes_many_times_their_size_are_opencv_s(
    networks: NativeNetworks, onnx: OnnxNetworks, random: Random, box: tuple[int, int, int, int]
) -> None:
    pixels, boxes = picture(random, 1300, 1250), np.array([box], np.int32)
    np.testing.assert_allclose(networks.crop(pixels, boxes, 24), onnx.crop(pixels, boxes, 24), rtol=0, atol=2e-4)


def test_no_boxes_give_no_crops_and_no_answers(networks: NativeNetworks) -> None:
    pixels, none = np.zeros((50, 50, 3), np.uint8), np.empty((0, 4), np.int32)
    probability, offsets = networks.refine(networks.crop(pixels, none, 24))
    assert probability.shape == (0,) and offsets.shape == (0, 4)
    probability, offsets, landmarks = networks.locate(networks.crop(pixels, none, 48))
    assert (probability.shape, offsets.shape, landmarks.shape) == ((0,), (0, 4), (0, 10))


@pytest.mark.parametrize("count", [1, 5, 36, 37, 75])
def test_answers_about_crops_are_onnx_runtime_s(
    networks: NativeNetworks, onnx: OnnxNetworks, random: Random, count: int
) -> None:
    for side, ask in ((24, "refine"), (48, "locate")):
        crops = random.uniform(0, 255, (count, side, side, 3)).astype(np.float32)
        crops[::3] = crops[::3].mean(axis=(1, 2), keepdims=True)
        for ours, theirs in zip(getattr(networks, ask)(crops), getattr(onnx, ask)(crops), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_an_answer_depends_on_its_crop_alone(networks: NativeNetworks, random: Random) -> None:
    for side, ask in ((24, networks.refine), (48, networks.locate)):
        crops = random.uniform(0, 255, (40, side, side, 3)).astype(np.float32)
        together = ask(crops)
        turned = [answer[::-1] for answer in ask(np.ascontiguousarray(crops[::-1]))]
        alone = [np.concatenate(answers) for answers in zip(*(ask(crop[np.newaxis]) for crop in crops), strict=True)]
        for a, b, c in zip(together, turned, alone, strict=True):
            assert a.tolist() == b.tolist() == c.tolist()


def test_suppression_is_the_array_version_s(networks: NativeNetworks, random: Random) -> None:
    for count in (0, 1, 2, 300):
        corner = random.integers(0, 60, (count, 2)).astype(float)
        boxes = np.hstack([corner, corner + random.integers(5, 20, (count, 2))])
        for minimum in (False, True):
            for threshold in (0.3, 0.7):
                kept = networks.suppress(boxes, threshold, minimum=minimum)
                assert kept.tolist() == suppress(boxes, threshold, minimum=minimum).tolist()


def test_instruction_sets_that_fuse_give_the_same_bits(named: Callable[[str], NativeNetworks], astronaut: Path) -> None:
    fusing = [named(isa) for isa in instruction_sets() if isa != "portable"]
    pixels = read(astronaut)
    answers = [one.propose([pixels], [0.5, 0.2], 0.1)[0] for one in fusing]
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            assert a.probability.tolist() == b.probability.tolist() and a.offsets.tolist() == b.offsets.tolist()
    sides = np.arange(9, 249, 3, np.int32)  # rows of all remainders of a vector
    boxes = np.column_stack([sides // 5, sides // 3, sides // 5 + sides, sides // 3 + sides + 1])
    for side, ask in ((RNET_SIDE, "refine"), (ONET_SIDE, "locate")):
        crops = [one.crop(pixels, boxes, side) for one in fusing]
        numbers = [np.column_stack(getattr(one, ask)(own)) for one, own in zip(fusing, crops, strict=True)]
        for other in range(1, len(fusing)):
            assert crops[0].tobytes() == crops[other].tobytes() and numbers[0].tobytes() == numbers[other].tobytes()


def test_instruction_sets_that_fuse_cut_the_same_crops(
    named: Callable[[str], NativeNetworks], astronaut: Path, random: Random
) -> None:
    fusing = [named(isa) for isa in instruction_sets() if isa != "portable"]
    pixels = read(astronaut)
    corners = random.integers(-20, 480, (200, 2))
    boxes = np.hstack([corners, corners + random.integers(5, 200, (200, 1))]).astype(np.int32)
    for size in (24, 48):
        for other in fusing[1:]:
            assert np.array_equal(fusing[0].crop(pixels, boxes, size), other.crop(pixels, boxes, size))


def test_a_view_that_is_not_contiguous_is_taken_for_its_values(networks: NativeNetworks, astronaut: Path) -> None:
    pixels = read(astronaut)
    [[mirrored]] = networks.propose([pixels[:, ::-1]], [0.2], 0.3)
    [[copied]] = networks.propose([np.ascontiguousarray(pixels[:, ::-1])], [0.2], 0.3)
    assert mirrored.probability.tolist() == copied.probability.tolist() != []


PIXELS, PORTABLE = np.zeros((40, 40, 3), np.uint8), Extension("portable")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda n: n.propose(PIXELS.astype(np.float32), [1.0], 0.6), TypeError),
        (lambda n: n.propose(PIXELS[:, ::2], [1.0], 0.6), TypeError),
        (lambda n: n.propose(PIXELS[..., :2].copy(), [1.0], 0.6), ValueError),
        (lambda n: n.propose(PIXELS[..., 0].copy(), [1.0], 0.6), ValueError),
        (lambda n: n.propose(np.zeros((0, 5, 3), np.uint8), [1.0], 0.6), ValueError),
        (lambda n: n.propose(PIXELS, [0.0], 0.6), ValueError),
        (lambda n: n.propose(PIXELS, [1.5], 0.6), ValueError),
        (lambda n: n.propose(PIXELS, [math.nan], 0.6), ValueError),
        (lambda n: n.propose(PIXELS, [1.0], 1.5), ValueError),
        (lambda n: n.propose(PIXELS, [1.0], math.nan), ValueError),
        (lambda n: n.level(PIXELS, 41, 40), ValueError),
        (lambda n: n.level(PIXELS, 0, 40), ValueError),
        (lambda n: n.crop(PIXELS, np.zeros((2, 4), np.int64), 24), TypeError),
        (lambda n: n.crop(PIXELS, np.zeros((2, 3), np.int32), 24), ValueError),
        (lambda n: n.crop(PIXELS, np.array([[5, 5, 4, 9]], np.int32), 24), ValueError),
        (lambda n: n.crop(PIXELS, np.array([[-(2**31), 0, 2**31 - 1, 9]], np.int32), 24), ValueError),
        (lambda n: n.crop(PIXELS, np.zeros((1, 4), np.int32), 0), ValueError),
        (lambda n: n.crop(PIXELS, np.zeros((1, 4), np.int32), 10**9), ValueError),
        (lambda n: n.refine(np.zeros((1, 48, 48, 3), np.float32)), ValueError),
        (lambda n: n.refine(np.zeros((1, 24, 24, 3))), TypeError),
        (lambda n: n.locate(np.zeros((48, 48, 3), np.float32)), ValueError),
        (lambda n: PORTABLE.suppress(np.zeros((2, 5)), 0.5), ValueError),
        (lambda n: PORTABLE.suppress(np.zeros((2, 4), np.float32), 0.5), TypeError),
        (lambda n: PORTABLE.networks([], [], []), ValueError),
        (lambda n: PORTABLE.networks([(np.zeros(3, np.float32),) * 3] * 5, [], []), ValueError),
    ],
)
def test_what_does_not_fit_is_refused(networks: NativeNetworks, call: Callable, error: type[Exception]) -> None:
    with pytest.raises(error):
        call(networks._native)


def test_the_extension_and_python_state_the_same_sizes(networks: NativeNetworks) -> None:
    """Sizes of layers come from the weights; the sides of what the networks see are stated on both sides."""
    with pytest.raises(ValueError, match=rf"shape \(n, {RNET_SIDE}, {RNET_SIDE}, 3\)"):
        networks.refine(np.zeros((1, 1, 1, 3), np.float32))
    with pytest.raises(ValueError, match=rf"shape \(n, {ONET_SIDE}, {ONET_SIDE}, 3\)"):
        networks.locate(np.zeros((1, 1, 1, 3), np.float32))
    for side, cells in ((WINDOW - 1, 0), (WINDOW, 1)):
        [[found]] = networks.propose([np.zeros((side, side, 3), np.uint8)], [1.0], 0.0)
        assert len(found.rows) == cells


def test_an_error_about_weights_names_the_network_and_the_layer() -> None:
    layer = tuple(np.zeros(size, np.float32) for size in (270, 10, 9))
    with pytest.raises(ValueError, match=r"^pnet: slopes of layer 1 must be 10 numbers, not 9$"):
        PORTABLE.networks([layer] * 5, [], [])
    with pytest.raises(ValueError, match=r"^pnet must have 5 layers$"):
        PORTABLE.networks([layer] * 4, [], [])


def test_other_threads_run_while_the_extension_computes(named: Callable[[str], NativeNetworks]) -> None:
    networks, pixels = named("portable"), np.zeros((900, 1600, 3), np.uint8)
    assert turns_during(lambda: networks.propose([pixels], [0.6], 0.6)) > 5


def cascade(engine: OnnxNetworks | NativeNetworks) -> Mtcnn:
    settings = Settings.load()
    return Mtcnn(engine, settings.min_face_size, settings.scale_factor, settings.steps_threshold)


def assert_same_faces(ours: NativeNetworks, theirs: OnnxNetworks, file: Path) -> int:
    photo = Photo(Source(str(file)), "", read(file), "")
    found, expected = cascade(ours)([photo]), cascade(theirs)([photo])
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.boxes, expected.boxes, rtol=0, atol=2e-3)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, rtol=0, atol=2e-3)
    np.testing.assert_allclose(found.confidence, expected.confidence, rtol=0, atol=1e-5)
    return len(found)


def test_portraits_have_the_same_faces_on_both_engines(
    networks: NativeNetworks, onnx: OnnxNetworks, astronaut: Path, hopper: Path
) -> None:
    assert [assert_same_faces(networks, onnx, file) for file in (astronaut, hopper)] == [1, 1]


@pytest.mark.slow
def test_all_of_wider_val_has_the_same_faces_on_both_engines(
    networks: NativeNetworks, onnx: OnnxNetworks, shared: Path
) -> None:
    names = json.loads((shared / "seed/golden/mtcnn-0.1.1-wider_val_dev.json").read_text())
    images = shared / "data/wider_val_dev/images"
    assert sum(assert_same_faces(networks, onnx, images / name) for name in names) == 1139


@pytest.mark.slow
def test_ten_thousand_shapes_have_onnx_runtime_s_cells(
    named: Callable[[str], NativeNetworks], onnx: OnnxNetworks, random: Random
) -> None:
    everyone = [named(isa) for isa in instruction_sets()]
    for turn in range(10_000):
        height, width = (int(side) for side in random.integers(1, 120, 2))
        pixels, scale = picture(random, height, width), float(random.uniform(0.05, 1))
        ours = everyone[turn % len(everyone)]
        assert_same_cells(ours, onnx, pixels, scale)
        assert_same_level(ours, pixels, math.ceil(width * scale), math.ceil(height * scale))
