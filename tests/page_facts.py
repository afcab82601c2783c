"""What a page of a dataset shows: the JSON in it, from which its script draws everything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def facts_of(page: Path | bytes) -> dict[str, Any]:
    """The facts of a contact sheet or a report."""
    html = page if isinstance(page, bytes) else page.read_bytes()
    [found] = re.findall(rb'<script type="application/json" id="facts">(.*?)</script>', html)
    return dict(json.loads(found))
