from __future__ import annotations

import numpy as np
import pytest

from facesieve.errors import ModelError
from facesieve.models.onnx_reader import initializers
from facesieve.models.onnx_writer import Graph
from facesieve.models.session import Session


def graph() -> Graph:
    graph = Graph("example")
    graph.input("x", np.float32, ("N", 3))
    weight = graph.weight("weight", np.arange(6, dtype=np.float64).reshape(2, 3) / 3)
    scaled = graph.node("Gemm", ["x", weight], "scaled", transB=1, alpha=0.5)
    graph.node("Transpose", [scaled], "y", perm=[1, 0])
    graph.output("y", (2, "N"))
    return graph


def test_what_is_written_runs() -> None:
    x = np.array([[1, 2, 3], [-1, 0, 300]], np.float32)
    expected = (0.5 * x @ (np.arange(6).reshape(2, 3) / 3).T).T
    np.testing.assert_allclose(Session(graph().tobytes(), 1)(x)[0], expected, rtol=1e-6)


def test_weights_come_back_by_name_and_float64_is_rounded_once() -> None:
    weights = initializers(graph().tobytes())
    assert list(weights) == ["weight"]
    assert weights["weight"].dtype == np.float32
    assert (weights["weight"] == (np.arange(6).reshape(2, 3) / 3).astype(np.float32)).all()


def test_the_same_graph_is_the_same_bytes() -> None:
    assert graph().tobytes() == graph().tobytes()


def test_the_onnx_package_agrees_with_what_is_written() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(graph().tobytes())
    onnx.checker.check_model(model, full_check=True)
    (weight,) = model.graph.initializer
    assert (onnx.numpy_helper.to_array(weight) == initializers(graph().tobytes())["weight"]).all()
    assert [attribute.name for attribute in model.graph.node[0].attribute] == ["alpha", "transB"]


@pytest.mark.parametrize("values", [[1.5, -2.0], []])
def test_weights_written_by_the_onnx_package_are_read(values: list[float]) -> None:
    onnx = pytest.importorskip("onnx")
    for raw in (True, False):
        data = np.array(values, np.float32).tobytes() if raw else values
        tensor = onnx.helper.make_tensor("weight", 1, [len(values)], data, raw=raw)
        model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], [tensor]))
        assert initializers(model.SerializeToString())["weight"].tolist() == values


@pytest.mark.parametrize("cut", [1, 10, 50])
def test_a_model_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ModelError) as caught:
        initializers(graph().tobytes()[:-cut])
    assert caught.value.code == "model_unreadable"


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ModelError):
        initializers(b"\xff" * 100)
