"""The pose network that is part of FaceSieve: on the extension, on ONNX Runtime, offline, and on real faces."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from facesieve.detect import Mtcnn, load_detector
from facesieve.errors import ModelError
from facesieve.models.catalog import entry
from facesieve.models.onnx_reader import initializers
from facesieve.models.session import Session
from facesieve.models.store import Store
from facesieve.native import Extension, instruction_sets
from facesieve.pipeline import Pipeline
from facesieve.pose import HeadPose
from facesieve.pose.both_ways import both_ways
from facesieve.pose.native import NativeSievepose
from facesieve.pose.network import load_network
from facesieve.records import Faces, Floats, Floats32, Photo, Pixels, Poses, Source
from facesieve.settings import Settings
from facesieve.sieve import Policy
from meanwhile import turns_during

SIDE = 64
needs_extension = pytest.mark.skipif(not instruction_sets(), reason="the extension was not built")


@pytest.fixture(scope="module")
def model() -> bytes:
    return Store(Settings.load()).load("sievepose")["sievepose"]


@pytest.fixture(params=instruction_sets())
def native(request: pytest.FixtureRequest, model: bytes) -> NativeSievepose:
    return NativeSievepose(Extension(request.param), model)


@pytest.fixture
def crops() -> Pixels:
    """Noise, blocks, plain colours, and one bright line at each border, which shows wrong padding."""
    random = np.random.default_rng(18)
    noise = random.integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    blocks = noise[:, ::8, ::8].repeat(8, 1).repeat(8, 2)
    plain = np.broadcast_to(np.array([0, 255, 128], np.uint8)[:, None, None, None], noise.shape)
    edges = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    edges[0, 0], edges[1, -1], edges[2, :, 0], edges[3, :, -1] = 255, 255, 255, 255
    return np.concatenate([noise, blocks, plain, edges])


def photo(path: Path) -> Photo:
    return Photo(Source(path.name), "", cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), "")


@pytest.fixture(scope="module")
def detect() -> Mtcnn:
    settings = Settings.load()
    return load_detector(settings, Store(settings))


def poses(photos: list[Photo], faces: Faces, **changes: object) -> Floats:
    return measured(photos, faces, **changes).degrees


def measured(photos: list[Photo], faces: Faces, **changes: object) -> Poses:
    settings = Settings.load(**{"pose": "sievepose", **changes})
    return HeadPose(settings, Store(settings))(photos, faces)


@needs_extension
def test_the_extension_and_onnx_runtime_agree(native: NativeSievepose, model: bytes, crops: Pixels) -> None:
    (ours, our_spread), (theirs, their_spread) = native(crops), Session(model, 1)(crops)
    assert ours.shape == our_spread.shape == (len(crops), 3)
    assert np.ptp(theirs, axis=0).min() > 5
    assert abs(ours - theirs).max() < 0.01
    assert abs(our_spread - their_spread).max() < 0.01


@needs_extension
def test_a_pose_depends_on_its_crop_alone(native: NativeSievepose, crops: Pixels) -> None:
    many = np.concatenate([crops] * 4)  # more than the kernels take at once
    together = native(many)
    for row in (0, 5, len(many) - 1):
        alone = native(many[row : row + 1])
        assert [one[0].tolist() for one in alone] == [all_[row].tolist() for all_ in together]
    assert native(crops[:0])[0].shape == (0, 3)


@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
def test_a_mirrored_crop_has_the_mirrored_pose(engine: str, crops: Pixels) -> None:
    settings = Settings.load(engine=engine)
    network = load_network("sievepose", settings, Store(settings))
    (degrees, spread), (mirrored, its_spread) = network(crops), network(crops[:, :, ::-1])
    assert mirrored.tolist() == (degrees * (1, -1, -1)).tolist()
    assert its_spread == pytest.approx(spread, abs=1e-3)


def test_where_both_ways_disagree_the_spread_is_greater(crops: Pixels) -> None:
    def answer(both: Pixels) -> list[Floats32]:
        yaw = np.array([8, -8, 20, -12], np.float32)
        return [np.stack([yaw * 0, yaw, yaw * 0], axis=1), np.full((4, 3), 3, np.float32)]

    degrees, spread = both_ways(answer, crops[:2])
    assert degrees.tolist() == [[0, -6, 0], [0, 2, 0]]
    assert spread == pytest.approx(np.array([[3, np.hypot(3, 14), 3], [3, np.hypot(3, 10), 3]]))


def test_on_onnx_runtime_too_a_pose_depends_on_its_crop_alone(crops: Pixels) -> None:
    settings = Settings.load(engine="onnxruntime")
    network = load_network("sievepose", settings, Store(settings))
    degrees, spread = network(crops)
    for row in range(len(crops)):
        alone = network(crops[row : row + 1])
        assert alone[0][0].tolist() == degrees[row].tolist()
        assert alone[1][0].tolist() == spread[row].tolist()


@needs_extension
@pytest.mark.parametrize("shape", [(1, SIDE, SIDE - 1, 3), (SIDE, SIDE, 3), (1, 3, SIDE, SIDE)])
def test_other_crops_are_refused(native: NativeSievepose, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"shape \(n, {SIDE}, {SIDE}, 3\)"):
        native(np.zeros(shape, np.uint8))


@needs_extension
def test_weights_of_other_sizes_are_refused(model: bytes) -> None:
    """The kernels are compiled for the sizes of the packaged file."""
    fewer = model.replace(b"conv13.", b"conx13.")
    with pytest.raises(ValueError, match="sievepose must have 14 layers"):
        NativeSievepose(Extension("portable"), fewer)
    with pytest.raises(ModelError):
        NativeSievepose(Extension("portable"), b"\xff" * 100)


def test_the_catalog_and_the_graph_agree_on_the_preprocessing(model: bytes) -> None:
    preprocessing, weights = entry("sievepose").preprocessing, initializers(model)
    for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
        assert weights[name].ravel().tolist() == list(values)
    assert weights["angles"].shape == (3, preprocessing.bins["yaw"])
    assert preprocessing.side == SIDE


def test_the_weights_are_there_offline_and_with_an_empty_cache(tmp_path: Path, astronaut: Path, detect: Mtcnn) -> None:
    photos = [photo(astronaut)]
    degrees = poses(photos, detect(photos), offline=True, cache_dir=tmp_path)
    assert np.isfinite(degrees[0]).all() and not list(tmp_path.iterdir())


def test_both_portraits_face_the_camera_and_their_mirrored_pictures_agree(
    astronaut: Path, hopper: Path, detect: Mtcnn
) -> None:
    for path in (astronaut, hopper):
        plain = photo(path)
        mirrored = replace(plain, pixels=np.ascontiguousarray(plain.pixels[:, ::-1]))
        first, second = (poses([one], detect([one]))[0] for one in (plain, mirrored))
        assert abs(first).max() < 25
        assert second == pytest.approx(first * (1, -1, -1), abs=3)


def test_a_covered_face_has_a_greater_spread_and_other_models_tell_none(astronaut: Path, detect: Mtcnn) -> None:
    plain = photo(astronaut)
    faces = detect([plain]).take(slice(0, 1))
    x, y, w, h = faces.boxes[0].astype(int)
    pixels = plain.pixels.copy()
    pixels[y : y + h, x : x + w] = np.random.default_rng(18).integers(0, 256, (h, w, 3), np.uint8)
    [clear], [covered] = (measured([one], faces).spread for one in (plain, replace(plain, pixels=pixels)))
    assert 1 < clear < 10 < covered
    assert np.isnan(measured([plain], faces, pose="geometric").spread).all()


def test_a_policy_may_ask_for_a_small_spread(astronaut: Path) -> None:
    def judged(most: float) -> tuple[str, ...]:
        pipeline = Pipeline(Settings.load(pose="sievepose"), Policy.preset().adjusted([f"max_pose_spread={most}"]))
        [record] = pipeline.process([astronaut])
        return record.faces[0].verdict.reasons

    assert judged(30) == ()
    assert judged(0.5) == ("pose_unsure",)


@pytest.mark.parametrize("turn", [-20, 20])
def test_roll_grows_when_the_portrait_is_turned_clockwise(astronaut: Path, detect: Mtcnn, turn: int) -> None:
    plain = photo(astronaut)
    matrix = cv2.getRotationMatrix2D((224, 116), -turn, 1)  # cv2 counts counter-clockwise
    size = plain.pixels.shape[1::-1]
    turned = replace(plain, pixels=cv2.warpAffine(plain.pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE))
    first, second = (poses([one], detect([one]))[0] for one in (plain, turned))
    assert second[2] - first[2] == pytest.approx(turn, abs=6)


def test_the_published_four_are_within_the_limits_and_the_fifth_is_not(shared: Path, detect: Mtcnn) -> None:
    photos = [photo(shared / "seed" / "famous-selfie.jpg")]
    corners = np.array([(521, 340), (549, 140), (295, 277), (546, 388), (431, 259)], float)
    faces = detect(photos)
    faces = faces.take(abs(faces.boxes[:, None, :2] - corners).sum(axis=2).argmin(axis=0))
    within = (abs(poses(photos, faces)) <= (20, 45, 25)).all(axis=1)
    assert within.tolist() == [True, True, True, True, False]


@needs_extension
def test_other_threads_run_while_the_extension_computes(model: bytes) -> None:
    network = NativeSievepose(Extension("portable"), model)
    assert turns_during(lambda: network(np.zeros((64, SIDE, SIDE, 3), np.uint8))) > 5


@needs_extension
def test_a_process_whose_networks_are_compiled_never_imports_onnx_runtime(astronaut: Path) -> None:
    code = """
        import sys
        from facesieve.pipeline import Pipeline
        from facesieve.settings import Settings
        [record] = Pipeline(Settings.load(engine="native")).process([sys.argv[1]])
        print(record.faces[0].measures["yaw"], "onnxruntime" in sys.modules)
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), astronaut], capture_output=True, text=True, check=True
    )
    yaw, imported = said.stdout.split()
    assert abs(float(yaw)) < 25 and imported == "False"


@needs_extension
@pytest.mark.parametrize(
    ("engine", "kind"), [("auto", NativeSievepose), ("native", NativeSievepose), ("onnxruntime", partial)]
)
def test_the_setting_says_what_computes(engine: str, kind: type) -> None:
    settings = Settings.load(engine=engine)
    [network] = load_network("sievepose", settings, Store(settings)).args
    assert type(network) is kind
    assert isinstance(load_network("whenet", settings, Store(settings)), Session)
