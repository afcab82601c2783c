"""Pixels to faces: boxes, confidence and five landmarks."""

from __future__ import annotations

from facesieve.detect.mtcnn import Mtcnn
from facesieve.detect.networks import Networks, OnnxNetworks
from facesieve.detect.turns import Turns
from facesieve.detect.upside_down import UpsideDown
from facesieve.errors import SettingsError
from facesieve.models.onnx_file import initializers
from facesieve.models.store import Store
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

    Raises SettingsError: `no_native` when the compiled extension is asked for and was not built, or does not have the
    instruction set that FACESIEVE_ISA names; `no_cuda` when a GPU is asked for and cannot be used.
    """
    files = store.load("mtcnn")
    parts = [files[name] for name in ("pnet", "rnet", "onet")]
    if settings.device == "cuda":
        return _onnx(parts, settings, **ON_CUDA)
    native = None if settings.engine == "onnxruntime" else _native(parts)
    if native is None and settings.engine == "native":
        raise SettingsError("no_native", "Setting 'engine': this installation has no compiled extension.")
    return native or _onnx(parts, settings)


def _onnx(parts: list[bytes], settings: Settings, **at_once: int) -> Networks:
    from facesieve.models.session import Session  # ONNX Runtime takes a while to import

    pnet, rnet, onet = (Session(part, settings.threads, settings.device) for part in parts)
    return OnnxNetworks(pnet, rnet, onet, **at_once)


def _native(parts: list[bytes]) -> Networks | None:
    """The compiled extension, or nothing where there was no compiler for it."""
    try:
        from facesieve.detect.native import NativeNetworks
    except ImportError:
        return None
    try:
        pnet, rnet, onet = map(initializers, parts)
        return NativeNetworks(pnet, rnet, onet)
    except ValueError as error:
        raise SettingsError("no_native", f"FACESIEVE_ISA: {error}.") from error
