"""Converts published weights to ONNX, one file for each model. Equal inputs yield equal bytes on every machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from facesieve.models.convert import dlib_resnet, hopenet, mtcnn, sface, whenet

Converter = Callable[[Mapping[str, bytes]], dict[str, bytes]]
CONVERTERS: Mapping[str, Converter] = {
    "mtcnn": mtcnn.convert,
    "whenet": whenet.convert,
    "hopenet": hopenet.convert,
    "dlib-resnet": dlib_resnet.convert,
    "sface": sface.convert,
}
