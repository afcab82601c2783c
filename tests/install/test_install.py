"""Installing never needs a compiler: with one the extension is built, without one ONNX Runtime does its work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["src", "native", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"]
MAIN_JOB = """
import json, sys, cv2
from facesieve.detect import load_detector
from facesieve.detect import mtcnn
from facesieve.models.store import Store
from facesieve.records import Photo, Source
from facesieve.settings import Settings
detect = load_detector(Settings.load(), Store(Settings.load()))
pixels = cv2.cvtColor(cv2.imread(sys.argv[1]), cv2.COLOR_BGR2RGB)
faces = detect([Photo(Source("astronaut"), "", pixels, "")])
native = sys.modules.get("facesieve._native")
print(json.dumps({"from": mtcnn.__file__, "native": native is not None, "boxes": faces.boxes.tolist()}))
"""


def install(folder: Path, **environment: str) -> Path:
    """A copy of the sources installed with pip into a folder of its own."""
    sources, target = folder / "sources", folder / "installed"
    sources.mkdir()
    for part in PARTS:
        origin = ROOT / part
        if origin.is_dir():
            shutil.copytree(origin, sources / part, ignore=shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info"))
        else:
            shutil.copy(origin, sources / part)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(sources)]
    subprocess.run(command, check=True, env=os.environ | environment)
    return target


def detect_with(installed: Path, picture: Path) -> dict:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    environment.pop("FACESIEVE_ISA", None)
    command = [sys.executable, "-c", MAIN_JOB, str(picture)]
    answer = subprocess.run(command, check=True, env=environment, capture_output=True, text=True, cwd=installed)
    found = json.loads(answer.stdout)
    assert found["from"].startswith(str(installed))
    return found


@pytest.mark.slow
def test_an_install_without_a_compiler_finds_the_same_face(tmp_path: Path, astronaut: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "built").mkdir()
    bare = detect_with(install(tmp_path / "bare", CC="/no/compiler", CXX="/no/compiler"), astronaut)
    assert not bare["native"] and len(bare["boxes"]) == 1
    if shutil.which("c++") is None:
        pytest.skip("no compiler for the other half of the comparison")
    built = detect_with(install(tmp_path / "built"), astronaut)
    assert built["native"]
    assert built["boxes"] == [pytest.approx(box, abs=1e-2) for box in bare["boxes"]]
