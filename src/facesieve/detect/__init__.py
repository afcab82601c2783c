"""Finds faces in pictures: boxes, confidence and five landmarks."""

from __future__ import annotations

from facesieve.detect.mtcnn import Mtcnn
from facesieve.detect.native import NativeNetworks
from facesieve.detect.networks import Networks, OnnxNetworks
from facesieve.detect.rotations import RotationSearch
from facesieve.detect.upside_down import UpsideDownCheck
from facesieve.models.onnx_reader import initializers
from facesieve.models.store import Store
from facesieve.native import load_extension
from facesieve.settings import Settings

__all__ = ["Mtcnn", "RotationSearch", "UpsideDownCheck", "load_detector"]

ON_CUDA = {"strip_pixels": 2**22, "batch": 512}  # a GPU is fast only with large batches


def load_detector(settings: Settings, store: Store) -> Mtcnn:
    """MTCNN with the thresholds and the engine of the settings. Raises what `load_networks` raises."""
    return Mtcnn(
        load_networks(settings, store), settings.min_face_size, settings.scale_factor, settings.steps_threshold
    )


def load_networks(settings: Settings, store: Store) -> Networks:
    """P-Net, R-Net and O-Net from the verified files of the store, on the engine of the settings.

    Raises what `Store.load` and `load_extension` raise, and SettingsError `no_cuda` when the settings ask for a GPU
    that cannot be used.
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
