"""Amazon S3 and stores that speak its language. `botocore` finds credentials, region and endpoint, and signs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from facesieve.buckets.conditions import conditions
from facesieve.buckets.s3_list import page_of
from facesieve.buckets.store import Change, Method, Page, Request
from facesieve.errors import Refused
from facesieve.records import RefusalCode

_SECONDS = 3600  # that a signature is valid; a request may wait for its turn
_DEFAULT_REGION = "us-east-1"


class S3Store:
    """One bucket of S3.

    Credentials, region and endpoint come from where the AWS tools take them: `AWS_ACCESS_KEY_ID`, `AWS_PROFILE`,
    `~/.aws` (also SSO and roles), the machine, `AWS_ENDPOINT_URL`. Without credentials, requests are not signed, which
    public buckets accept.
    """

    def __init__(self, bucket: str, writing: bool = False) -> None:
        logging.getLogger("botocore").addHandler(logging.NullHandler())
        self._bucket, self._lock = bucket, threading.Lock()
        try:
            self._session = botocore.session.get_session()
            self._region = self._session.get_config_variable("region") or _DEFAULT_REGION
            self._signed = self._session.get_credentials() is not None
            self._client = self._connect()
        except (BotoCoreError, ValueError) as error:
            raise _unusable(error) from error

    @property
    def hint(self) -> str:
        if self._signed:
            return ""
        return "No credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."

    def request(self, key: str, method: Method = "GET") -> Request:
        operation = "head_object" if method == "HEAD" else "get_object"
        return Request(self._url(operation, Key=key), method=method)

    def change_request(self, key: str, method: Change, only_if: str | None = None) -> Request:
        operation = "put_object" if method == "PUT" else "delete_object"
        return Request(self._url(operation, Key=key), conditions(only_if), method)

    def version_of(self, headers: Mapping[str, str]) -> str:
        return headers.get("etag", "").strip('"')

    def list_request(self, prefix: str, after: str = "") -> Request:
        more = {"ContinuationToken": after} if after else {}
        return Request(self._url("list_objects_v2", Prefix=prefix, EncodingType="url", **more))

    def page(self, body: bytes) -> Page:
        return page_of(body)

    def learn(self, headers: Mapping[str, str]) -> bool:
        """A refusal because of a wrong region names the right one."""
        region = headers.get("x-amz-bucket-region", "")
        with self._lock:
            if not region or region == self._region:
                return False
            self._region = region
            self._client = self._connect()
            return True

    def _connect(self) -> Any:
        config = Config(signature_version="s3v4" if self._signed else UNSIGNED)
        return self._session.create_client("s3", region_name=self._region, config=config)

    def _url(self, operation: str, **parameters: str) -> str:
        try:
            given = {"Bucket": self._bucket, **parameters}
            url: str = self._client.generate_presigned_url(operation, Params=given, ExpiresIn=_SECONDS)
        except (BotoCoreError, ValueError) as error:
            raise _unusable(error) from error
        return url


def _unusable(error: Exception) -> Refused:
    """The sentence of botocore, which names the profile or variable at fault."""
    why = " ".join(str(error).split()).rstrip(".")
    return Refused(RefusalCode.FETCH_FAILED, f"The settings or credentials for S3 cannot be used: {why}.")
