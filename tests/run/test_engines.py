"""InferenceEngine and instruction set are part of what made a dataset, as far as they change its numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

import facesieve
from facesieve import DatasetError, Settings, SettingsError
from facesieve.dataset.origin import InferenceEngine, other_engines
from facesieve.native import instruction_sets
from facesieve.run.build import build_dataset
from facesieve.run.build_spec import BuildSpec
from facesieve.run.inference import engines_of, resolved
from facesieve.run.upgrade import upgrade
from handmade import Handmade, build_spec, files_in, photos, sources_in
from unnumbered import without_number

Run = Callable[..., tuple[int, str, str]]
needs_native = pytest.mark.skipif(not instruction_sets(), reason="needs the compiled extension")
needs_both = pytest.mark.skipif(
    not {"avx2", "avx512"} <= set(instruction_sets()), reason="needs a processor with AVX2 and AVX-512"
)

FMA = ("mtcnn", "native", "avx2")
WIDE = ("mtcnn", "native", "avx512")
PORTABLE = ("mtcnn", "native", "portable")
ORT = ("mtcnn", "onnxruntime", "avx512")
ORT_2 = ("mtcnn", "onnxruntime", "avx2")

# With these a processor of AVX-512 does as if it had AVX2 alone, also in NumPy, its linear algebra and OpenCV.
WIDE_FEATURES = [name for name in np.show_config(mode="dicts")["SIMD Extensions"]["found"] if "512" in name]
ONLY_AVX2 = {
    "NPY_DISABLE_CPU_FEATURES": " ".join(["X86_V4"] * (np.lib.NumpyVersion(np.__version__) >= "2.4.0") + WIDE_FEATURES),
    "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-COMMON,AVX512-ICL,AVX512-CLX,AVX512-CNL",
    "OPENBLAS_CORETYPE": "Haswell",
}


def spec(*engines: tuple[str, str, str]) -> BuildSpec:
    made = [InferenceEngine(network=network, engine=name, instruction_set=isa) for network, name, isa in engines]
    return replace(build_spec(), engines=tuple(made))


@pytest.mark.parametrize(("theirs", "yours"), [(FMA, FMA), (FMA, WIDE), (WIDE, FMA), (ORT, ORT), (PORTABLE, PORTABLE)])
def test_engines_of_the_same_numbers_are_one(theirs: tuple[str, str, str], yours: tuple[str, str, str]) -> None:
    assert other_engines(spec(theirs).engines, spec(yours).engines) == []


@pytest.mark.parametrize(
    ("theirs", "yours"), [*pairwise([FMA, PORTABLE, ORT, ORT_2, WIDE, ORT]), (("mtcnn", "unknown", "unknown"), FMA)]
)
def test_engines_of_other_numbers_are_told(theirs: tuple[str, str, str], yours: tuple[str, str, str]) -> None:
    line = f"mtcnn: {theirs[1]} {theirs[2]} -> {yours[1]} {yours[2]}"
    assert other_engines(spec(theirs).engines, spec(yours).engines) == [line]


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut, count=4)


def recorded(root: Path) -> list[str]:
    about = json.loads((root / "dataset.json").read_text())
    return [" ".join(engine.values()) for engine in about["engines"]]


def test_another_engine_is_refused_and_nothing_changes(heap: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build_dataset(sources_in(heap), out, Handmade, spec(FMA, ("whenet", "native", "avx2")))
    before = files_in(out)
    with pytest.raises(DatasetError, match="--allow-mixed-engines") as caught:
        build_dataset(sources_in(heap), out, Handmade, spec(ORT, ("whenet", "native", "avx512")))
    assert caught.value.code == "other_engine"
    assert caught.value.message.splitlines()[1:] == ["  mtcnn: native avx2 -> onnxruntime avx512"]
    assert files_in(out) == before


def test_mixing_is_recorded_and_both_may_go_on(heap: Path, tmp_path: Path, astronaut: Path) -> None:
    out = tmp_path / "out"
    build_dataset(sources_in(heap), out, Handmade, spec(FMA))
    assert recorded(out) == ["mtcnn native avx2"]
    build_dataset(sources_in(heap), out, Handmade, spec(WIDE))
    assert recorded(out) == ["mtcnn native avx2", "mtcnn native avx512"], "the same numbers, and what worked on it"
    shutil.copy(astronaut, heap / "Ada" / "new.png")
    build_dataset(sources_in(heap), out, Handmade, spec(ORT), allow_mixed_engines=True)
    assert recorded(out) == ["mtcnn native avx2", "mtcnn native avx512", "mtcnn onnxruntime avx512"]
    for known in (FMA, ORT):
        build_dataset(sources_in(heap), out, Handmade, spec(known))
    with pytest.raises(DatasetError, match="mtcnn: native avx2, native avx512, onnxruntime avx512 -> native portable"):
        build_dataset(sources_in(heap), out, Handmade, spec(PORTABLE))


def test_a_dataset_that_did_not_record_its_engine_is_continued_only_when_that_is_allowed(
    heap: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    now = replace(spec(FMA), models={"mtcnn/pnet": "0" * 64, "mtcnn/onet": "1" * 64})
    build_dataset(sources_in(heap), out, Handmade, now)
    upgrade(without_number(out))
    assert recorded(out) == ["mtcnn unknown unknown"]
    with pytest.raises(DatasetError, match="mtcnn: unknown unknown -> native avx2"):
        build_dataset(sources_in(heap), out, Handmade, now)
    build_dataset(sources_in(heap), out, Handmade, now, allow_mixed_engines=True)
    assert recorded(out) == ["mtcnn native avx2", "mtcnn unknown unknown"]
    build_dataset(sources_in(heap), out, Handmade, now)


def test_auto_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    here = instruction_sets()
    auto = resolved(Settings())
    assert (auto.engine, auto.isa) == (("native", here[0]) if here else ("onnxruntime", "auto"))
    assert resolved(Settings(engine="onnxruntime")).engine == "onnxruntime"
    assert resolved(Settings(device="cuda")).engine == "onnxruntime"
    monkeypatch.setitem(sys.modules, "facesieve._native", None)
    monkeypatch.delattr("facesieve._native", raising=False)
    assert resolved(Settings(engine="auto")).engine == "onnxruntime"
    with pytest.raises(SettingsError, match="no compiled extension"):
        resolved(Settings(engine="native"))


@needs_native
def test_each_network_has_its_engine() -> None:
    def lines(**given: object) -> list[str]:
        return [engine.line() for engine in engines_of(resolved(Settings(**({"isa": "portable"} | given))))]  # type: ignore[arg-type]

    here = lines(engine="onnxruntime", pose="none")[0].split()[-1]
    assert here in ("avx512", "avx2", "x86_64", "aarch64", "arm64")
    assert lines() == ["mtcnn native portable", "sievepose native portable"]
    assert lines(pose="whenet") == ["mtcnn native portable", f"whenet onnxruntime {here}"]
    assert lines(pose="hopenet") == [f"hopenet onnxruntime {here}", "mtcnn native portable"]
    assert lines(pose="geometric") == ["mtcnn native portable"]
    assert lines(engine="onnxruntime") == [f"mtcnn onnxruntime {here}", f"sievepose onnxruntime {here}"]
    assert lines(device="cuda", pose="none") == ["mtcnn onnxruntime cuda"]


@needs_native
def test_a_build_records_its_engine_and_is_continued_by_its_like_alone(
    run: Run, tmp_path: Path, astronaut: Path, hopper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heap, out = tmp_path / "heap", tmp_path / "out"
    heap.mkdir()
    shutil.copy(astronaut, heap)
    one = Settings.load(workers=1)
    facesieve.build(heap, out, settings=one)
    isa = instruction_sets()[0]
    assert recorded(out) == [f"mtcnn native {isa}", f"sievepose native {isa}"]
    shutil.copy(hopper, heap)
    command = ("build", heap, "-o", out, "-q", "--workers", "1")
    status, _, err = run(*command, "--setting", "engine=onnxruntime")
    assert (status, err.count("\n")) == (2, 3)
    assert f"\n  mtcnn: native {isa} -> onnxruntime " in err and err.endswith("[other_engine]\n")
    monkeypatch.setenv("FACESIEVE_ISA", "portable")
    with pytest.raises(DatasetError, match="-> native portable"):
        facesieve.build(heap, out, settings=Settings.load(workers=1))
    assert run(*command, "--allow-mixed-engines")[0] == 0
    assert recorded(out) == [
        f"{network} native {name}" for network in ("mtcnn", "sievepose") for name in (isa, "portable")
    ]
    monkeypatch.delenv("FACESIEVE_ISA")
    assert facesieve.build(heap, out, settings=one, allow_mixed_engines=True).progress.already == 2


def built(photos: Path, out: Path, isa: str, extra: dict[str, str]) -> dict[str, bytes]:
    """The files of a dataset that a process with this instruction set makes, without what tells the engine."""
    command = [sys.executable, "-m", "facesieve", "build", str(photos), "-o", str(out), "-q", "--keep-rejected"]
    options = ["--workers", "1", "--crops", "face,head", "--marked", "--turns", "4"]
    subprocess.run([*command, *options], env={**os.environ, "FACESIEVE_ISA": isa, **extra}, check=True)
    assert recorded(out) == [f"mtcnn native {isa}", f"sievepose native {isa}"]
    return {name: data for name, data in files_in(out).items() if name != "dataset.json"}


def assert_same(photos: Path, folder: Path, least: int) -> None:
    wide = built(photos, folder / "wide", "avx512", {})
    assert len(facesieve.open_dataset(folder / "wide").faces) >= least
    for name, extra in (("narrow", {}), ("all narrow", ONLY_AVX2)):
        narrow = built(photos, folder / name, "avx2", extra)
        assert {file for file in wide | narrow if wide.get(file) != narrow.get(file)} == set()


@needs_both
def test_avx2_and_avx_512_make_the_same_dataset_to_the_last_bit_of_every_column(
    tmp_path: Path, astronaut: Path, hopper: Path
) -> None:
    """Every file, so every column of both tables, every crop and the contact sheet; also where all else has AVX2."""
    heap = tmp_path / "heap"
    heap.mkdir()
    for name, file in (("a", astronaut), ("h", hopper)):
        pixels = cv2.imread(str(file))
        for at, size in enumerate((1.0, 0.31, 1.7)):
            cv2.imwrite(str(heap / f"{name}{at}.png"), cv2.resize(pixels, None, fx=size, fy=size))
        cv2.imwrite(str(heap / f"{name}-turned.png"), cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE))
    assert_same(heap, tmp_path, least=8)


@needs_both
@pytest.mark.slow
def test_avx2_and_avx_512_make_the_same_dataset_of_191_photos(tmp_path: Path, shared: Path) -> None:
    assert_same(shared / "data/wider_val_dev/images", tmp_path, least=1139)


def test_versions_of_the_decoders_are_recorded() -> None:
    assert {"facesieve", "pillow", "pillow-heif", "simplejpeg", "pyarrow"} <= set(build_spec().origin().versions)
