"""What made a dataset, and whether a new build would make it in the same way."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal, Self

import pyarrow as pa
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    model_serializer,
    model_validator,
)

from facesieve.dataset.disk.outputs import CUTS, Outputs
from facesieve.dataset.tables.schema import LATER, TRACK_RELATIONS, column_names, face_schema, picture_schema
from facesieve.records import FORMER_REASONS
from facesieve.settings import FORMER_BEHAVIOUR
from facesieve.version import __version__

PACKAGES = (
    *("numpy", "opencv-python-headless", "opencv-python", "onnxruntime", "onnxruntime-gpu"),
    *("pillow", "pillow-heif", "simplejpeg", "isal", "pyarrow"),
)
SHAPING = ("settings", "policy", "models", "measures", "options", "clips")

# The compiled extension does the same arithmetic in the same order on both, so the results are equal to the last bit.
_SAME_AS = {("native", "avx512"): "avx2"}

Scalar = str | bool | int | float | None


def _check_measures(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names) or set(names) & column_names():
        raise ValueError("these names cannot be measures")
    return names


def _with_current_reason(rule: dict[str, Scalar]) -> dict[str, Scalar]:
    """A rule with the present code of its reason."""
    reason = rule.get("reason")
    return rule | {"reason": FORMER_REASONS.get(reason, reason)} if isinstance(reason, str) else rule


def _check_crops(names: tuple[str, ...]) -> tuple[str, ...]:
    if not set(names) <= set(CUTS):
        raise ValueError("these crops do not exist")
    return names


class Recorded(BaseModel):
    """Values that are stored in a JSON file, with exactly these fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return self.model_dump(mode="json")


class RecordedPolicy(Recorded):
    """A policy, with the fields of `Policy.describe`."""

    name: str
    sentence: str
    rules: tuple[Annotated[dict[str, Scalar], AfterValidator(_with_current_reason)], ...]


_OF_TARS = ("crops_as", "tar_bytes")


class Options(Recorded):
    """The options of a build besides its settings and policy.

    crops_as: one file per crop, or tar files (shards) of about `tar_bytes`.
    """

    keep_rejected: StrictBool
    crops: Annotated[tuple[str, ...], AfterValidator(_check_crops)]
    marked: StrictBool
    marked_video: StrictBool = False
    label_from: str
    crops_as: Literal["files", "shards"] = "files"
    tar_bytes: Annotated[int, Field(ge=1, strict=True)] | None = None

    @property
    def outputs(self) -> Outputs:
        """Which files the build writes besides the kept crops."""
        return Outputs(self.keep_rejected, self.crops, self.marked, self.marked_video, self.tar_bytes)

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields as JSON values. A dataset with one file per crop does not mention tar files."""
        left_out = {*(() if self.crops_as == "shards" else _OF_TARS), *(() if self.marked_video else ("marked_video",))}
        return {name: value for name, value in serialize(self).items() if name not in left_out}

    @model_validator(mode="after")
    def _check_tars(self) -> Self:
        if (self.crops_as == "shards") != (self.tar_bytes is not None):
            raise ValueError("crops_as and tar_bytes contradict each other")
        return self


class InferenceEngine(Recorded):
    """The inference engine that ran one network.

    engine: `native`, `onnxruntime` or, in a dataset of an earlier version, `unknown`.
    instruction_set: that of the processor, such as `avx2`, or `cuda`.
    """

    network: str
    engine: str
    instruction_set: str

    def equal_results_key(self) -> tuple[str, str, str]:
        """A key that two inference engines share if their results are equal to the last bit."""
        return self.network, self.engine, _SAME_AS.get((self.engine, self.instruction_set), self.instruction_set)

    def line(self) -> str:
        """Network, engine and instruction set, separated by spaces."""
        return f"{self.network} {self.engine} {self.instruction_set}"


class IdentityModel(Recorded):
    """The model that computed the embeddings of a dataset. model: its name. sha256: of its converted file."""

    model: str
    sha256: str


class ClipOptions(Recorded):
    """How the clips of a dataset were read and their faces ranked: settings of the same names."""

    clip_every: float
    clip_frames: str | int
    clip_from: float
    clip_to: float
    animated: str
    shot_gap: float


class Origin(Recorded):
    """What made a dataset.

    versions: of FaceSieve and of the packages that can change its numbers; every version that worked on the dataset.
    engines: the inference engine of each network; several if the dataset was continued on another machine.
    settings: those that can change a dataset. limits: the limits on one picture. models: sha256 of each model file, by
    model and part. measures: the names of the measure columns, in order.
    identity: the model of the embeddings; None if there are none. clips: how clips were read; None if there are none.
    """

    versions: dict[str, tuple[str, ...]]
    engines: tuple[InferenceEngine, ...]
    settings: dict[str, Scalar | tuple[Scalar, ...]]
    policy: RecordedPolicy
    models: dict[str, str]
    measures: Annotated[tuple[str, ...], AfterValidator(_check_measures)]
    options: Options
    limits: dict[str, Scalar] = Field(description="They may change from build to build.")
    identity: IdentityModel | None = None
    clips: ClipOptions | None = None

    def with_clips(self, clips: ClipOptions) -> Origin:
        """The same origin, of a dataset that has clips and the measures of tracks."""
        measures = tuple(dict.fromkeys((*self.measures, *TRACK_RELATIONS)))
        return self.model_copy(update={"clips": clips, "measures": measures})

    def without_clips(self) -> Origin:
        """The same origin, of a dataset that has no clips."""
        measures = tuple(name for name in self.measures if name not in TRACK_RELATIONS)
        return self.model_copy(update={"clips": None, "measures": measures})

    @property
    def shot_gap(self) -> float:
        """Seconds between two best shots of a track; 0 without clips."""
        return self.clips.shot_gap if self.clips else 0.0

    @property
    def embedded_with(self) -> str:
        """Sha256 of the model of the embeddings; "" if there are none."""
        return self.identity.sha256 if self.identity else ""

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON values. `identity` is left out without embeddings, `clips` without clips."""
        return self.model_dump(mode="json", exclude={name for name in ("identity", "clips") if not getattr(self, name)})

    @property
    def face_schema(self) -> pa.Schema:
        """The columns of `faces.parquet`."""
        return face_schema(self.measures, self.options.outputs.in_tars, self.clips is not None)

    @property
    def picture_schema(self) -> pa.Schema:
        """The columns of `pictures.parquet`."""
        return picture_schema(self.clips is not None)

    def joined(self, before: Origin) -> Origin:
        """This origin, with the versions and inference engines that worked on the dataset before."""
        names = sorted({*before.versions, *self.versions})
        versions = {
            name: tuple(sorted({*before.versions.get(name, ()), *self.versions.get(name, ())})) for name in names
        }
        engines = tuple(sorted({*before.engines, *self.engines}, key=InferenceEngine.line))
        return self.model_copy(update={"versions": versions, "engines": engines})


