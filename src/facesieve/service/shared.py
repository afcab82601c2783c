"""The state that all handlers of one service share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from tornado.iostream import IOStream

from facesieve.service import page
from facesieve.service.admission import Admission
from facesieve.service.answers import encoded
from facesieve.service.fetches import Fetches
from facesieve.service.log import Log
from facesieve.service.metrics import Metrics
from facesieve.service.openapi import document
from facesieve.service.precheck import bounded, with_clip_bytes
from facesieve.service.time_slices import TimeSlices
from facesieve.service.tokens import Tokens
from facesieve.service.worker_pool import WorkerPool
from facesieve.settings import ServiceSettings, Settings
from facesieve.sieve import Policy

_PROBES = ("/livez", "/readyz", "/metrics")  # monitoring asks every few seconds


class ActiveRequest(Protocol):
    """A request that has not ended."""

    @property
    def stream(self) -> IOStream:
        """The connection of the request."""

    @property
    def refused(self) -> bool:
        """Whether an error was sent before the body had arrived, so that the rest of the body is dropped."""

    def cut_off(self) -> None:
        """Answer now, because the service ends."""


@dataclass(slots=True)
class Service:
    """What the handlers of one service share.

    pictures: the settings of the pipeline. stopping: whether SIGTERM has arrived. active: requests that have not ended.
    fetches: None if URLs are not accepted.
    """

    settings: ServiceSettings
    pictures: Settings
    policy: Policy
    tokens: Tokens
    admission: Admission
    workers: WorkerPool
    metrics: Metrics
    log: Log
    stopping: bool = False
    active: set[ActiveRequest] = field(default_factory=set)
    time_slices: TimeSlices = field(default_factory=TimeSlices)
    fetches: Fetches | None = field(init=False, default=None)
    index: page.Page = field(init=False)
    docs: page.Page = field(init=False)
    openapi: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = bounded(self.pictures, self.settings)
        self.index, self.docs = page.index(self.settings, self.policy), page.docs()
        self.openapi = encoded(document(self.settings))
        self.metrics.watch(self.admission, lambda: self.workers.alive)
        self.metrics.watch_log(self.log)
        if self.settings.accept_urls:
            self.fetches = Fetches(with_clip_bytes(self.pictures, self.settings), self.metrics, self.admission.busy)

    @property
    def ready(self) -> bool:
        """Whether a worker is alive."""
        return self.workers.alive > 0

    def at_work(self) -> set[IOStream]:
        """The connections on which a request is read or answered, without those whose refused body is being dropped."""
        return {request.stream for request in self.active if not request.refused}

    def ended(self, route: str, status: int, code: str, seconds: float | None = None, **fields: Any) -> None:
        """Count and log a request that has ended. seconds: None for bytes that were not a request."""
        self.metrics.requests.labels(route, str(status), code).inc()
        if seconds is not None:
            self.metrics.seconds.labels(route).observe(seconds)
        write = self.log.debug if route in _PROBES else self.log.info
        write("request", route=route, status=status, code=code, ms=round((seconds or 0.0) * 1e3, 1), **fields)
