"""ONNX Runtime sessions that use few cores and little memory, because several processes run at a time."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from facesieve.errors import SettingsError
from facesieve.records import Floats32
from facesieve.settings import Device

# ONNX Runtime 1.32 sends telemetry unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# TF32 rounds to 10 bits, so scores would differ from those of a CPU in the third digit. An exhaustive search of cuDNN's
# algorithms would run for each of the many shapes of a pyramid.
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


class Session:
    """Runs a network with one input: maps its array to all outputs, in the order of the graph.

    model: the bytes of a verified ONNX file. threads: how many one call may use. device: where the network runs.
    Raises SettingsError `no_cuda` when ONNX Runtime cannot use a GPU although the device is `cuda`.
    """

    def __init__(self, model: bytes, threads: int, device: Device = "cpu") -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # ONNX Runtime would keep a memory plan for every shape, and a pyramid has many. With 100 shapes, P-Net needs at
        # most 197 MB without plans, and 395 MB with plans and without an arena.
        options.enable_mem_pattern = False
        # Idle threads sleep, so that other processes can use the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = _on_cuda(model, options) if device == "cuda" else _started(model, options, [CPU])
        self._session._model_bytes = None  # a copy of the file, which is kept only to change providers later
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: npt.NDArray[np.generic]) -> Sequence[Floats32]:
        outputs: Sequence[Floats32] = self._session.run(None, {self._input: batch})
        return outputs


def _on_cuda(model: bytes, options: ort.SessionOptions) -> ort.InferenceSession:
    """Raises SettingsError where ONNX Runtime would only log that it has no GPU, and use the CPU."""
    if CUDA not in ort.get_available_providers():
        raise SettingsError("no_cuda", "Setting 'device': the installed ONNX Runtime is not the GPU package.")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints missing libraries to stdout, where our results go
        ort.preload_dlls()
    session = _started(model, options, [(CUDA, CUDA_OPTIONS), CPU])
    if CUDA not in session.get_providers():
        raise SettingsError("no_cuda", "Setting 'device': ONNX Runtime finds no usable GPU, CUDA or cuDNN here.")
    session.disable_fallback()
    return session


def _started(model: bytes, options: ort.SessionOptions, providers: list[Any]) -> ort.InferenceSession:
    return ort.InferenceSession(model, options, providers=providers)
