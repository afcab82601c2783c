"""The table of routes."""

from __future__ import annotations

from tornado.web import Application

from facesieve.service import handlers, worker_handlers
from facesieve.service.shared import Service


def application(service: Service) -> Application:
    """The application that answers every path."""
    routes = {
        "/": handlers.IndexPage,
        "/docs": handlers.DocsPage,
        "/openapi.json": handlers.OpenApi,
        "/livez": handlers.Live,
        "/readyz": handlers.Ready,
        "/metrics": handlers.MetricsHandler,
        "/upload": worker_handlers.Upload,
        "/uploads": worker_handlers.Uploads,
        "/v1/faces": worker_handlers.Faces,
        "/v1/sieve": worker_handlers.Sieve,
    }
    shared = {"service": service}
    return Application(
        [(path, handler, shared) for path, handler in routes.items()],
        default_handler_class=handlers.NotFound,
        default_handler_args=shared,
        log_function=lambda handler: None,
    )
