"""WHENet on the compiled extension against ONNX Runtime, on every instruction set that runs here."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facesieve.detect import load_detector
from facesieve.models.onnx_reader import initializers
from facesieve.models.onnx_writer import Graph
from facesieve.models.session import Session
from facesieve.models.store import Store
from facesieve.native import Extension, instruction_sets
from facesieve.pose.crops import crop
from facesieve.pose.hopenet import SIDE
from facesieve.pose.layers import OtherGraphError, PoseLayers, read_layers
from facesieve.pose.native import NativeNetwork
from facesieve.pose.network import load_network
from facesieve.records import Photo, Pixels, Source
from facesieve.settings import Settings
from meanwhile import turns_during

if not instruction_sets():
    pytest.skip("the extension was not built", allow_module_level=True)

MEAN, MOST = 0.05, 0.5  # degrees that the kernels' sixteen-bit integers may cost, on the whole and at worst
GATE = (20, 45, 25)  # pitch, yaw, roll of the preset `reference`

Random = np.random.Generator


@pytest.fixture(scope="module")
def model() -> bytes:
    return Store(Settings.load()).load("whenet")["whenet"]


@pytest.fixture(scope="module")
def read(model: bytes) -> PoseLayers:
    return read_layers(model)


@pytest.fixture(scope="module")
def onnx(model: bytes) -> Session:
    return Session(model, 1)


@pytest.fixture(scope="module", params=instruction_sets())
def network(request: pytest.FixtureRequest, read: PoseLayers) -> NativeNetwork:
    return NativeNetwork(Extension(request.param), read)


@pytest.fixture
def random() -> Random:
    return np.random.default_rng(29)


def photo(file: Path) -> Photo:
    return Photo(Source(str(file)), "", cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB), "")


def faces_of(file: Path, margins: tuple[float, ...]) -> Pixels:
    settings, photos = Settings.load(), [photo(file)]
    faces = load_detector(settings, Store(settings))(photos)
    faces = faces.take(faces.confidence >= settings.measure_floor)
    return np.concatenate([crop(photos, faces, margin, 224) for margin in margins])


def assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    apart = abs(ours - theirs)
    assert apart.mean() <= MEAN and apart.max() <= MOST


def test_poses_of_portraits_are_onnx_runtime_s(
    network: NativeNetwork, onnx: Session, astronaut: Path, hopper: Path
) -> None:
    crops = np.concatenate([faces_of(file, (0.0, 0.05, 0.4)) for file in (astronaut, hopper)])
    crops = np.concatenate([crops, crops[:, :, ::-1], crops[:, ::-1]])
    assert len(crops) == 18
    ours, theirs = network(crops)[0], onnx(crops)[0]
    assert np.ptp(theirs, axis=0).min() > 5
    assert_close(ours, theirs)


def test_answers_about_noise_and_plain_colours_are_onnx_runtime_s(
    network: NativeNetwork, onnx: Session, random: Random
) -> None:
    """Steps at every border show wrong padding, and 0 and 255 the ends of the range."""
    noise = random.integers(0, 256, (3, 224, 224, 3), np.uint8)
    blocks = noise[:, ::32, ::32].repeat(32, 1).repeat(32, 2)
    plain = np.broadcast_to(np.array([0, 255, 128], np.uint8)[:, None, None, None], noise.shape)
    edges = np.zeros((4, 224, 224, 3), np.uint8)
    edges[0, 0], edges[1, -1], edges[2, :, 0], edges[3, :, -1] = 255, 255, 255, 255
    crops = np.concatenate([noise, blocks, plain, edges])
    assert_close(network(crops)[0], onnx(crops)[0])


def test_no_crops_give_no_poses(network: NativeNetwork) -> None:
    assert network(np.empty((0, 224, 224, 3), np.uint8))[0].shape == (0, 3)


def test_a_pose_depends_on_its_crop_alone(network: NativeNetwork, random: Random) -> None:
    crops = random.integers(0, 256, (5, 28, 28, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    (together,) = network(crops)
    alone = np.concatenate([network(one[np.newaxis])[0] for one in crops])
    assert together.tolist() == alone.tolist() == network(crops[::-1])[0][::-1].tolist()
    assert len(np.unique(together[:, 0])) == 5


@pytest.mark.parametrize(
    ("crops", "error"),
    [
        (np.zeros((1, 224, 224, 3), np.float32), TypeError),
        (np.zeros((1, 224, 223, 3), np.uint8), ValueError),
        (np.zeros((224, 224, 3), np.uint8), ValueError),
        (np.zeros((1, 3, 224, 224), np.uint8), ValueError),
    ],
)
def test_other_crops_are_refused(network: NativeNetwork, crops: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error):
        network(crops)


def test_the_extension_and_python_state_the_same_side_of_a_crop(network: NativeNetwork) -> None:
    with pytest.raises(ValueError, match=rf"shape \(n, {SIDE}, {SIDE}, 3\)"):
        network(np.zeros((1, 1, 1, 3), np.uint8))


def test_the_table_of_layers_is_the_one_of_the_paper(read: PoseLayers) -> None:
    """EfficientNet-B0: Tan and Le, 2019, table 1."""
    kernels = [(block.kernel, block.stride) for block in read.blocks]
    channels = [len(block.project.bias) for block in read.blocks]
    assert kernels == [(3, 1), (3, 2), (3, 1), (5, 2), (5, 1)] + [(3, 2), (3, 1), (3, 1)] + [(5, 1)] * 3 + [(5, 2)] + [
        (5, 1)
    ] * 3 + [(3, 1)]
    assert channels == [16, 24, 24, 40, 40] + [80] * 3 + [112] * 3 + [192] * 4 + [320]
    assert [block.skip for block in read.blocks] == [a == b for a, b in zip([32, *channels], channels, strict=False)]
    assert [len(head) for head in read.heads] == [66, 120, 66]


def changed(model: bytes, what: bytes, into: bytes) -> bytes:
    assert what in model and len(what) == len(into)
    return model.replace(what, into)


@pytest.mark.parametrize(
    ("what", "into"),
    [
        (b"SAME_UPPER", b"SAME_LOWER"),
        (b"Sigmoid", b"Softmax"),
        (b"GlobalAveragePool", b"GlobalMaximalPool"),
        (b"Add", b"Sub"),
        (b"stage3.0.gated", b"stage3.0.gate2"),
    ],
)
def test_another_graph_is_not_computed(model: bytes, what: bytes, into: bytes) -> None:
    if what == b"stage3.0.gated":  # a value that nobody makes
        model = model.replace(b"stage3.0.gated\x12", b"stage3.0.gatex\x12")
        what, into = b"Softmax", b"Sigmoid"
    with pytest.raises(OtherGraphError):
        read_layers(changed(model, what, into))


def test_a_graph_of_another_network_is_not_computed() -> None:
    graph = Graph("other")
    graph.node("Relu", [graph.input("crops", np.uint8, ("N", 224, 224, 3))], "degrees")
    graph.output("degrees", ("N", 3))
    for model in (graph.tobytes(), Graph("empty").tobytes(), Store(Settings.load()).load("mtcnn")["onet"]):
        with pytest.raises(OtherGraphError):
            read_layers(model)


@pytest.mark.parametrize(("kernel", "heads"), [(7, 1), (3, 0)])
def test_filters_of_another_size_and_a_graph_without_heads_are_not_computed(
    random: Random, kernel: int, heads: int
) -> None:
    with pytest.raises(OtherGraphError):
        read_layers(small(random, kernel, 1, (4, 4, 4), heads))


class OneModel:
    """A store that holds these bytes, whatever is asked for."""

    def __init__(self, model: bytes) -> None:
        self._model = model

    def load(self, name: str) -> dict[str, bytes]:
        return {name: self._model}


def test_a_graph_that_is_not_whenet_s_stays_on_onnx_runtime(random: Random) -> None:
    graph = Graph("other")
    graph.node("Cast", [graph.input("crops", np.uint8, ("N", 2))], "degrees", to=1)
    graph.output("degrees", ("N", 2))
    for engine in ("auto", "native"):
        network = load_network("hopenet", Settings.load(engine=engine), OneModel(graph.tobytes()))
        assert isinstance(network, Session)
        assert network(np.array([[1, 200]], np.uint8))[0].tolist() == [[1, 200]]


@pytest.mark.parametrize(
    ("engine", "kind"), [("auto", NativeNetwork), ("native", NativeNetwork), ("onnxruntime", Session)]
)
def test_the_setting_says_who_computes(engine: str, kind: type) -> None:
    settings = Settings.load(engine=engine)
    assert type(load_network("whenet", settings, Store(settings))) is kind


def test_layers_that_the_kernels_refuse_stay_on_onnx_runtime(random: Random) -> None:
    model = small(random, 3, 1, (4, 4, 4), 1)
    weights = initializers(model)["stem.w"]
    spoilt = changed(model, weights.tobytes(), np.full_like(weights, np.nan).tobytes())
    assert isinstance(load_network("hopenet", Settings.load(), OneModel(model)), NativeNetwork)
    assert isinstance(load_network("hopenet", Settings.load(), OneModel(spoilt)), Session)


def test_a_process_whose_networks_are_compiled_never_imports_onnx_runtime(astronaut: Path) -> None:
    code = """
        import sys
        from facesieve.pipeline import Pipeline
        from facesieve.settings import Settings
        [record] = Pipeline(Settings.load(engine="native", pose="whenet")).process([sys.argv[1]])
        print(record.faces[0].measures["yaw"], "onnxruntime" in sys.modules)
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), astronaut], capture_output=True, text=True, check=True
    )
    yaw, imported = said.stdout.split()
    assert abs(float(yaw)) < 25 and imported == "False"


