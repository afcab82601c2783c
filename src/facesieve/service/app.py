"""The routes, and what all of them share."""

from __future__ import annotations

from dataclasses import dataclass, field

from tornado.iostream import IOStream
from tornado.web import Application

from facesieve.service import handlers, page
from facesieve.service.answers import encoded
from facesieve.service.crew import Crew
from facesieve.service.gate import Gate
from facesieve.service.log import Log
from facesieve.service.looks import bounded
from facesieve.service.metrics import Metrics
from facesieve.service.openapi import document
from facesieve.service.request import Request
from facesieve.service.tokens import Tokens
from facesieve.service.turns import Turns
from facesieve.settings import ServiceSettings, Settings
from facesieve.sieve import Policy


@dataclass(slots=True)
class Service:
    """What the handlers share. stopping: SIGTERM came. active: requests not yet answered."""

    settings: ServiceSettings
    pictures: Settings
    policy: Policy
    tokens: Tokens
    gate: Gate
    crew: Crew
    metrics: Metrics
    log: Log
    stopping: bool = False
    active: set[Request] = field(default_factory=set)
    turns: Turns = field(default_factory=Turns)
    tool: page.Page = field(init=False)
    docs: page.Page = field(init=False)
    openapi: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = bounded(self.pictures, self.settings)
        self.tool, self.docs = page.tool(self.settings, self.policy), page.docs()
        self.openapi = encoded(document(self.settings))
        self.metrics.watch(self.gate, lambda: self.crew.alive)
        self.metrics.watch_log(self.log)

    @property
    def ready(self) -> bool:
        """Whether a worker lives."""
        return self.crew.alive > 0

    def at_work(self) -> set[IOStream]:
        """The connections on which a request is read or answered; a refused body that is dropped does not count."""
        return {request.stream for request in self.active if not request.refused}


def application(service: Service) -> Application:
    """The table of routes."""
    routes = {
        "/": handlers.Tool,
        "/docs": handlers.Docs,
        "/openapi.json": handlers.OpenApi,
        "/livez": handlers.Live,
        "/readyz": handlers.Ready,
        "/metrics": handlers.Numbers,
        "/upload": handlers.Upload,
        "/uploads": handlers.Uploads,
        "/v1/faces": handlers.Faces,
        "/v1/sieve": handlers.Sieve,
    }
    shared = {"service": service}
    return Application(
        [(path, handler, shared) for path, handler in routes.items()],
        default_handler_class=handlers.Nowhere,
        default_handler_args=shared,
        log_function=lambda handler: None,
    )
