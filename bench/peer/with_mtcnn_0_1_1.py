"""mtcnn 0.1.1, the library of the reference. Its defaults are the settings of this benchmark."""

import cv2
import tensorflow as tf
from answer import answer
from mtcnn import MTCNN

cv2.setNumThreads(1)
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
detector = MTCNN()
answer(lambda pixels: len(detector.detect_faces(pixels)))
