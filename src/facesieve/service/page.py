"""The two pages. Each is one file that loads nothing from other hosts, and its Content-Security-Policy forbids it."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from facesieve.quality import OF_ONE_PICTURE, Measure, is_relation
from facesieve.records import ANGLES
from facesieve.settings import ServiceSettings
from facesieve.sieve import Policy, Rule
from facesieve.texts import embedded, script_safe

_TEXTS = ("service", "action", "verdict", "reason", "reason_sentence", "measure", "measure_sentence", "unit")
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """Bytes of HTML, and the Content-Security-Policy that fits them."""

    html: bytes
    policy: str


def index(settings: ServiceSettings, default: Policy) -> Page:
    """The page at `/`: it sends pictures, and shows faces, verdicts and a slider for each limit."""
    known = {name: Policy.preset(name) for name in Policy.presets_for_pictures()} | {default.name: default}
    facts = {
        "measures": [_measure(measure) for measure in OF_ONE_PICTURE],
        "policies": {name: _rules(policy) for name, policy in known.items()},
        "policy": default.name,
        "max_image_bytes": settings.max_image_bytes,
        "formats": list(settings.formats),
    }
    return _page("page.html", {"FACTS": script_safe(facts), "TEXTS": embedded(_TEXTS)})


def docs() -> Page:
    """The page at `/docs`, which reads `/openapi.json`."""
    return _page("docs.html", {})


def _page(name: str, values: dict[str, str]) -> Page:
    html = (files("facesieve.service") / name).read_text(encoding="utf-8")
    for key, value in values.items():
        html = html.replace(f"{{{{{key}}}}}", value)
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, content in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    policy = (
        f"default-src 'none'; script-src {' '.join(hashes['script'])}; style-src {' '.join(hashes['style'])}; "
        "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html.encode(), policy)


def _rules(policy: Policy) -> list[dict[str, Any]]:
    return [
        {"measure": rule.measure, "low": rule.low, "high": rule.high, "reason": rule.reason.value}
        for rule in policy.rules
    ]


def _measure(measure: Measure) -> dict[str, Any]:
    """What the page needs to show a measure, and to judge by it like the sieve."""
    rule = Rule(measure=measure.name, low=measure.low)
    return {
        "name": measure.name,
        "unit": measure.unit,
        "low": measure.low,
        "high": measure.high if math.isfinite(measure.high) else None,
        "better": measure.better,
        "raw": measure.name.endswith("_native"),
        "angle": measure.name in ANGLES,
        "relation": is_relation(measure.name),
        "reason": rule.reason.value,
        "missing": rule.when_missing.value,
    }
