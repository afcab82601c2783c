"""Embeddings of crops: their values, what they do not depend on, and what has none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facesieve import Pipeline, Settings, SettingsError
from facesieve.errors import ModelError
from facesieve.identity.embedder import Embedder
from facesieve.models.catalog import entry
from facesieve.models.onnx_writer import Graph
from facesieve.models.session import Session
from facesieve.models.store import Store
from facesieve.records import Pixels

DLIB = Settings(identity="dlib-resnet")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(DLIB, Store(DLIB))


@pytest.fixture(scope="module")
def crops(astronaut: Path, hopper: Path) -> Pixels:
    """The crops of two people."""
    records = Pipeline(Settings(pose="none")).process([astronaut, hopper])
    return np.stack([record.faces[0].crop for record in records])


def many(crops: Pixels, count: int) -> Pixels:
    """Different crops, made from two."""
    seed = np.random.default_rng(3)
    changed = [crops[row % 2].astype(int) + seed.integers(-30, 30, (112, 112, 3)) for row in range(count)]
    return np.stack(changed).clip(0, 255).astype(np.uint8)


def sface_like(factor: float = 1.0) -> bytes:
    """A made-up network with the input and the output of SFace: averages of small squares, times a factor."""
    graph = Graph("made up")
    planes = graph.input("data", np.float32, (1, 3, 112, 112))
    cells = graph.node("AveragePool", [planes], "cells", kernel_shape=[16, 16], strides=[16, 16])
    flat = graph.node("Flatten", [cells], "flat")
    weight = graph.weight("weight", np.random.default_rng(0).normal(size=(147, 128)) * factor)
    graph.node("MatMul", [flat, weight], "fc1")
    graph.output("fc1", (1, 128))
    return graph.tobytes()


def sface(tmp_path: Path, factor: float = 1.0) -> Embedder:
    settings = Settings(identity="sface", cache_dir=tmp_path / "cache")
    store = Store(settings)
    (tmp_path / "made-up.onnx").write_bytes(sface_like(factor))
    store.add("sface", [tmp_path / "made-up.onnx"], unverified=True)
    return Embedder(settings, store)


def test_an_embedding_is_the_networks_answer_for_the_warped_crop(embedder: Embedder, crops: Pixels) -> None:
    found = embedder(crops)
    assert found.vectors.shape == (2, 128) and found.vectors.dtype == np.float16 and found.missing == ("", "")
    meaning = entry("dlib-resnet").embedding
    assert meaning and meaning.distance == "euclidean" and not meaning.normalised
    matrix = np.array([[meaning.scale, 0, meaning.shift[0]], [0, meaning.scale, meaning.shift[1]]])
    how = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REFLECT}
    chips = np.stack([cv2.warpAffine(crop, matrix, (150, 150), **how) for crop in crops])
    [answer] = Session(Store(DLIB).load("dlib-resnet")["dlib-resnet"], 1)(chips)
    assert np.linalg.norm(found.vectors.astype(float) - answer, axis=1).max() < 0.02


def test_two_people_are_far_apart_and_a_changed_photo_of_one_is_near(embedder: Embedder, crops: Pixels) -> None:
    darker = (crops * 0.7).astype(np.uint8)
    vectors = embedder(np.concatenate([crops, darker, crops[:, :, ::-1]])).vectors.astype(float)
    apart = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    assert apart[0, 1] == pytest.approx(0.705, abs=0.02)
    assert max(apart[0, 2], apart[1, 3], apart[0, 4], apart[1, 5]) < 0.45


@pytest.mark.parametrize("threads", [1, 2])
def test_the_numbers_do_not_depend_on_the_batch_the_order_or_the_neighbours(crops: Pixels, threads: int) -> None:
    settings = Settings(identity="dlib-resnet", threads=threads)
    embedder, faces = Embedder(settings, Store(settings)), many(crops, 19)
    alone = np.concatenate([embedder(faces[row : row + 1]).vectors for row in range(19)])
    for size in (2, 3, 7, 8, 9, 19):
        parts = [embedder(faces[start : start + size]).vectors for start in range(0, 19, size)]
        assert np.array_equal(np.concatenate(parts).view(np.uint16), alone.view(np.uint16)), size
    order = np.random.default_rng(0).permutation(19)
    assert np.array_equal(embedder(faces[order]).vectors, alone[order])


def test_a_crop_of_one_colour_has_none_and_a_reason_and_changes_no_other(embedder: Embedder, crops: Pixels) -> None:
    faces = np.concatenate([np.zeros((1, 112, 112, 3), np.uint8), crops, np.full((1, 112, 112, 3), 9, np.uint8)])
    found = embedder(faces)
    assert found.missing == ("blank_crop", "", "", "blank_crop")
    assert not found.vectors[[0, 3]].any() and np.array_equal(found.vectors[1:3], embedder(crops).vectors)
    black = embedder(np.zeros((3, 112, 112, 3), np.uint8))
    assert black.missing == ("blank_crop",) * 3 and np.isfinite(black.vectors).all()


def test_no_crop_gives_no_embedding(embedder: Embedder, crops: Pixels) -> None:
    assert len(embedder(crops[:0])) == 0


def test_larger_crops_are_reduced_to_the_template(embedder: Embedder, crops: Pixels) -> None:
    large = np.stack([cv2.resize(crop, (224, 224), interpolation=cv2.INTER_CUBIC) for crop in crops])
    apart = np.linalg.norm((embedder(large).vectors - embedder(crops).vectors).astype(float), axis=1)
    assert apart.max() < 0.15


@pytest.mark.parametrize("other", [{"alignment": "affine"}, {"alignment": "perspective"}, {"crop_size": 96}])
def test_settings_that_make_other_crops_are_refused(other: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="Setting 'identity': embeddings need"):
        Pipeline(Settings(identity="dlib-resnet", **other))


def test_sface_is_normalised_and_takes_any_number_of_crops(crops: Pixels, tmp_path: Path) -> None:
    found = sface(tmp_path)(many(crops, 3))
    assert found.missing == ("", "", "")
    assert np.linalg.norm(found.vectors.astype(float), axis=1) == pytest.approx([1, 1, 1], abs=1e-3)
    planes = many(crops, 1).transpose(0, 3, 1, 2).astype(np.float32)
    [answer] = Session(sface_like(), 1)(planes)
    assert np.abs(found.vectors[0] - answer[0] / np.linalg.norm(answer[0])).max() < 1e-3


@pytest.mark.parametrize("factor", [0.0, np.inf])
def test_an_answer_without_finite_numbers_is_no_embedding(crops: Pixels, factor: float, tmp_path: Path) -> None:
    found = sface(tmp_path, factor)(crops)
    assert found.missing == ("not_finite", "not_finite") and not found.vectors.any()


@pytest.mark.parametrize("data", [b"", b"nothing"])
def test_a_file_that_is_not_sface_is_refused(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file.onnx"
    file.write_bytes(data)
    store = Store(Settings(cache_dir=tmp_path / "cache"))
    with pytest.raises(ModelError) as error:
        store.add("sface", [file])
    assert error.value.code == "wrong_file"
    with pytest.raises(ModelError) as error:
        store.add("sface", [file], unverified=True)
    assert error.value.code == "model_unreadable"


def test_another_network_is_not_taken_for_sface(tmp_path: Path) -> None:
    file = Store(DLIB).files("dlib-resnet")["dlib-resnet"]
    with pytest.raises(ModelError, match="not OpenCV's file of the network SFace"):
        Store(Settings(cache_dir=tmp_path)).add("sface", [file], unverified=True)


def test_a_pipeline_embeds_kept_faces_and_on_request_all(hopper: Path) -> None:
    seed = Path(hopper)
    settings = Settings(identity="dlib-resnet", pose="none")
    from facesieve import Policy

    nobody = Policy.preset("lenient").adjusted(["min_blur=1e9"])
    [plain] = Pipeline(Settings(pose="none"), nobody).process([seed])[0].faces
    [rejected] = Pipeline(settings, nobody).process([seed])[0].faces
    [embedded] = Pipeline(settings, nobody, embed_rejected=True).process([seed])[0].faces
    assert plain.embedding is None and plain.no_embedding == ""
    assert rejected.embedding is None and not rejected.verdict.kept
    assert embedded.embedding is not None and embedded.embedding.shape == (128,)
    assert np.array_equal(embedded.crop, plain.crop)
