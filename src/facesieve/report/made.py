"""What a page says of its dataset: an id, and what made it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from facesieve.dataset.about import About
from facesieve.dataset.disk.checksums import checksum_of_file
from facesieve.dataset.disk.layout import Layout
from facesieve.sieve import Policy


def dataset_id(layout: Layout) -> str:
    """12 hex digits from the sha256 of the files of the manifests."""
    paths = [path for manifest in (layout.faces, layout.pictures) for path in layout.files_of(manifest)]
    sums = "".join(checksum_of_file(path).sha256 for path in paths)
    return hashlib.sha256(sums.encode()).hexdigest()[:12]


def made(about: About) -> Mapping[str, Any]:
    """Versions, engines, models, options and settings, as JSON values."""
    origin = about.origin
    return {
        "versions": origin.versions,
        "engines": [engine.line() for engine in origin.engines],
        "models": dict(origin.models),
        "identity": origin.identity.as_json() if origin.identity else None,
        "options": origin.options.as_json(),
        "settings": dict(origin.settings),
        "clips": origin.clips.as_json() if origin.clips else None,
    }


def policy_values(policy: Policy) -> Mapping[str, Any]:
    """A policy as JSON values."""
    rules = [
        {
            "measure": rule.measure,
            "low": rule.low,
            "high": rule.high,
            "reason": rule.reason.value,
            "missing": rule.when_missing.value,
            "optional": rule.optional,
        }
        for rule in policy.rules
    ]
    return {"name": policy.name, "sentence": policy.sentence, "rules": rules}
