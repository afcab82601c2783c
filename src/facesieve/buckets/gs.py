"""Google Cloud Storage, by its XML interface. `google-auth` finds credentials and makes access tokens."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import google.auth
import google.auth.transport.requests
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from facesieve.buckets.s3_list import page_of
from facesieve.buckets.store import ABSENT, Change, Method, Page, Request
from facesieve.errors import Refused
from facesieve.records import RefusalCode

_SCOPE = "https://www.googleapis.com/auth/devstorage."
_HOST = "https://storage.googleapis.com"


class GoogleStore:
    """One bucket of Google Cloud Storage.

    Credentials are Google's application default credentials: `GOOGLE_APPLICATION_CREDENTIALS`, those of
    `gcloud auth application-default login`, or those of the machine. Without any, requests are anonymous, which public
    buckets accept. `STORAGE_EMULATOR_HOST` names another host, which is asked without credentials.
    """

    def __init__(self, bucket: str, writing: bool = False) -> None:
        emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
        self._host = (emulator if "://" in emulator or not emulator else f"http://{emulator}") or _HOST
        self._bucket, self._lock = bucket, threading.Lock()
        self._credentials: Any = None
        try:
            if not emulator:
                self._credentials, _ = google.auth.default(scopes=[_SCOPE + ("read_write" if writing else "read_only")])
        except DefaultCredentialsError as error:
            if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
                raise _unusable(error) from error

    @property
    def hint(self) -> str:
        if self._credentials is not None:
            return ""
        return (
            "No credentials were found; set GOOGLE_APPLICATION_CREDENTIALS,"
            " or run gcloud auth application-default login."
        )

    def request(self, key: str, method: Method = "GET") -> Request:
        return Request(self._url_of(key), self._headers(), method)

    def change_request(self, key: str, method: Change, only_if: str | None = None) -> Request:
        """The version of an object is its generation; that of an absent one is 0."""
        asked = {} if only_if is None else {"x-goog-if-generation-match": only_if if only_if != ABSENT else "0"}
        return Request(self._url_of(key), self._headers() | asked, method)

    def version_of(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-goog-generation", "")

    def list_request(self, prefix: str, after: str = "") -> Request:
        asked = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        if after:
            asked["continuation-token"] = after
        return Request(f"{self._host}/{self._bucket}?{urlencode(asked, quote_via=quote)}", self._headers())

    def page(self, body: bytes) -> Page:
        return page_of(body)

    def learn(self, headers: Mapping[str, str]) -> bool:
        return False

    def _url_of(self, key: str) -> str:
        return f"{self._host}/{self._bucket}/{quote(key, safe='/~')}"

    def _headers(self) -> dict[str, str]:
        if self._credentials is None:
            return {}
        with self._lock:
            try:
                if not self._credentials.valid:
                    self._credentials.refresh(google.auth.transport.requests.Request())
            except GoogleAuthError as error:
                raise _unusable(error) from error
            return {"Authorization": f"Bearer {self._credentials.token}"}


def _unusable(error: Exception) -> Refused:
    why = " ".join(str(error.args[0] if error.args else error).split()).rstrip(".")
    return Refused(RefusalCode.FETCH_FAILED, f"The credentials for Google Cloud Storage cannot be used: {why}.")
