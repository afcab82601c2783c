"""Which engine runs each network, and with which instructions of the processor: part of what made a dataset."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import cv2

from facesieve.dataset.origin import Engine
from facesieve.errors import SettingsError
from facesieve.models.catalog import catalog
from facesieve.settings import Settings

_AVX2, _FMA3, _AVX512_SKX = 11, 12, 256  # OpenCV's numbers of processor features


def resolved(settings: Settings) -> Settings:
    """The settings with `native` or `onnxruntime` in the place of `auto`, so that all processes of a build agree.

    Raises SettingsError `no_native` when the extension is asked for and was not built.
    """
    if settings.device != "cpu" or settings.engine == "onnxruntime":
        engine = "onnxruntime"
    elif native_instruction_set() is not None:
        engine = "native"
    elif settings.engine == "native":
        raise SettingsError("no_native", "Setting 'engine': this installation has no compiled extension.")
    else:
        engine = "onnxruntime"
    return settings.model_copy(update={"engine": engine})


def engines_of(settings: Settings) -> tuple[Engine, ...]:
    """What runs each network under resolved settings, by the networks' names."""
    return tuple(sorted(_engines(settings), key=Engine.line))


def _engines(settings: Settings) -> Iterator[Engine]:
    for network in ("mtcnn", settings.pose):
        if network in catalog():
            # Only these two have compiled kernels.
            native = settings.engine == "native" and network in ("mtcnn", "whenet")
            instructions = native_instruction_set() if native else _instruction_set(settings)
            assert instructions
            yield Engine(network=network, engine="native" if native else "onnxruntime", instruction_set=instructions)


def native_instruction_set() -> str | None:
    """What the compiled extension uses here; None where it was not built.

    Raises SettingsError `no_native` when FACESIEVE_ISA names an instruction set that it does not have here.
    """
    try:
        from facesieve import _native
    except ImportError:
        return None
    try:
        return _native.isa()
    except ValueError as error:
        raise SettingsError("no_native", f"FACESIEVE_ISA: {error}.") from error


def _instruction_set(settings: Settings) -> str:
    """What ONNX Runtime finds here. It chooses its kernels by the processor, and does not tell which."""
    if settings.device == "cuda":
        return "cuda"
    if cv2.checkHardwareSupport(_AVX512_SKX):
        return "avx512"
    if cv2.checkHardwareSupport(_AVX2) and cv2.checkHardwareSupport(_FMA3):
        return "avx2"
    return platform.machine().lower() or "unknown"
