"""A real Azure Blob Storage server on a free port of this machine: Azurite, the emulator that Microsoft publishes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import pytest

CONTAINER = "photos"
# The public account of every Azurite.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class AzureServer:
    """Runs a server while the context is open. Skips the test if it is not installed."""

    def __init__(self, folder: Path) -> None:
        self._binary = shutil.which("azurite-blob")
        if self._binary is None:
            pytest.skip("needs azurite-blob, which is not installed: npm install -g azurite")
        pytest.importorskip("azure.storage.blob", reason="needs the extra cloud")
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]

    def environment(self, key: str = _KEY) -> dict[str, str]:
        """The variables that lead every client to this server. key: of the account."""
        place = f"http://127.0.0.1:{self._port}/{_ACCOUNT}"
        parts = (
            "DefaultEndpointsProtocol=http",
            f"AccountName={_ACCOUNT}",
            f"AccountKey={key}",
            f"BlobEndpoint={place}",
        )
        return {"AZURE_STORAGE_CONNECTION_STRING": ";".join(parts)}

    @cached_property
    def client(self) -> Any:
        """The container, as the official client sees it."""
        from azure.storage.blob import ContainerClient

        [connection] = self.environment().values()
        return ContainerClient.from_connection_string(connection, CONTAINER)

    def folder(self) -> str:
        """The URL of a new folder."""
        return f"az://{CONTAINER}/{uuid4().hex[:12]}/"

    def put(self, url: str, data: bytes) -> None:
        self.client.upload_blob(_key(url), data, overwrite=True)

    def delete(self, url: str) -> None:
        self.client.delete_blob(_key(url))

    def objects(self, url: str) -> dict[str, bytes]:
        """The objects below a folder, by their keys there."""
        names = [one.name for one in self.client.list_blobs(name_starts_with=_key(url))]
        return {name.removeprefix(_key(url)): self.client.download_blob(name).readall() for name in names}

    def __enter__(self) -> Self:
        command = [self._binary, "--silent", "--blobHost", "127.0.0.1", "--blobPort", str(self._port)]
        command += ["--location", str(self._folder), "--disableTelemetry", "--skipApiVersionCheck"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                break
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
            assert time.monotonic() < until, "Azurite did not start"
            time.sleep(0.05)
        self.client.create_container()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()


def _key(url: str) -> str:
    return url.removeprefix(f"az://{CONTAINER}/")
