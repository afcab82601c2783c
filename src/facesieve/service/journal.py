"""The log: an event on stderr with its fields, as a line of JSON for machines or as words for people."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import JSONRenderer, TimeStamper, add_log_level, format_exc_info
from structlog.typing import FilteringBoundLogger

Log = FilteringBoundLogger


def journal(form: str) -> Log:
    """A log of its own, whatever the process logs elsewhere. form: `json` or `console`.

    Tracebacks come without the values of variables, which are pictures and tokens.
    """
    steps: dict[str, list[Any]] = {
        "json": [format_exc_info, JSONRenderer(default=str)],
        "console": [
            ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_traceback, timestamp_key="time")
        ],
    }
    log: Log = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[add_log_level, TimeStamper("iso", utc=True, key="time"), *steps[form]],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
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
        self._log.log(record.levelno, "tornado", message=record.getMessage(), exc_info=record.exc_info)
