"""The two pages: one file each, nothing from another host, and a policy that lets them run nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from facesieve.quality import MEASURES
from facesieve.service.openapi import limits
from facesieve.settings import ServiceSettings
from facesieve.sieve import Policy, Reason, check, presets

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """Bytes of HTML, and the Content-Security-Policy that fits them."""

    html: bytes
    policy: str


def tool(settings: ServiceSettings, default: Policy) -> Page:
    """The page at `/`: pictures in, faces, sliders, verdicts."""
    known = {name: Policy.preset(name) for name in presets()} | {default.name: default}
    facts = {
        "measures": [
            {
                "name": measure.name,
                "unit": measure.unit,
                "low": measure.low,
                "high": measure.high,
                "about": measure.sentence,
            }
            for measure in MEASURES
        ],
        "policies": {name: _limits_of(policy) for name, policy in known.items()},
        "policy": default.name,
        "limits": {limit: _rule(limit) for limit in limits()},
        "reasons": {reason.value: reason.sentence for reason in Reason},
        "max_image_bytes": settings.max_image_bytes,
        "formats": list(settings.formats),
    }
    return _page("page.html", {"FACTS": _script_safe(facts)})


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


def _limits_of(policy: Policy) -> dict[str, float]:
    """A policy as the limits it is written in."""
    found = {}
    for rule in policy.rules:
        if rule.high is not None:
            found[f"max_{rule.measure}"] = rule.high
        elif rule.low is not None:
            found[f"min_{rule.measure}"] = rule.low
    return found


def _rule(limit: str) -> dict[str, Any]:
    """What the page must know to judge by a limit as the sieve does."""
    bound, _, measure = limit.partition("_")
    policy = Policy.of("one", {limit: 1.0})
    [rule] = policy.rules
    [unknown] = check(policy, {measure: float("nan")})
    return {
        "measure": measure,
        "bound": bound,
        "both": rule.low is not None and rule.high is not None,
        "reason": rule.reason.value,
        "unknown": unknown.failed.value if unknown.failed else rule.reason.value,
    }


def _script_safe(value: Any) -> str:
    return json.dumps(value).replace("<", "\\u003c")
