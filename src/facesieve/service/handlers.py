"""The routes that need no worker: probes, metrics and pages."""

from __future__ import annotations

from facesieve.service import metrics
from facesieve.service.answers import encoded
from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.page import Page
from facesieve.service.request import Request


class NotFound(Request):
    """Every path that is not a route."""

    route = "none"

    def _check_method(self) -> None:
        """Answer 404 for an unknown path, whatever the method and the body."""
        raise ApiError(ErrorCode.NOT_FOUND)


class Live(Request):
    route = "/livez"

    async def answer(self) -> None:
        self.reply(encoded({"status": "live"}))


class Ready(Request):
    route = "/readyz"

    async def answer(self) -> None:
        if not self.service.ready or self.service.stopping:
            raise ApiError(ErrorCode.NOT_READY)
        self.reply(encoded({"status": "ready"}))


class MetricsHandler(Request):
    """The setting `open_metrics` says whether it needs a token."""

    route = "/metrics"

    @property
    def open_to_all(self) -> bool:  # type: ignore[override]
        return self.service.settings.open_metrics

    async def answer(self) -> None:
        self.reply(self.service.metrics.text(), metrics.CONTENT_TYPE)


class OpenApi(Request):
    route = "/openapi.json"

    async def answer(self) -> None:
        self.reply(self.service.openapi)


class IndexPage(Request):
    route = "/"

    async def answer(self) -> None:
        _show(self, self.service.index)


class DocsPage(Request):
    route = "/docs"

    async def answer(self) -> None:
        _show(self, self.service.docs)


def _show(request: Request, page: Page) -> None:
    request.set_header("Content-Security-Policy", page.policy)
    request.set_header("Referrer-Policy", "no-referrer")
    request.reply(page.html, "text/html; charset=utf-8")
