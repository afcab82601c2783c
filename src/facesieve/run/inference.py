"""Which models and inference engines the settings use, with which instruction set. A dataset records all of it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2

from facesieve.dataset.origin import IdentityModel, InferenceEngine
from facesieve.models.catalog import catalog, needed
from facesieve.native import load_extension
from facesieve.settings import Settings

if TYPE_CHECKING:
    from facesieve.models.store import Store

_AVX2, _FMA3, _AVX512_SKX = 11, 12, 256  # the numbers by which OpenCV names processor features


def resolved(settings: Settings) -> Settings:
    """The settings with `auto` replaced in `engine` and `isa`, so that all processes of a build use the same.

    Raises SettingsError as `load_extension` does, when the extension cannot be used.
    """
    extension = load_extension(settings) if settings.device == "cpu" else None
    if extension is None:
        return settings.model_copy(update={"engine": "onnxruntime"})
    return settings.model_copy(update={"engine": "native", "isa": extension.isa})


def engines_of(settings: Settings) -> tuple[InferenceEngine, ...]:
    """The inference engine of each network, sorted by network. settings: resolved."""
    return tuple(sorted(_engines(settings), key=InferenceEngine.line))


def _engines(settings: Settings) -> Iterator[InferenceEngine]:
    for network in ("mtcnn", settings.pose, settings.identity):
        if network in catalog():
            # Only these have compiled kernels.
            native = settings.engine == "native" and network in ("mtcnn", "sievepose")
            instructions = settings.isa if native else _instruction_set(settings)
            yield InferenceEngine(
                network=network, engine="native" if native else "onnxruntime", instruction_set=instructions
            )


def loaded_models(settings: Settings, store: Store) -> dict[str, str]:
    """Fetch and verify the models that the settings use. Returns the sha256 of every file, by model and part."""
    used = needed(settings)
    for name in used:
        store.load(name)
    return {f"{name}/{part}": digest for name in used for part, digest in store.digests(name).items()}


def identity_model(settings: Settings, store: Store) -> IdentityModel | None:
    """The model that the settings name for embeddings, which must be in the cache; None for none."""
    name = settings.identity
    return None if name == "none" else IdentityModel(model=name, sha256=store.digests(name)[name])


def _instruction_set(settings: Settings) -> str:
    """The instruction set of ONNX Runtime. It does not report its choice, so this makes the same choice."""
    if settings.device == "cuda":
        return "cuda"
    if cv2.checkHardwareSupport(_AVX512_SKX):
        return "avx512"
    if cv2.checkHardwareSupport(_AVX2) and cv2.checkHardwareSupport(_FMA3):
        return "avx2"
    return platform.machine().lower() or "unknown"
