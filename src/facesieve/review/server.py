"""The local server of the page: loopback only, and every answer about the dataset needs a token.

The token is in the fragment of the address, which browsers do not send; the page sends it in a header. A page of
another site can neither read it nor, because the Host header is checked, reach this server by another name.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from facesieve.dataset.decision_file import DecidedMeanwhileError
from facesieve.errors import FacesieveError, UsageError
from facesieve.review.requests import ANSWERS, Answer, Ask, Question
from facesieve.review.session import Session
from facesieve.texts import embedded

ADDRESS = "127.0.0.1"
TOKEN_HEADER = "X-Review-Token"
MOST_BYTES = 1 << 20  # of a question
_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_TYPES = {"css": "text/css", "js": "text/javascript"}
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_SECTIONS = (
    "review",
    "reason",
    "reason_sentence",
    "measure",
    "measure_sentence",
    "unit",
    "verdict",
    "column",
    "action",
)


@dataclass(slots=True)
class Review:
    """What all requests share. thread: answers one question at a time, so that the columns need no lock."""

    session: Session
    html: bytes
    policy: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "review"))

    async def ask(self, answer: Ask, question: Question) -> Answer:
        """The answer to a question. Raises FacesieveError."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, self._ask, answer, question)

    def _ask(self, answer: Ask, question: Question) -> Answer:
        self.session.refresh(question.revision)
        return answer(self.session, question)


@stream_request_body
class _Handler(RequestHandler):
    """Refuses requests under another name and too long ones, and sets the headers that every answer has.

    Of a body that is too long, the rest is read and thrown away, because a client reads no answer before it has sent
    everything.
    """

    def initialize(self, review: Review) -> None:
        self.review, self.body, self.too_long = review, bytearray(), False

    def set_default_headers(self) -> None:
        self.set_header("Server", "facesieve")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")

    def data_received(self, chunk: bytes) -> None:
        self.too_long |= len(self.body) + len(chunk) > MOST_BYTES
        if not self.too_long:
            self.body += chunk

    def prepare(self) -> None:
        host, origin = self.request.headers.get("Host", ""), self.request.headers.get("Origin")
        if not _is_this_machine(host) or (origin is not None and _netloc(origin) != host):
            self.refuse(403, "other_host", "This page is only for this machine. Open the address that was printed.")

    def refuse(self, status: int, code: str, message: str, **more: object) -> None:
        """End the request with an error."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"code": code, "message": message, **more}))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.refuse(status_code, _CODES.get(status_code, "failed"), f"{self._reason}.")

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """Print one line about an unexpected error."""
        if not isinstance(error, HTTPError):
            line = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            print(f"The review could not answer {self.request.path[:100]!r}: {line} [failed]", file=sys.stderr)


class _NotFound(_Handler):
    """Answers the addresses that no other handler has."""

    def prepare(self) -> None:
        super().prepare()
        if not self._finished:
            self.refuse(404, "not_found", "There is no such address.")


class _Page(_Handler):
    """The page and its files. They hold nothing of the dataset, so they need no token."""

    def get(self, name: str) -> None:
        self.set_header("Content-Security-Policy", self.review.policy)
        kind = name.rpartition(".")[2]
        if not name:
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(self.review.html)
            return
        self.set_header("Content-Type", f"{_TYPES[kind]}; charset=utf-8")
        file = files("facesieve.review") / "page" / name
        if not file.is_file():
            self.refuse(404, "not_found", "There is no such file.")
            return
        self.finish(file.read_bytes())

    head = get


class _Answers(_Handler):
    """Answers one kind of question."""

    async def post(self, kind: str) -> None:
        if not hmac.compare_digest(self.request.headers.get(TOKEN_HEADER, "").encode(), self.review.token.encode()):
            self.refuse(401, "wrong_token", "The token is wrong. Open the address that was printed.")
            return
        if self.too_long:
            self.refuse(413, "too_large", f"A question may have at most {MOST_BYTES >> 20} MiB.")
            return
        if kind not in ANSWERS:
            self.refuse(404, "not_found", "There is no such request.")
            return
        try:
            answer = await self.review.ask(ANSWERS[kind], Question.model_validate_json(bytes(self.body)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            self.refuse(
                400, "bad_request", ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"]))) + "."
            )
        except DecidedMeanwhileError as error:
            self.refuse(409, error.code, error.message, faces=error.faces)
        except FacesieveError as error:
            status = (
                409 if error.code in ("dataset_changed", "not_empty") else 400 if isinstance(error, UsageError) else 503
            )
            self.refuse(status, error.code, error.message)
        else:
            binary = isinstance(answer, bytes)
            self.set_header("Content-Type", "application/octet-stream" if binary else "application/json")
            self.finish(answer if binary else json.dumps(answer, allow_nan=False))


def application(session: Session, language: str | None = None) -> tuple[Application, Review]:
    """The application, and what its requests share. language: of the page; None takes that of the browser."""
    html = (files("facesieve.review") / "page" / "index.html").read_text(encoding="utf-8")
    html = html.replace("{{TEXTS}}", embedded(_SECTIONS, language))
    review = Review(session, html.encode(), _policy(html))
    shared = {"review": review}
    routes = [(r"/([a-z]+\.(?:js|css)|)", _Page, shared), (r"/api/([a-z]+)", _Answers, shared)]
    return Application(
        routes, log_function=lambda handler: None, default_handler_class=_NotFound, default_handler_args=shared
    ), review


def _is_this_machine(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in _HOSTS
    except ValueError:  # such as "[::1"
        return False


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _policy(html: str) -> str:
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in _INLINE.findall(html)]
    scripts = " ".join(f"'sha256-{one}'" for one in hashes)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self'; img-src blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


async def serve(session: Session, port: int, language: str | None, announce: Callable[[str], None]) -> None:
    """Serve the page until the task is cancelled. port: 0 chooses a free one.

    announce: called with the address of the page, which holds the token. Raises UsageError `port_in_use`.
    """
    app, review = application(session, language)
    try:
        sockets = bind_sockets(port, ADDRESS)
    except OSError as error:
        raise UsageError("port_in_use", f"Cannot listen on port {port}: {error.strerror}. Choose --port 0.") from error
    server = HTTPServer(app, max_body_size=sys.maxsize, max_header_size=1 << 14)  # the handlers hold MOST_BYTES of it
    server.add_sockets(sockets)
    announce(f"http://{ADDRESS}:{sockets[0].getsockname()[1]}/#token={review.token}")
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()
        review.thread.shutdown(wait=True, cancel_futures=True)
