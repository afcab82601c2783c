"""The log: one line an event on stderr, JSON for machines or words for people."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Log = Callable[..., None]


def journal(form: str) -> Log:
    """A function `log(event, **fields)`. form: `json` or `console`."""
    line = _json if form == "json" else _words

    def log(event: str, **fields: Any) -> None:
        print(line(datetime.now(UTC).isoformat(timespec="milliseconds"), event, fields), file=sys.stderr, flush=True)

    return log


def listen_to_tornado(log: Log) -> None:
    """Let what Tornado itself has to say go to the same log."""
    logger = logging.getLogger("tornado")
    logger.handlers = [_Forward(log)]
    logger.setLevel(logging.WARNING)
    logger.propagate = False


class _Forward(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        more = {"traceback": trace} if trace else {}
        self._log("tornado", level=record.levelname.lower(), message=record.getMessage(), **more)


def _json(time: str, event: str, fields: dict[str, Any]) -> str:
    return json.dumps({"time": time, "event": event, **fields}, default=str)


def _words(time: str, event: str, fields: dict[str, Any]) -> str:
    return " ".join([time, event, *(f"{name}={value}" for name, value in fields.items())])
