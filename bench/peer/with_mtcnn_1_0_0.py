"""mtcnn 1.0.0, with O-Net threshold 0.7 like the others; its default is 0.8."""

import tensorflow as tf
from answer import answer
from mtcnn import MTCNN

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
detector = MTCNN()
answer(lambda pixels: len(detector.detect_faces(pixels, threshold_onet=0.7)))
