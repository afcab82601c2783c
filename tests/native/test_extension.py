"""Whether the compiled extension is used, which instruction set it uses, and what is said where it cannot be."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import facesieve
from facesieve import native
from facesieve.detect import load_networks
from facesieve.detect.native import NativeNetworks
from facesieve.detect.networks import OnnxNetworks
from facesieve.errors import SettingsError
from facesieve.models.session import Session
from facesieve.models.store import Store
from facesieve.native import Extension, instruction_sets, load_extension, unavailable
from facesieve.pose.native import NativeSievepose
from facesieve.pose.network import load_network
from facesieve.settings import Settings
from handmade import files_in

PACKAGE = Path(facesieve.__file__).parent
BUILT = pytest.mark.skipif(not instruction_sets(), reason="the extension was not built")

# Python runs this at every start, in workers too. It raises no ImportError: that would mean an absent extension.
FORBID = """
import sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name == "facesieve._native":
            raise AssertionError("the extension was asked for")
sys.meta_path.insert(0, Forbidden())
"""


@pytest.fixture
def not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "facesieve._native", None)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "facesieve._native":
                raise ImportError("libstdc++.so.6: version not found")

    monkeypatch.delitem(sys.modules, "facesieve._native", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])


@BUILT
def test_auto_takes_the_fastest_instruction_set() -> None:
    assert instruction_sets()[-1] == "portable"
    extension = load_extension(Settings.load(isa="auto"))
    assert extension is not None and extension.isa == instruction_sets()[0]


@BUILT
@pytest.mark.parametrize("isa", instruction_sets())
def test_the_networks_use_the_instruction_set_of_the_settings(isa: str) -> None:
    settings = Settings.load(isa=isa)
    networks = load_networks(settings, Store(settings))
    assert isinstance(networks, NativeNetworks) and networks._native.isa == isa
    [network] = load_network("sievepose", settings, Store(settings)).args
    assert isinstance(network, NativeSievepose) and network._native.isa == isa


@BUILT
def test_the_environment_names_the_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESIEVE_ISA", "portable")
    extension = load_extension(Settings.load())
    assert extension is not None and extension.isa == "portable"
    monkeypatch.setenv("FACESIEVE_ISA", "mmx")
    with pytest.raises(SettingsError, match=r"^Setting 'isa' \(FACESIEVE_ISA\): Input should be 'auto', 'avx512'"):
        Settings.load()


@BUILT
def test_an_instruction_set_that_does_not_run_here_is_a_settings_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "instruction_sets", lambda: ["avx2", "portable"])
    with pytest.raises(SettingsError) as caught:
        load_extension(Settings.load(isa="avx512"))
    said = "Setting 'isa': avx512 does not run here; choose auto or one of avx2, portable."
    assert (caught.value.code, caught.value.message) == ("no_isa", said)
    with pytest.raises(ValueError, match="'mmx' is not in this build or does not run on this machine"):
        NativeNetworks(Extension("mmx"), *_weights())


def _weights() -> list:
    from facesieve.models.onnx_reader import initializers

    files = Store(Settings.load()).load("mtcnn")
    return [initializers(files[name]) for name in ("pnet", "rnet", "onet")]


def test_without_the_extension_onnx_runtime_does_the_work(not_built: None) -> None:
    settings = Settings.load()
    assert (load_extension(settings), instruction_sets()) == (None, [])
    assert isinstance(load_networks(settings, Store(settings)), OnnxNetworks)
    assert isinstance(load_network("whenet", settings, Store(settings)), Session)


def test_an_extension_that_was_not_built_is_missed_where_it_is_asked_for(not_built: None) -> None:
    settings = Settings.load(engine="native")
    for load in (load_networks, lambda settings, store: load_network("sievepose", settings, store)):
        with pytest.raises(SettingsError) as caught:
            load(settings, Store(settings))
        assert caught.value.code == "no_native"
        assert caught.value.message == (
            "Setting 'engine': This installation has no compiled extension. "
            "Reinstall FaceSieve with a C++ compiler present, or set engine to auto."
        )


def test_an_extension_that_cannot_be_loaded_is_told_from_one_that_is_absent(broken: None) -> None:
    assert unavailable() == "The compiled extension cannot be loaded (libstdc++.so.6: version not found)."
    assert load_extension(Settings.load()) is None
    with pytest.raises(SettingsError, match="cannot be loaded"):
        load_extension(Settings.load(engine="native"))


def test_only_one_file_imports_the_extension() -> None:
    importing = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)]
            if any("_native" in f"{getattr(node, 'module', '')}.{name}".split(".") for name in names):
                importing.add(path.relative_to(PACKAGE).as_posix())
    assert importing == {"native.py"}


def build(photos: Path, dataset: Path, engine: str, **environment: str) -> Path:
    command = [sys.executable, "-m", "facesieve", "build", str(photos), "-o", str(dataset), "-q"]
    given = {"FACESIEVE_ENGINE": engine, "FACESIEVE_WORKERS": "2"} | environment
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dataset


def test_a_build_on_onnx_runtime_never_asks_for_the_extension(tmp_path: Path, astronaut: Path, hopper: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for copy in range(4):  # enough for two workers
        for picture in (astronaut, hopper):
            (photos / f"{copy}{picture.name}").write_bytes(picture.read_bytes() + bytes(copy))
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(FORBID)
    path = os.pathsep.join([str(tmp_path / "site"), str(PACKAGE.parent)])
    with pytest.raises(AssertionError, match="the extension was asked for"):
        build(photos, tmp_path / "auto", "auto", PYTHONPATH=path)
    plain = build(photos, tmp_path / "onnx", "onnxruntime", PYTHONPATH=path)
    faces = pq.read_table(plain / "faces.parquet")
    assert faces.num_rows == 8
    if instruction_sets():
        compiled = build(photos, tmp_path / "native", "native")
        ours = pq.read_table(compiled / "faces.parquet")
        assert ours["face_id"].equals(faces["face_id"])
        assert max(abs(a - b) for a, b in zip(ours["blur"].to_pylist(), faces["blur"].to_pylist(), strict=True)) < 1e-6
        assert files_in(plain).keys() == files_in(compiled).keys()
