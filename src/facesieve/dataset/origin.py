"""What made a dataset, and how it differs from what somebody wants to add."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from facesieve.dataset.files import CUTS, Outputs
from facesieve.dataset.schema import column_names
from facesieve.records import FORMER_REASONS
from facesieve.settings import BEFORE_IT_WAS_A_SETTING
from facesieve.version import __version__

PACKAGES = (
    *("numpy", "opencv-python-headless", "opencv-python", "onnxruntime", "onnxruntime-gpu"),
    *("pillow", "pillow-heif", "simplejpeg", "isal", "pyarrow"),
)
SHAPING = ("settings", "policy", "models", "measures", "options")

# The compiled extension does the same arithmetic in the same order with both, so that no bit differs.
_SAME_AS = {("native", "avx512"): "avx2"}

Scalar = str | bool | int | float | None


def _are_measures(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names) or set(names) & column_names():
        raise ValueError("these names cannot be columns of measures")
    return names


def _current(rule: dict[str, Scalar]) -> dict[str, Scalar]:
    """A rule with the present code of its reason."""
    reason = rule.get("reason")
    return rule | {"reason": FORMER_REASONS.get(reason, reason)} if isinstance(reason, str) else rule


def _are_crops(names: tuple[str, ...]) -> tuple[str, ...]:
    if not set(names) <= set(CUTS):
        raise ValueError("there are no such crops")
    return names


class Recorded(BaseModel):
    """Values as a JSON file holds them: nothing more and nothing less than the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def plain(self) -> dict[str, Any]:
        """As values that JSON holds."""
        return self.model_dump(mode="json")


class RecordedPolicy(Recorded):
    """A policy as `Policy.describe` has it."""

    name: str
    sentence: str
    rules: tuple[Annotated[dict[str, Scalar], AfterValidator(_current)], ...]


class Options(Recorded):
    """What the caller of a build chose besides settings and policy."""

    keep_rejected: StrictBool
    crops: Annotated[tuple[str, ...], AfterValidator(_are_crops)]
    marked: StrictBool
    label_from: str

    @property
    def outputs(self) -> Outputs:
        """Which files the dataset has besides its kept crops."""
        return Outputs(self.keep_rejected, self.crops, self.marked)


class Engine(Recorded):
    """What ran one network: `native`, `onnxruntime` or, in datasets of earlier versions, `unknown`.

    instruction_set: of the processor, such as `avx2`, or `cuda`.
    """

    network: str
    engine: str
    instruction_set: str

    def numbers(self) -> tuple[str, str, str]:
        """Equal for engines whose numbers are equal to the last bit."""
        return self.network, self.engine, _SAME_AS.get((self.engine, self.instruction_set), self.instruction_set)

    def line(self) -> str:
        """As one word each: network, engine, instruction set."""
        return f"{self.network} {self.engine} {self.instruction_set}"


class Origin(Recorded):
    """What made a dataset.

    versions: of FaceSieve and of the packages whose arithmetic shapes a dataset, all that ever worked on it.
    engines: what ran each network; several of one network where a dataset was continued elsewhere.
    settings: those that shape a dataset. limits: what decided that a picture is too large. models: sha256 of each file
    by model and part. measures: names of the columns of raw numbers, in order.
    """

    versions: dict[str, tuple[str, ...]]
    engines: tuple[Engine, ...]
    settings: dict[str, Scalar | tuple[Scalar, ...]]
    policy: RecordedPolicy
    models: dict[str, str]
    measures: Annotated[tuple[str, ...], AfterValidator(_are_measures)]
    options: Options
    limits: dict[str, Scalar] = Field(description="They may change while a dataset grows.")

    def joined(self, before: Origin) -> Origin:
        """This origin with what worked on the dataset before."""
        names = sorted({*before.versions, *self.versions})
        versions = {
            name: tuple(sorted({*before.versions.get(name, ()), *self.versions.get(name, ())})) for name in names
        }
        engines = tuple(sorted({*before.engines, *self.engines}, key=Engine.line))
        return self.model_copy(update={"versions": versions, "engines": engines})


def versions() -> dict[str, str]:
    """FaceSieve's version and those of the packages whose arithmetic shapes a dataset."""
    found = {"facesieve": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def difference(theirs: Origin, yours: Origin) -> list[str]:
    """What shapes a dataset and differs, one line each: `settings.min_face_size: 20 -> 40`."""
    before, after = (_flat({name: one.plain()[name] for name in SHAPING}) for one in (theirs, yours))
    # A setting that did not exist yet when the dataset was made.
    before = {f"settings.{name}": value for name, value in BEFORE_IT_WAS_A_SETTING.items()} | before
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def other_engines(theirs: Origin, yours: Origin) -> list[str]:
    """Engines whose numbers differ from all that made a dataset, one line each: `whenet: native avx2 -> ...`."""
    known = {engine.numbers() for engine in theirs.engines}
    return [
        f"{engine.network}: {_used_for(engine.network, theirs)} -> {engine.engine} {engine.instruction_set}"
        for engine in yours.engines
        if engine.numbers() not in known
    ]


def _used_for(network: str, origin: Origin) -> str:
    used = [f"{engine.engine} {engine.instruction_set}" for engine in origin.engines if engine.network == network]
    return ", ".join(used) or "absent"


def _flat(values: Any, name: str = "") -> dict[str, Any]:
    """Nested values under dotted names; items of a list of rules under their number."""
    match values:
        case dict():
            pairs = list(values.items())
        case [{}, *_]:
            pairs = list(enumerate(values))
        case _:
            return {name: values}
    nested = (_flat(part, f"{name}.{key}" if name else f"{key}") for key, part in pairs)
    return {leaf: value for leaves in nested for leaf, value in leaves.items()}
