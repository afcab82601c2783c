"""Photos that every test may use: from installed packages, and from ../shared if that folder exists."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


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
