"""Pixels to faces: boxes, confidence and five landmarks."""

from __future__ import annotations

from facesieve.detect.mtcnn import Mtcnn
from facesieve.detect.native import NativeNetworks
from facesieve.detect.networks import Networks, OnnxNetworks
from facesieve.detect.turns import Turns
from facesieve.detect.upside_down import UpsideDown
from facesieve.models.onnx_file import initializers
from facesieve.models.store import Store
from facesieve.native import load_extension
from facesieve.settings import Settings

__all__ = ["Mtcnn", "Turns", "UpsideDown", "load_detector"]

ON_CUDA = {"strip_pixels": 2**22, "batch": 512}  # a GPU wants much at once; every photo's crops are one batch


def load_detector(settings: Settings, store: Store) -> Mtcnn:
    """MTCNN as the settings want it. Raises ModelError when its weights are absent or not what they should be."""
    return Mtcnn(
        load_networks(settings, store), settings.min_face_size, settings.scale_factor, settings.steps_threshold
    )


def load_networks(settings: Settings, store: Store) -> Networks:
    """P-Net, R-Net and O-Net from the catalog's verified files, on the engine that the settings want.

    Raises SettingsError: what `load_extension` raises, and `no_cuda` when a GPU is asked for and cannot be used.
    """
    files = store.load("mtcnn")
    parts = [files[name] for name in ("pnet", "rnet", "onet")]
    if settings.device == "cuda":
        return _onnx(parts, settings, **ON_CUDA)
    extension = load_extension(settings)
    if extension is None:
        return _onnx(parts, settings)
    return NativeNetworks(extension, *map(initializers, parts))


def _onnx(parts: list[bytes], settings: Settings, **at_once: int) -> Networks:
    from facesieve.models.session import Session  # ONNX Runtime takes a while to import

    pnet, rnet, onet = (Session(part, settings.threads, settings.device) for part in parts)
    return OnnxNetworks(pnet, rnet, onet, **at_once)
