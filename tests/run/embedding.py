"""Builds with handmade faces and real embeddings of them, for tests."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import IdentityModel, InferenceEngine
from facesieve.identity.embedder import Embedder
from facesieve.models.store import Store
from facesieve.records import Record, Source
from facesieve.run.build_spec import BuildSpec
from facesieve.run.inference import engines_of, resolved
from facesieve.settings import Settings
from handmade import Handmade, build_spec, record_of

DLIB = Settings(identity="dlib-resnet")
MODEL = IdentityModel(model="dlib-resnet", sha256="1b0644b7f203a51269caa22b74348313d904c57c39dc0f2e1522835cd27b1796")


@cache
def embedder() -> Embedder:
    return Embedder(DLIB, Store(DLIB))


class Embedding(Handmade):
    """The handmade pipeline, with real embeddings of the faces whose crops are written."""

    def __init__(self, rejected: bool = False) -> None:
        super().__init__()
        self._embed, self._rejected = embedder(), rejected

    def one(self, source: Source) -> Record:
        record = record_of(source)
        faces = []
        for face in record.faces:
            if face.verdict.kept or self._rejected:
                found = self._embed(face.crop[np.newaxis])
                vector = None if found.missing[0] else found.vectors[0]
                face = dataclasses.replace(face, embedding=vector, no_embedding=found.missing[0])
            faces.append(face)
        return dataclasses.replace(record, faces=tuple(faces))


def spec(outputs: Outputs, model: IdentityModel | None = None, **settings: object) -> BuildSpec:
    """How a build of `Handmade`, or of `Embedding` with a model, makes its dataset."""
    made = build_spec(outputs, shard_size=5, **settings)
    engine = tuple(one for one in engines() if one.network == "dlib-resnet") if model else ()
    return dataclasses.replace(
        made, identity=model, engines=tuple(sorted({*made.engines, *engine}, key=lambda e: e.line()))
    )


def engines() -> tuple[InferenceEngine, ...]:
    return engines_of(resolved(DLIB))
