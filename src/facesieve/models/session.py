"""ONNX Runtime sessions, set up to share a machine politely."""

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

# ONNX Runtime 1.32 sends reports of its use to its maker, unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# TF32 rounds to 10 bits: scores would differ from the processor's in the third digit. A pyramid has many shapes, and an
# exhaustive search of cuDNN's algorithms would be made for each.
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


class Session:
    """A network: one input array in, all outputs out, in the order of the graph.

    model: the bytes of an ONNX file, already verified. threads: how many one call may use. device: where it runs.
    Raises SettingsError `no_cuda` when the device is asked for and ONNX Runtime cannot use one here.
    """

    def __init__(self, model: bytes, threads: int, device: Device = "cpu") -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Plans are kept for every shape ever seen, and a pyramid has many: 100 shapes through P-Net peak at 197 MB
        # without plans, at 395 MB with plans and no arena to take them from.
        options.enable_mem_pattern = False
        # Idle threads sleep: other processes want the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = _on_cuda(model, options) if device == "cuda" else _started(model, options, [CPU])
        self._session._model_bytes = None  # the file once more, kept for falling back to other providers
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: npt.NDArray[np.generic]) -> Sequence[Floats32]:
        outputs: Sequence[Floats32] = self._session.run(None, {self._input: batch})
        return outputs


def _on_cuda(model: bytes, options: ort.SessionOptions) -> ort.InferenceSession:
    """Asked for what it has not got, ONNX Runtime logs it and takes the processor: that is made an error here."""
    if CUDA not in ort.get_available_providers():
        raise SettingsError("no_cuda", "Setting 'device': the installed ONNX Runtime is not the GPU package.")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it misses, where our answers go
        ort.preload_dlls()
    session = _started(model, options, [(CUDA, CUDA_OPTIONS), CPU])
    if CUDA not in session.get_providers():
        raise SettingsError("no_cuda", "Setting 'device': ONNX Runtime finds no usable GPU, CUDA or cuDNN here.")
    session.disable_fallback()
    return session


def _started(model: bytes, options: ort.SessionOptions, providers: list[Any]) -> ort.InferenceSession:
    return ort.InferenceSession(model, options, providers=providers)
