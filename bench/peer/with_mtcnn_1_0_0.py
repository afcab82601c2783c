"""mtcnn 1.0.0: its O-Net threshold is .8 where all others have .7."""

import tensorflow as tf
from answer import answer
from mtcnn import MTCNN

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
detector = MTCNN()
answer(lambda pixels: len(detector.detect_faces(pixels, threshold_onet=0.7)))
