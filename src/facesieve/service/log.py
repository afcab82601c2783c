"""The log: events with fields on stderr, as lines of JSON for programs or as text for people."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import JSONRenderer, TimeStamper, add_log_level, format_exc_info
from structlog.typing import FilteringBoundLogger

from facesieve.service.line_writer import LineWriter

INTERVAL = 10.0  # seconds; in each, a repeated event is logged at most `most` times
_STDERR = 2
_LAST_LINES = 1.0  # seconds that the service waits at its end for the reader of the log
_RELAYED = 100  # lines of libraries and workers in one interval
_LONGEST = 1 << 14  # bytes of one such line
_END = b"\0end\0"


class Log:
    """Writes events with fields. No method blocks or raises; lines that cannot be written are counted in `dropped`.

    form: `json` or `console`. level: the least important level that is written. Tracebacks do not show the values of
    variables, because these may be pictures and tokens.
    """

    def __init__(self, lines: LineWriter, form: str = "json", level: str = "info", colors: bool = False) -> None:
        steps: dict[str, list[Any]] = {
            "json": [format_exc_info, JSONRenderer(default=str)],
            "console": [ConsoleRenderer(colors=colors, exception_formatter=plain_traceback, timestamp_key="time")],
        }
        self._lines = lines
        self._logger: FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(cast(Any, lines)),
            processors=[add_log_level, TimeStamper("iso", utc=True, key="time"), *steps[form]],
            wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        )
        self._windows: dict[str, _Window] = {}
        self._counting = threading.Lock()

    @property
    def dropped(self) -> int:
        """Lines that could not be written."""
        return self._lines.dropped

    def debug(self, event: str, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def seldom(self, event: str, most: int = 1, level: int = logging.WARNING, **fields: Any) -> None:
        """Log an event that may occur very often: at most `most` times in `INTERVAL` seconds.

        The others are counted; the next line of the event has the count in its field `left_out`.
        """
        with self._counting:
            now = time.monotonic()
            window = self._windows.setdefault(event, _Window(now))
            if now - window.began >= INTERVAL:
                window.began, window.written = now, 0
            if window.written >= most:
                window.left_out += 1
                return
            window.written += 1
            if window.left_out:
                fields["left_out"], window.left_out = window.left_out, 0
        self._write(level, event, fields)

    def close(self, seconds: float = _LAST_LINES) -> None:
        """Log the counts of omitted events, and wait at most this long until all lines are written."""
        with self._counting:
            rest = {event: window.left_out for event, window in self._windows.items() if window.left_out}
            self._windows.clear()
        for event, left_out in rest.items():
            self.warning(event, left_out=left_out)
        self._lines.close(seconds)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        try:
            self._logger.log(level, event, **fields)
        except Exception:  # a field that cannot be formatted must not change an answer
            self._lines.drop()


@dataclass(slots=True)
class _Window:
    began: float
    written: int = 0
    left_out: int = 0


@contextmanager
def service_log(form: str, level: str) -> Iterator[Log]:
    """The log of a service, on stderr for as long as the block runs.

    During that time, descriptor 2 of this process, and of the workers that inherit it, is a pipe that a thread always
    reads. Text that libraries and dying workers write there is logged as events `stderr`, and no write can block.
    """
    real = os.dup(_STDERR)
    log = Log(LineWriter(real), form, level, colors=os.isatty(real))
    reader, writer = os.pipe()
    os.dup2(writer, _STDERR)
    os.close(writer)
    relay = threading.Thread(target=_relay, args=(reader, log), name="stderr", daemon=True)
    relay.start()
    try:
        with listening_to_python(log):
            yield log
    finally:
        os.write(_STDERR, b"\n" + _END + b"\n")
        os.dup2(real, _STDERR)
        relay.join(_LAST_LINES)
        log.close()


def _relay(reader: int, log: Log) -> None:
    """Log what libraries and workers write to stderr, line by line."""
    rest = b""
    while data := os.read(reader, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > _LONGEST:
            lines, rest = [*lines, rest], b""
        for line in lines:
            if line.strip() and line != _END:
                log.seldom("stderr", _RELAYED, text=line[:_LONGEST].decode("utf-8", "backslashreplace").rstrip())
            if line == _END:
                return


@contextmanager
def listening_to_python(log: Log) -> Iterator[None]:
    """Send the log messages of Tornado and asyncio to the same log while the block runs."""
    loggers = [logging.getLogger(name) for name in ("tornado", "asyncio")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [_Forward(log)], False
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


class _Forward(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # the arguments do not fit the message
            message = str(record.msg)
        event = record.name.partition(".")[0]
        self._log.seldom(event, _RELAYED, record.levelno, message=message, exc_info=record.exc_info)
