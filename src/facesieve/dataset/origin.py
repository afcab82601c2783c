"""What made a dataset, and how it differs from what somebody wants to add."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from facesieve.settings import BEFORE_IT_WAS_A_SETTING, NOT_SHAPING
from facesieve.version import __version__

SHAPING = ("settings", "policy", "models", "measures", "options")
PACKAGES = ("numpy", "opencv-python-headless", "opencv-python", "onnxruntime", "onnxruntime-gpu", "pillow", "pyarrow")


def versions() -> dict[str, str]:
    """FaceSieve's version and those of the packages whose arithmetic shapes a dataset."""
    found = {"facesieve": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def difference(theirs: dict[str, Any], yours: dict[str, Any]) -> list[str]:
    """What shapes a dataset and differs, one line each: `settings.min_face_size: 20 -> 40`."""
    before, after = (
        _flat(json.loads(json.dumps({key: one.get(key) for key in SHAPING} | {"settings": _shaping(one)})))
        for one in (theirs, yours)
    )
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _shaping(origin: dict[str, Any]) -> dict[str, Any]:
    """The settings that shape a dataset, whatever version recorded them."""
    recorded = BEFORE_IT_WAS_A_SETTING | origin.get("settings", {})
    return {name: value for name, value in recorded.items() if name not in NOT_SHAPING}


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
