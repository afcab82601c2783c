"""What every test may use: photos of installed packages and of ../shared, servers of buckets, the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from azure_server import AzureServer
    from google_server import GoogleServer
    from s3_server import S3Server

Server = TypeVar("Server", "AzureServer", "GoogleServer", "S3Server")
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk() -> Iterator[None]:
    """In this process, `os.fsync` only looks whether there is such a file. Programs that tests start do sync.

    It matters only when the power is cut. A sync takes 5 ms, and a test of builds makes up to 4000.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of local test data; tests that use it are skipped if it does not exist."""
    if not SHARED.is_dir():
        pytest.skip("needs the local test data in ../shared, which is not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """A 512 x 512 PNG portrait with one frontal face, from scikit-image."""
    import skimage

    return Path(skimage.__file__).parent / "data" / "astronaut.png"


@pytest.fixture(scope="session")
def hopper() -> Path:
    """A 512 x 600 JPEG portrait with one face, from matplotlib."""
    import matplotlib

    return Path(matplotlib.__file__).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"


@pytest.fixture(scope="session")
def running_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server for all tests that want one. Each of them uses a folder of its own."""
    pytest.importorskip("botocore", reason="needs the extra `cloud`")
    from s3_server import S3Server

    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def running_azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """A real Azure server, used like `running_s3`."""
    from azure_server import AzureServer

    with AzureServer(tmp_path_factory.mktemp("azure")) as server:
        yield server


@pytest.fixture(scope="session")
def running_google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleServer]:
    """A server of Google Cloud Storage, used like `running_s3`."""
    from google_server import GoogleServer

    with GoogleServer(tmp_path_factory.mktemp("google")) as server:
        yield server


@pytest.fixture
def s3(running_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The S3 server, which the environment of the test leads to."""
    return set_environment(running_s3, monkeypatch)


@pytest.fixture
def azure(running_azure: AzureServer, monkeypatch: pytest.MonkeyPatch) -> AzureServer:
    """The Azure server, which the environment of the test leads to."""
    return set_environment(running_azure, monkeypatch)


@pytest.fixture
def google(running_google: GoogleServer, monkeypatch: pytest.MonkeyPatch) -> GoogleServer:
    """The server of Google Cloud Storage, which the environment of the test leads to."""
    return set_environment(running_google, monkeypatch)


def set_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line as a user calls it: `run("build", ...)` returns exit status, stdout and stderr."""
    from facesieve.cli import main

    def facesieve(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facesieve", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return facesieve
