"""What made a dataset, read back from `dataset.json` or the build's own `made.json` and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from facesieve.dataset.files import CUTS, Outputs
from facesieve.dataset.sums import Sum
from facesieve.dataset.tables import read_json
from facesieve.errors import DatasetError


def read_about(path: Path, known: frozenset[Sum] = frozenset()) -> dict[str, Any]:
    """The values, every key there and of its type.

    known: the sums that the file may have; nothing is compared where there is none.
    Raises DatasetError when the file is absent, damaged, or lacks a key.
    """
    values = read_json(path, known)
    for name, fits in _KEYS.items():
        if not fits(values.get(name)):
            what = "has a wrong value" if name in values else "is missing"
            raise DatasetError(
                "damaged_dataset",
                f"{path} is damaged: {name!r} {what}; `facesieve check DATASET --repair` sets right what it can.",
            )
    return values


def outputs_of(about: Mapping[str, Any]) -> Outputs:
    """Which files a dataset has besides its kept crops."""
    options = about["options"]
    return Outputs(options["keep_rejected"], tuple(options["crops"]), options["marked"])


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _versions(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) or _names(item) for item in value.values())


def _models(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _policy(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("rules"), list)


def _options(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    switches = all(isinstance(value.get(name), bool) for name in ("keep_rejected", "marked"))
    return switches and _names(value.get("crops")) and set(value["crops"]) <= set(CUTS)


_KEYS: Mapping[str, Callable[[Any], bool]] = {
    "versions": _versions,
    "settings": lambda value: isinstance(value, dict),
    "policy": _policy,
    "models": _models,
    "measures": lambda value: _names(value) and len(set(value)) == len(value),
    "options": _options,
}