def test_other_threads_run_while_the_extension_computes(read: PoseLayers) -> None:
    network = NativeNetwork(Extension("portable"), read)
    assert turns_during(lambda: network(np.zeros((3, 224, 224, 3), np.uint8))) > 5


def normal(random: Random, _name: str, size: tuple[int, ...]) -> np.ndarray:
    """Weights with which numbers neither fade nor grow from layer to layer."""
    return random.normal(size=size) * 1.5 / np.sqrt(np.prod(size[1:]))


def even(_random: Random, _name: str, size: tuple[int, ...]) -> np.ndarray:
    """Weights that make sums as large as inputs can make them."""
    return np.full(size, 1 / np.prod(size[1:]))


def negative(_random: Random, name: str, size: tuple[int, ...]) -> np.ndarray:
    """Even ones that turn the signs between blocks, where negative numbers may be large, and turn them back."""
    return np.full(size, (-1 if name.endswith(("project", "expand", "head")) else 1) / np.prod(size[1:]))


Weights = Callable[[Random, str, tuple[int, ...]], np.ndarray]


def small(
    random: Random, kernel: int, stride: int, channels: tuple[int, int, int], heads: int, weights: Weights = normal
) -> bytes:
    """A network of the family with three blocks of other sizes than WHENet's, none of them a multiple of a vector."""
    stem, middle, out = channels
    graph = Graph("small")
    pixels = graph.input("crops", np.uint8, ("N", 224, 224, 3))
    at = graph.node("Cast", [graph.node("Transpose", [pixels], "planes", perm=[0, 3, 1, 2])], "float", to=1)
    at = graph.node("Sub", [at, graph.weight("mean", np.array([100.0, 120, 140])[:, None, None])], "centred")
    at = graph.node("Div", [at, graph.weight("std", np.array([50.0, 60, 70])[:, None, None])], "normalised")

    def conv(name: str, at: str, into: int, of: int, size: int = 1, step: int = 1, groups: int = 1) -> str:
        weight = weights(random, name, (into, of // groups, size, size))
        inputs = [at, graph.weight(f"{name}.w", weight), graph.weight(f"{name}.b", random.normal(size=into) / 4)]
        how = {"auto_pad": "SAME_UPPER", "kernel_shape": (size, size), "strides": [step, step], "group": groups}
        return graph.node("Conv", inputs, f"{name}.out", **how)

    def swish(at: str) -> str:
        return graph.node("Mul", [at, graph.node("Sigmoid", [at], f"{at}.sigmoid")], f"{at}.swish")

    def block(name: str, at: str, expanded: int, into: int, step: int) -> str:
        filtered = swish(conv(f"{name}.dw", at, expanded, expanded, kernel, step, expanded))
        mean = graph.node("GlobalAveragePool", [filtered], f"{name}.mean")
        gate = conv(f"{name}.excite", swish(conv(f"{name}.squeeze", mean, 3, expanded)), expanded, 3)
        gate = graph.node("Sigmoid", [gate], f"{name}.gate")
        return conv(f"{name}.project", graph.node("Mul", [filtered, gate], f"{name}.gated"), into, expanded)

    at = block("a", swish(conv("stem", at, stem, 3, 3, 2)), stem, out, stride)
    last = block("b", swish(conv("b.expand", at, middle, out)), middle, out, 1)
    at = graph.node("Add", [at, last], "b.sum")
    last = block("c", swish(conv("c.expand", at, middle, out)), middle, out + 5, stride)
    pooled = graph.node("GlobalAveragePool", [swish(conv("head", last, 37, out + 5))], "pooled")
    features, angles = graph.node("Flatten", [pooled], "features"), []
    for head in range(heads):
        bins = 7 + 6 * head
        weight, bias = random.normal(size=(bins, 37)) / 2, random.normal(size=bins)
        inputs = [features, graph.weight(f"{head}.w", weight), graph.weight(f"{head}.b", bias)]
        share = graph.node("Softmax", [graph.node("Gemm", inputs, f"{head}.logits", transB=1)], f"{head}.share", axis=1)
        at = graph.weight(f"{head}.bins", np.arange(bins, dtype=np.float64)[:, None] * 5 - 20)
        angles.append(graph.node("MatMul", [share, at], f"{head}.degrees"))
    graph.node("Concat", angles, "degrees", axis=1)
    graph.output("degrees", ("N", heads))
    return graph.tobytes()


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize(
    ("kernel", "stride", "channels", "heads", "part"),
    [
        (3, 1, (5, 17, 3), 1, 0.02),
        (3, 2, (16, 33, 24), 2, 0.002),
        (5, 1, (9, 1, 2), 3, 0.1),
        (5, 2, (31, 50, 40), 4, 0.002),
    ],
)
def test_networks_of_odd_sizes_are_onnx_runtime_s(
    random: Random, isa: str, kernel: int, stride: int, channels: tuple[int, int, int], heads: int, part: float
) -> None:
    """Within a part of what the answers about three crops lie apart; the fewer channels, the coarser the sums."""
    model = small(random, kernel, stride, channels, heads)
    crops = random.integers(0, 256, (3, 28, 28, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    crops[1] //= 4
    crops[1, :9] = 255
    crops[2, :, :100] = 0
    ours, theirs = NativeNetwork(Extension(isa), read_layers(model))(crops)[0], Session(model, 1)(crops)[0]
    spread = np.ptp(theirs, axis=0)
    assert theirs.shape == (3, heads) and spread.min() > 0.03
    assert (abs(ours - theirs) <= part * spread).all()


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("weights", [even, negative])
def test_sums_as_large_as_they_can_get_stay_within_their_bits(random: Random, isa: str, weights: Weights) -> None:
    """White and black on weights that are all the same: every product of every sum is the largest there is."""
    model = small(random, 3, 1, (16, 500, 16), 1, weights)
    crops = np.stack([np.full((224, 224, 3), 255, np.uint8), np.zeros((224, 224, 3), np.uint8)])
    ours, theirs = NativeNetwork(Extension(isa), read_layers(model))(crops)[0], Session(model, 1)(crops)[0]
    assert abs(theirs[0] - theirs[1]) > 0.3
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.03)


def test_numbers_beyond_the_range_of_exponentials_are_bent_as_onnx_runtime_bends_them(random: Random) -> None:
    model = small(random, 3, 2, (16, 16, 16), 1)
    weights = initializers(model)["stem.w"].tobytes()
    huge = (initializers(model)["stem.w"] * 1000).tobytes()
    model = changed(model, weights, huge)
    crops = random.integers(0, 256, (2, 224, 224, 3), np.uint8)
    for isa in instruction_sets():
        ours, theirs = NativeNetwork(Extension(isa), read_layers(model))(crops)[0], Session(model, 1)(crops)[0]
        assert np.isfinite(ours).all()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-3)


def test_layers_that_do_not_fit_each_other_are_refused(read: PoseLayers) -> None:
    first, second, *_ = read.blocks
    short = first.expand._replace(bias=first.expand.bias[1:])
    spoilt = first.expand._replace(weight=np.full_like(first.expand.weight, np.nan))
    for changes in (
        {"blocks": []},
        {"blocks": read.blocks[1:]},
        {"blocks": read.blocks[:-1]},
        {"blocks": [first, first]},
        {"blocks": [first._replace(expand=short)]},
        {"blocks": [first._replace(kernel=5), *read.blocks[1:]]},
        {"blocks": [first._replace(kernel=4), *read.blocks[1:]]},
        {"blocks": [first._replace(stride=3), *read.blocks[1:]]},
        {"blocks": [first._replace(skip=True), *read.blocks[1:]]},
        {"blocks": [first._replace(depthwise=second.depthwise), *read.blocks[1:]]},
        {"blocks": [first, second._replace(excite=first.excite), *read.blocks[2:]]},
        {"features": read.logits},
        {"heads": read.heads[1:]},
        {"heads": [[], *read.heads]},
        {"blocks": [first._replace(expand=spoilt), *read.blocks[1:]]},
    ):
        with pytest.raises(OtherGraphError):
            NativeNetwork(Extension("portable"), replace(read, **changes))


@pytest.mark.slow
def test_verdicts_about_the_faces_of_wider_val_are_onnx_runtime_s(
    network: NativeNetwork, onnx: Session, shared: Path
) -> None:
    files = sorted((shared / "data/wider_val_dev/images").rglob("*.jpg"))
    crops = np.concatenate([faces_of(file, (0.05,)) for file in files])
    assert len(crops) > 600
    theirs = np.concatenate([onnx(crops[i : i + 2])[0] for i in range(0, len(crops), 2)])
    ours = network(crops)[0]
    assert_close(ours, theirs)
    same = (abs(ours) <= GATE).all(axis=1) == (abs(theirs) <= GATE).all(axis=1)
    assert same.mean() >= 0.999