def versions() -> dict[str, str]:
    """The versions of FaceSieve and of the packages that can change its numbers."""
    found = {"facesieve": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def difference(recorded: Origin, new: Origin) -> list[str]:
    """What differs between two origins and can change a dataset, one line each: `settings.min_face_size: 20 -> 40`."""
    # Measures that did not exist when the dataset was made. They are null in its rows.
    measures = tuple(name for name in new.measures if name in recorded.measures or name not in LATER)
    new = new.model_copy(update={"measures": measures, "clips": recorded.clips and new.clips})
    before, after = (_flat({name: one.as_json().get(name) for name in SHAPING}) for one in (recorded, new))
    before, after = ({"options.crops_as": "files"} | one for one in (before, after))
    # Settings that did not exist when the dataset was made.
    before = {f"settings.{name}": value for name, value in FORMER_BEHAVIOUR.items()} | before
    if before["options.crops_as"] != after["options.crops_as"]:  # the size of tar files follows from it
        before, after = ({k: v for k, v in one.items() if k != "options.tar_bytes"} for one in (before, after))
    names = [*before, *(name for name in after if name not in before)]
    lines = [
        f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    ]
    if not lines and recorded.policy.rules != new.policy.rules:
        lines.append("policy.rules: the same rules in another order")
    return lines


def other_engines(recorded: Iterable[InferenceEngine], new: Iterable[InferenceEngine]) -> list[str]:
    """New inference engines whose results differ from recorded ones, one line each: `mtcnn: native avx2 -> ...`."""
    recorded = list(recorded)
    known = {engine.equal_results_key() for engine in recorded}
    return [
        f"{engine.network}: {_used_for(engine.network, recorded)} -> {engine.engine} {engine.instruction_set}"
        for engine in new
        if engine.equal_results_key() not in known
    ]


def _used_for(network: str, recorded: Iterable[InferenceEngine]) -> str:
    used = [f"{engine.engine} {engine.instruction_set}" for engine in recorded if engine.network == network]
    return ", ".join(used) or "absent"


def _flat(values: Any, name: str = "") -> dict[str, Any]:
    """Nested values by dotted name. Rules are named by their measure, because a policy has one rule per measure."""
    match values:
        case dict():
            pairs = list(values.items())
        case [{}, *_]:
            pairs = [(rule.get("measure"), rule) for rule in values]
        case _:
            return {name: values}
    nested = (_flat(part, f"{name}.{key}" if name else f"{key}") for key, part in pairs)
    return {leaf: value for leaves in nested for leaf, value in leaves.items()}
