"""Where networks run: asked for a GPU, ONNX Runtime would quietly take the processor; we do not."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime as ort
import pytest

from facesieve.detect import load_detector
from facesieve.errors import SettingsError
from facesieve.models.session import CUDA, Session
from facesieve.models.store import Store
from facesieve.pose import HeadPose
from facesieve.records import Photo, Source
from facesieve.settings import Settings


@pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="this is ONNX Runtime's GPU package")
def test_a_gpu_without_the_gpu_package_is_an_error_and_not_the_processor() -> None:
    model = Store(Settings.load()).load("mtcnn")["rnet"]
    with pytest.raises(SettingsError, match="GPU package") as caught:
        Session(model, 1, "cuda")
    assert (caught.value.code, caught.value.exit_status) == ("no_cuda", 2)


@pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="this is ONNX Runtime's GPU package")
def test_detector_and_pose_both_run_where_the_settings_say() -> None:
    settings = Settings.load(device="cuda", engine="native")
    for load in (lambda: load_detector(settings, Store(settings)), lambda: HeadPose(settings, Store(settings))):
        with pytest.raises(SettingsError, match="GPU package"):
            load()


def test_a_gpu_gives_the_faces_of_the_processor(astronaut) -> None:
    """Runs where ONNX Runtime's GPU package finds a GPU."""
    gpu, cpu = Settings.load(device="cuda"), Settings.load(engine="onnxruntime")
    try:
        detect = load_detector(gpu, Store(gpu))
    except SettingsError as error:
        pytest.skip(error.message)
    pixels = cv2.cvtColor(cv2.imread(str(astronaut)), cv2.COLOR_BGR2RGB)
    photos = [Photo(Source("drawn"), "", picture, "array") for picture in (pixels, pixels[:, ::-1].copy())]
    there, here = detect(photos), load_detector(cpu, Store(cpu))(photos)
    np.testing.assert_allclose(there.boxes, here.boxes, atol=1)
    np.testing.assert_allclose(there.confidence, here.confidence, atol=1e-3)
    np.testing.assert_allclose(
        HeadPose(gpu, Store(gpu))(photos, there).degrees, HeadPose(cpu, Store(cpu))(photos, here).degrees, atol=0.5
    )
