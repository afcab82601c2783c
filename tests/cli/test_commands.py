"""The commands as a user meets them: words, streams and exit codes. No network runs here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from facesieve.run.build import build
from facesieve.settings import Settings
from handmade import Handmade, making, photos, sources_in

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def dataset(tmp_path: Path, astronaut: Path) -> Path:
    build(sources_in(photos(tmp_path / "heap", astronaut)), tmp_path / "out", Handmade, making())
    return tmp_path / "out"


def test_help_names_every_command_and_version_is_one_line(run) -> None:
    status, out, _ = run("--help")
    assert status == 0
    assert all(
        f"\n  {name} " in out
        for name in ("build", "sieve", "explain", "check", "forget", "upgrade", "settings", "doctor", "demo", "models")
    )
    assert run("--version") == (0, "facesieve 0.1.0\n", "")


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, facesieve.cli as cli; cli.application(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "facesieve.cli.build" in loaded
    assert not {"numpy", "cv2", "pyarrow", "onnxruntime", "pydantic", "facesieve.settings"} & set(loaded)


@pytest.mark.parametrize(
    "arguments",
    [
        "--nope",
        "bild",
        "build",
        "build x",
        "build x -o",
        "build x -o y --nope",
        "explain x",
        "build x -o y --label-from z",
    ],
)
def test_a_request_that_is_off_exits_2(run: Run, arguments: str) -> None:
    status, out, err = run(*arguments.split())
    assert (status, out) == (2, "")
    assert "Error" in err or "Usage" in err


def test_every_setting_is_printed_with_default_name_and_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESIEVE_MIN_FACE_SIZE", "33")
    status, out, _ = run("settings")
    assert status == 0
    for name, field in Settings.model_fields.items():
        assert f"\n{name} = " in "\n" + out and f"    {field.description}\n    FACESIEVE_{name.upper()}\n" in out
    assert "min_face_size = 33   (default 20)\n" in out
    rows = {row["name"]: row for row in json.loads(run("settings", "--json")[1])}
    assert (rows["min_face_size"]["value"], rows["min_face_size"]["default"]) == (33, 20)


def test_the_environment_wins_over_a_file_and_a_given_value_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("min_face_size = 30\nbatch_size = 3\nthreads = 2\n[service]\nport = 1\n")
    monkeypatch.setenv("FACESIEVE_BATCH_SIZE", "4")
    monkeypatch.setenv("facesieve_steps_threshold", "[0.5, 0.6, 0.7]")
    monkeypatch.setenv("FACESIEVE_THREADS", "5")
    settings = Settings.load(file, threads=6)
    assert (settings.min_face_size, settings.batch_size, settings.threads) == (30, 4, 6)
    assert settings.steps_threshold == (0.5, 0.6, 0.7)
    assert Settings.load().batch_size == 4 and Settings().batch_size == 16


@pytest.mark.parametrize(
    ("name", "value"), [("STEPS_THRESHOLD", "half"), ("OFFLINE", "perhaps"), ("BATCH_SIZE", "0"), ("ENGINE", "steam")]
)
def test_a_variable_that_cannot_be_read_is_an_error_that_names_the_setting(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"FACESIEVE_{name}", value)
    status, out, err = run("settings")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert name.lower() in err and err.endswith("[bad_setting]\n")


def test_an_error_of_ours_is_one_sentence_with_its_code(run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    status, out, err = run("explain", missing, "ab")
    assert (status, out) == (2, "")
    assert err == f"error: {missing / 'dataset.json'} is missing: not a dataset. [not_a_dataset]\n"


def test_explain_shows_every_rule_with_value_limits_and_outcome(run: Run, dataset: Path) -> None:
    row = next(row for row in pq.read_table(dataset / "faces.parquet").to_pylist() if not row["kept"])
    status, out, _ = run("explain", dataset, row["face_id"][:12])
    assert status == 0
    lines = out.splitlines()
    assert lines[0].endswith(row["face_id"]) and row["source"] in lines[1]
    assert f"x {row['box_x']:.0f}, y {row['box_y']:.0f}," in lines[2]
    assert "rejected: " + ", ".join(row["reasons"]) in out
    assert next(line for line in lines if line.startswith("blur ")).split()[:7] == [
        *("blur", f"{row['blur']:.5g}", "at", "least", "100", "FAIL", "blurred:")
    ]
    (check,) = json.loads(run("explain", dataset, row["face_id"], "--json")[1])["checks"]
    expected = {"measure": "blur", "value": row["blur"], "low": 100, "high": None, "passed": False, "reason": "blurred"}
    assert {name: check[name] for name in expected} == expected


def test_a_prefix_must_fit_one_face(run: Run, dataset: Path) -> None:
    status, _, err = run("explain", dataset, "zz")
    assert status == 2 and "[no_such_face]" in err
    status, _, err = run("explain", dataset, "")
    assert status == 2 and "[ambiguous_face]" in err


def test_a_reader_that_stops_listening_is_no_error() -> None:
    command = f"{sys.executable} -m facesieve settings | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("max_file_bytes = 104857600\n", "")


def test_check_says_what_is_wrong_and_repair_sets_it_right(run: Run, dataset: Path) -> None:
    status, out, err = run("check", dataset)
    assert (status, err) == (0, "") and out.endswith(" files are whole\n")
    crop = sorted(dataset.glob("kept/*/*.png"))[0]
    crop.write_bytes(crop.read_bytes()[:-1])
    (dataset / "contact_sheet.html").unlink()
    status, out, err = run("check", dataset)
    assert status == 2
    assert f"damaged   {crop.relative_to(dataset).as_posix()}\n" in out and "missing   contact_sheet.html\n" in out
    assert err == (f"error: 2 files of {dataset} not as written; --repair sets right what can be. [damaged_dataset]\n")
    status, out, _ = run("check", dataset, "--json")
    assert status == 2
    assert {fault["code"] for fault in json.loads(out)["faults"]} == {"damaged", "missing"}
    status, out, err = run("check", dataset, "--repair")
    assert (status, err) == (0, "")
    assert "missing   contact_sheet.html   set right\n" in out
    assert "1 pictures will be done again by the next build\n" in out or "2 pictures" in out
    assert run("check", dataset)[0] == 0


def test_forget_says_what_it_removed(run: Run, dataset: Path) -> None:
    row = next(row for row in pq.read_table(dataset / "pictures.parquet").to_pylist() if row["faces"])
    status, out, err = run("forget", dataset, row["source"])
    assert (status, err) == (0, "")
    assert out.startswith(f"forgotten: 1 pictures, {row['faces']} faces, ")
    assert row["source"] not in pq.read_table(dataset / "pictures.parquet")["source"].to_pylist()
    status, _, err = run("forget", dataset, row["source"])
    assert status == 2 and err.endswith("[nothing_to_forget]\n")
    assert json.loads(run("forget", dataset, "Grace/000.png", "--json")[1])["pictures"] == 1


@pytest.mark.parametrize("name", ["made.json", "dataset.json"])
def test_what_made_a_dataset_without_a_key_is_one_sentence(run: Run, dataset: Path, name: str) -> None:
    path = dataset / ".facesieve" / name if name == "made.json" else dataset / name
    shutil.rmtree(dataset / ".facesieve" / "sums")
    values = json.loads(path.read_text())
    for key in values.keys() - {"counts", "limits"}:
        path.write_text(json.dumps({other: value for other, value in values.items() if other != key}))
        for command in (("sieve", dataset), ("explain", dataset, "ab"), ("check", dataset)):
            if name == "dataset.json" or command[0] == "check":
                status, _, err = run(*command)
                assert (status, err.count("\n")) == (2, 1) and err.startswith("error: ")
