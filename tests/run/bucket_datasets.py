"""What tests of datasets in buckets look at and put there. The server may be that of any store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bucket_building import OUTPUTS

from facesieve.errors import DatasetError, UsageError
from facesieve.run.build import build_dataset
from handmade import Handmade, build_spec, files_in, sources_in

if TYPE_CHECKING:
    from azure_server import AzureServer
    from s3_server import S3Server

LEASE = ".facesieve/lease.json"


def local_build(folder: Path, out: Path) -> dict[str, bytes]:
    build_dataset(sources_in(folder), out, Handmade, build_spec(OUTPUTS, shard_size=4))
    return files_in(out)


def published(server: S3Server | AzureServer, url: str) -> dict[str, bytes]:
    return {name: data for name, data in server.objects(f"{url}/").items() if not name.startswith(".facesieve/")}


def put_lease(server: S3Server | AzureServer, url: str, seconds: float, owner: str = "another") -> None:
    lease = {"owner": owner, "host": "elsewhere", "process": 7, "seconds": seconds}
    server.put(f"{url}/{LEASE}", json.dumps(lease).encode())


def error_of(work: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises((DatasetError, UsageError)) as caught:
        work()
    return caught.value.code, caught.value.message
