"""What doctor says of this machine is what the detector then uses."""

from __future__ import annotations

import json
import sys

import pytest

from facesieve import native
from facesieve.detect import load_networks
from facesieve.models.store import Store
from facesieve.native import instruction_sets
from facesieve.settings import Settings


def facts(run) -> dict:
    status, out, err = run("doctor", "--json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_it_names_the_engine_that_the_detector_uses(run) -> None:
    found, settings = facts(run), Settings.load()
    used = type(load_networks(settings, Store(settings))).__name__
    assert used == {"native": "NativeNetworks", "onnxruntime": "OnnxNetworks"}[found["engine"]]
    assert found["models"]["mtcnn"] == "verified"


def test_without_the_extension_it_says_what_would_help(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "facesieve._native", None)
    found = facts(run)
    assert (found["engine"], found["built"], found["instruction set"]) == ("onnxruntime", False, None)
    assert any("C++ compiler" in sentence for sentence in found["advice"])


def test_it_says_when_a_slower_choice_was_made(run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("facesieve._native", reason="needs the compiled extension")
    monkeypatch.setenv("FACESIEVE_ENGINE", "onnxruntime")
    assert any("`engine`" in sentence for sentence in facts(run)["advice"])
    monkeypatch.delenv("FACESIEVE_ENGINE")
    monkeypatch.setenv("FACESIEVE_ISA", "portable")
    if instruction_sets()[0] != "portable":
        assert any("`isa` asks for portable" in sentence for sentence in facts(run)["advice"])


def test_it_says_when_the_instruction_set_does_not_run_here(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "unavailable", lambda: None)
    monkeypatch.setattr(native, "instruction_sets", lambda: ["avx2", "portable"])
    monkeypatch.setenv("FACESIEVE_ISA", "avx512")
    found = facts(run)
    assert (found["engine"], found["instruction set"]) == ("native", None)
    assert any("choose auto or one of avx2, portable" in sentence for sentence in found["advice"])
    status, _, err = run("doctor", "--require-native")
    assert (status, "[not_native]" in err) == (2, True)


def test_absent_and_damaged_models_are_told_apart(run, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    settings = Settings.load()
    for file in Store(settings).files("mtcnn").values():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:-1] + b"?")
    monkeypatch.setenv("FACESIEVE_CACHE_DIR", str(tmp_path))
    found = facts(run)
    assert found["models"]["whenet"] == "absent" and found["models"]["sievepose"] == "verified"
    assert found["models"]["mtcnn"] not in ("verified", "absent")
    assert sum("facesieve models fetch" in sentence for sentence in found["advice"]) == 1


def test_for_a_person_it_prints_a_line_a_fact(run) -> None:
    status, out, _ = run("doctor")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[:2]] == ["engine", "built"]
    assert "mtcnn verified" in out


def test_it_fails_without_the_extension_where_that_is_required(run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("facesieve._native", reason="needs the compiled extension")
    assert run("doctor", "--require-native")[0] == 0
    with monkeypatch.context() as changed:
        changed.setenv("FACESIEVE_ENGINE", "onnxruntime")
        status, out, err = run("doctor", "--require-native")
        assert (status, err.count("\n"), "[not_native]" in err) == (2, 1, True)
        assert out.startswith("engine ")
    monkeypatch.setitem(sys.modules, "facesieve._native", None)
    assert run("doctor", "--require-native")[0] == 2


def test_it_fails_without_the_models_that_the_settings_need(run, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    store = Store(Settings.load())
    store.load("whenet")  # fetch it if it is not here
    assert run("doctor", "--require-models")[0] == 0
    monkeypatch.setenv("FACESIEVE_POSE", "whenet")
    (whenet,), mtcnn = store.files("whenet").values(), store.files("mtcnn").values()
    monkeypatch.setenv("FACESIEVE_CACHE_DIR", str(tmp_path))
    status, out, err = run("doctor", "--require-models")
    assert (status, err.count("\n"), "[models_not_ready]" in err) == (2, 1, True)
    assert "absent or damaged: mtcnn, whenet; run: facesieve models fetch mtcnn; facesieve models fetch whenet" in err
    assert out.startswith("engine ") and run("doctor")[0] == 0
    for file in mtcnn:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert "damaged: whenet; run" in run("doctor", "--require-models")[2]
    (tmp_path / whenet.name).write_bytes(whenet.read_bytes()[:-1] + b"?")
    assert "damaged: whenet; run" in run("doctor", "--require-models")[2]
    monkeypatch.delenv("FACESIEVE_POSE")
    assert run("doctor", "--require-models")[0] == 0, "Sievepose is part of FaceSieve"
    monkeypatch.setenv("FACESIEVE_POSE", "geometric")
    assert run("doctor", "--require-models")[0] == 0, "these settings need no model of the head pose"
    monkeypatch.setenv("FACESIEVE_POSE", "hopenet")
    assert "run: facesieve models add hopenet FILE" in run("doctor", "--require-models")[2]
    assert sorted(tmp_path.iterdir()) == sorted(tmp_path / file.name for file in (*mtcnn, whenet)), (
        "nothing was fetched"
    )
