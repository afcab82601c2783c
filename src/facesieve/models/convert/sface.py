"""SFace (Zhong et al., 2021, https://arxiv.org/abs/2205.12010) as OpenCV publishes it: an ONNX file already."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facesieve.errors import ModelError
from facesieve.models.onnx_reader import initializers
from facesieve.records import EMBEDDING_SIZE, TEMPLATE_SIZE


def convert(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Check the published file, and keep it as the ONNX model `sface`.

    It maps planes (1, 3, 112, 112) float32, RGB from 0 to 255, to embeddings (1, 128) float32.
    Raises ModelError `model_unreadable` when the file is another network.
    """
    [data] = sources.values()
    initializers(data)
    from facesieve.models.session import Session  # ONNX Runtime takes a while to import

    try:
        numbers = Session(data, 1)(np.zeros((1, 3, TEMPLATE_SIZE, TEMPLATE_SIZE), np.float32))
    except Exception as error:  # ONNX Runtime raises classes of its own, which derive from Exception
        raise _not_this_network() from error
    if [one.shape for one in numbers] != [(1, EMBEDDING_SIZE)]:
        raise _not_this_network()
    return {"sface": data}


def _not_this_network() -> ModelError:
    return ModelError("model_unreadable", "This is not OpenCV's file of the network SFace.")
