"""ONNX Runtime sessions, set up to share a machine politely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

Outputs = Sequence[npt.NDArray[np.float32]]


class Session:
    """A network on the CPU: one input array in, all outputs out, in the order of the graph.

    model: the bytes of an ONNX file, already verified. threads: how many one call may use.
    """

    def __init__(self, model: bytes, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Plans are kept for every shape ever seen, and a pyramid has many: 100 shapes through P-Net peak at 197 MB
        # without plans, at 395 MB with plans and no arena to take them from.
        options.enable_mem_pattern = False
        # Idle threads sleep: other processes want the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._session._model_bytes = None  # the file once more, kept for falling back to other providers
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: npt.NDArray[np.generic]) -> Outputs:
        outputs: Outputs = self._session.run(None, {self._input: batch})
        return outputs
