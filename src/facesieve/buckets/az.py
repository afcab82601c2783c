"""Azure Blob Storage. `azure-storage-blob` signs with an account key, `azure-identity` makes access tokens."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote, urlencode

from azure.core.exceptions import AzureError
from azure.identity import DefaultAzureCredential
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from facesieve.buckets.answers import each, number_of, root_of, tag_of, text_of
from facesieve.buckets.conditions import conditions
from facesieve.buckets.store import Change, Listed, Method, Page, Request
from facesieve.errors import Refused
from facesieve.records import RefusalCode

_VERSION = "2021-12-02"  # of the interface; it marks names that XML cannot hold
_SCOPE = "https://storage.azure.com/.default"
_VALID = timedelta(hours=2)  # of a signature; it is renewed after half of that
_NO_ACCOUNT = (
    "No storage account is named; set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and perhaps"
    " AZURE_STORAGE_ACCOUNT_KEY."
)


class AzureStore:
    """One container of Azure Blob Storage.

    The account comes from `AZURE_STORAGE_CONNECTION_STRING` or `AZURE_STORAGE_ACCOUNT_NAME`; the credentials from the
    connection string, `AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_SAS_TOKEN`, or else where `azure-identity` looks: the
    environment, the machine, and `az login`.
    """

    def __init__(self, bucket: str, writing: bool = False) -> None:
        logging.getLogger("azure").addHandler(logging.NullHandler())
        given = _connection(_variable("AZURE_STORAGE_CONNECTION_STRING"))
        self._account = given.get("accountname") or _variable("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
        self._key = given.get("accountkey") or _variable("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY")
        sas = given.get("sharedaccesssignature") or _variable("AZURE_STORAGE_SAS_TOKEN")
        endpoint = given.get("blobendpoint", "").rstrip("/")
        if not self._account and not endpoint:
            raise Refused(RefusalCode.FETCH_FAILED, _NO_ACCOUNT)
        protocol = given.get("defaultendpointsprotocol", "https")
        suffix = given.get("endpointsuffix", "core.windows.net")
        self._container, self._writing = bucket, writing
        self._container_url = f"{endpoint or f'{protocol}://{self._account}.blob.{suffix}'}/{quote(bucket)}"
        self._lock, self._query, self._renew = threading.Lock(), sas.lstrip("?"), datetime.max.replace(tzinfo=UTC)
        self._credential: Any = None
        if not self._query and self._key:
            self._renew = datetime.min.replace(tzinfo=UTC)
        elif not self._query:
            self._credential = DefaultAzureCredential()

    @property
    def hint(self) -> str:
        return ""

    def request(self, key: str, method: Method = "GET") -> Request:
        return self._signed(self._url(key), "", method)

    def change_request(self, key: str, method: Change, only_if: str | None = None) -> Request:
        kind = {"x-ms-blob-type": "BlockBlob"} if method == "PUT" else {}
        return self._signed(self._url(key), "", method, kind | conditions(only_if))

    def version_of(self, headers: Mapping[str, str]) -> str:
        return headers.get("etag", "").strip('"')

    def list_request(self, prefix: str, after: str = "") -> Request:
        asked = {"restype": "container", "comp": "list", "prefix": prefix}
        if after:
            asked["marker"] = after
        return self._signed(self._container_url, urlencode(asked, quote_via=quote))

    def page(self, body: bytes) -> Page:
        root = root_of(body, "EnumerationResults")
        objects = []
        for blobs in each(root, "Blobs"):
            for item in each(blobs, "Blob"):
                name = next(each(item, "Name"), None)
                if name is None or not name.text:
                    raise Refused(RefusalCode.FETCH_FAILED, "The answer of the host lists a blob without a name.")
                key = unquote(name.text) if name.get("Encoded") == "true" else name.text
                size, tag = (text_of(item, "Properties", field) for field in ("Content-Length", "Etag"))
                objects.append(Listed(key, number_of(size), tag_of(tag), tag.strip('"')))
        return Page(objects, text_of(root, "NextMarker"))

    def learn(self, headers: Mapping[str, str]) -> bool:
        return False

    def _url(self, key: str) -> str:
        return f"{self._container_url}/{quote(key, safe='/~')}"

    def _signed(
        self,
        url: str,
        query: str,
        method: Method | Change = "GET",
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> Request:
        headers = {"x-ms-version": _VERSION, **more}
        try:
            if self._credential is not None:  # it keeps a token until that expires
                headers["Authorization"] = f"Bearer {self._credential.get_token(_SCOPE).token}"
            whole = "&".join(part for part in (query, self._signature()) if part)
        except (AzureError, ValueError) as error:  # ValueError: the key is not base64
            lines = str(error).strip().splitlines() or [type(error).__name__]
            why = lines[0].strip().rstrip(".:")
            raise Refused(
                RefusalCode.FETCH_FAILED, f"The credentials for Azure Blob Storage cannot be used: {why}."
            ) from error
        return Request(f"{url}?{whole}" if whole else url, headers, method)

    def _signature(self) -> str:
        """The query that signs a request with the account key, or the one that the user set; "" for a token."""
        with self._lock:
            now = datetime.now(UTC)
            if now > self._renew:
                change = self._writing
                may = ContainerSasPermissions(read=True, list=True, write=change, create=change, delete=change)
                self._query = generate_container_sas(
                    self._account, self._container, account_key=self._key, permission=may, expiry=now + _VALID
                )
                self._renew = now + _VALID / 2
            return self._query


def _variable(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name, "").strip())), "")


def _connection(text: str) -> dict[str, str]:
    """The parts of a connection string, by name in lower case."""
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
