"""ONNX Runtime's own reports about its use are off: FaceSieve uses no network that nobody asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from facesieve.models.store import Store
from facesieve.settings import Settings

RUN = """
import os, sys
from pathlib import Path
from facesieve.models.session import Session
session = Session(Path(sys.argv[1]).read_bytes(), threads=1)
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


def test_a_network_leaves_no_file_of_reports_in_the_home_folder(tmp_path: Path) -> None:
    network, home = tmp_path / "pnet.onnx", tmp_path / "home"
    network.write_bytes(Store(Settings.load()).load("mtcnn")["pnet"])
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    env |= {"HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(network)], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
    assert list(home.rglob("*")) == []


def test_a_value_that_the_user_set_is_left_alone(tmp_path: Path) -> None:
    code = "import facesieve.models.session, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    env = os.environ | {"ORT_DISABLE_TELEMETRY": "0", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
