"""facenet-pytorch with its defaults, except that it keeps all faces."""

import torch
from answer import answer
from facenet_pytorch import MTCNN

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
detector = MTCNN(keep_all=True, min_face_size=20, thresholds=[0.6, 0.7, 0.7], factor=0.709, device="cpu")


def faces(pixels):
    boxes, _, _ = detector.detect(pixels, landmarks=True)
    return 0 if boxes is None else len(boxes)


answer(faces)
