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

from facesieve.dataset.disk.outputs import Outputs
from facesieve.errors import SettingsError
from facesieve.run.build import build_dataset
from facesieve.settings import Settings
from handmade import Handmade, build_spec, photos, sources_in

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def dataset(tmp_path: Path, astronaut: Path) -> Path:
    build_dataset(sources_in(photos(tmp_path / "heap", astronaut)), tmp_path / "out", Handmade, build_spec())
    return tmp_path / "out"


def test_help_names_every_command_and_version_is_one_line(run) -> None:
    status, out, _ = run("--help")
    assert status == 0
    assert all(
        f"\n  {name} " in out
        for name in ("build", "sieve", "explain", "check", "forget", "upgrade", "settings", "doctor", "demo", "models")
    )
    assert run("--version") == (0, "facesieve 0.2.0.dev0\n", "")


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
        assert f"\n{name} = " in out and f"# {field.description}\n# FACESIEVE_{name.upper()}\n" in out
    assert "# FACESIEVE_POSE\n# one of: sievepose, whenet, hopenet, geometric, none\n" in out
    assert "# default: 20\nmin_face_size = 33\n" in out
    rows = {row["name"]: row for row in json.loads(run("settings", "--json")[1])}
    assert (rows["min_face_size"]["value"], rows["min_face_size"]["default"]) == (33, 20)
    assert rows["alignment"]["choices"] == ["similarity", "affine", "perspective"]


@pytest.mark.parametrize("options", [[], ["--service"], ["--queue"]])
def test_what_settings_prints_is_a_settings_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("FACESIEVE_SCALE_FACTOR", "0.8")
    monkeypatch.setenv("FACESIEVE_CACHE_DIR", '/models/\u9762 "a"')
    monkeypatch.setenv("FACESIEVE_SERVICE_PORT", "8000")
    monkeypatch.setenv("FACESIEVE_QUEUE_BATCH", "3")
    printed = run("settings", *options)[1]
    values = run("settings", *options, "--json")[1]
    (file := tmp_path / "settings.toml").write_text(printed)
    for name in ("SCALE_FACTOR", "CACHE_DIR", "SERVICE_PORT", "QUEUE_BATCH"):
        monkeypatch.delenv(f"FACESIEVE_{name}")
    assert run("settings", *options, "--settings", str(file), "--json")[1] == values
    assert any(row["value"] != row["default"] for row in json.loads(values))


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


def test_a_choice_of_numbers_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESIEVE_TURNS", "4")
    assert Settings.load().turns == 4
    for wrong in ("2", "four", "4.5"):
        monkeypatch.setenv("FACESIEVE_TURNS", wrong)
        with pytest.raises(SettingsError, match="FACESIEVE_TURNS"):
            Settings.load()


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


def test_a_misspelt_setting_names_the_nearest_one(run: Run) -> None:
    status, _, err = run("build", "x", "-o", "y", "--setting", "min_fac_size=40")
    assert (status, err) == (
        2,
        "error: There is no setting 'min_fac_size'; did you mean min_face_size? [bad_setting]\n",
    )
    for name, near in (("min_fac", "did you mean min_face_size?"), ("steam", "no setting 'steam'.")):
        with pytest.raises(SettingsError) as caught:
            Settings(**{name: 3})
        assert caught.value.message.endswith(near)
    with pytest.raises(SettingsError, match="'min_face_size': Input should be greater"):
        Settings(min_face_size=1)


def test_an_error_of_ours_is_one_sentence_with_its_code(run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    status, out, err = run("explain", missing, "ab")
    assert (status, out) == (2, "")
    assert err == f"error: {missing / 'dataset.json'} is missing, so this is not a finished dataset. [not_a_dataset]\n"


def test_a_reader_that_stops_listening_is_no_error() -> None:
    command = f"{sys.executable} -m facesieve settings | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("# Largest encoded picture that is read, in bytes.\n", "")


def test_check_says_what_is_wrong_and_repair_sets_it_right(run: Run, dataset: Path) -> None:
    status, out, err = run("check", dataset)
    assert (status, err) == (0, "") and out.endswith(" files are undamaged\n")
    crop = sorted(dataset.glob("kept/*/*.png"))[0]
    crop.write_bytes(crop.read_bytes()[:-1])
    (dataset / "contact_sheet.html").unlink()
    status, out, err = run("check", dataset)
    assert status == 2
    assert f"damaged   {crop.relative_to(dataset).as_posix()}\n" in out and "missing   contact_sheet.html\n" in out
    assert err == (f"error: Faults in 2 files of {dataset}; repair it with --repair. [damaged_dataset]\n")
    status, out, _ = run("check", dataset, "--json")
    assert status == 2
    assert {fault["code"] for fault in json.loads(out)["faults"]} == {"damaged", "missing"}
    status, out, err = run("check", dataset, "--repair")
    assert (status, err) == (0, "")
    assert "missing   contact_sheet.html   repaired\n" in out
    assert "1 picture will be processed again by the next build\n" in out or "2 pictures" in out
    assert run("check", dataset)[0] == 0


def test_rows_that_went_with_a_part_of_the_ledger_are_told_by_every_check(run: Run, dataset: Path) -> None:
    (part,) = (dataset / ".facesieve" / "parts").iterdir()
    part.write_bytes(part.read_bytes()[:-9])
    status, out, err = run("check", dataset, "--repair")
    assert (status, err) == (0, "")
    assert "damaged   .facesieve/parts/00000000.parquet   its rows are gone\n" in out
    line = "1 ledger part was damaged: the rows of 16 pictures are gone until you run the same build again\n"
    assert out.endswith(line) and run("check", dataset)[1].endswith(line)
    report = json.loads(run("check", dataset, "--json")[1])
    assert (report["undone"], report["lost"]) == (16, {"parts": 1, "pictures": 16})


def test_check_says_that_a_dataset_without_ledger_cannot_be_added_to(run: Run, dataset: Path, tmp_path: Path) -> None:
    assert run("sieve", dataset, "--set", "max_yaw=99", "-o", tmp_path / "new")[0] == 0
    status, out, _ = run("check", tmp_path / "new")
    assert status == 0 and out.endswith("it can be read and judged again, but no pictures can be added.\n")
    (tmp_path / "new" / "contact_sheet.html").unlink()
    for option in ((), ("--repair",)):
        status, _, err = run("check", tmp_path / "new", *option)
        assert status == 2 and "; judge the original dataset again" in err
    assert "added to" not in run("check", dataset)[1]
    shutil.rmtree(dataset / ".facesieve")
    status, out, _ = run("check", dataset)
    assert status == 0 and "no pictures can be added.\n" in out
    assert not json.loads(run("check", dataset, "--json")[1])["continuable"]


def test_sieve_prints_one_line_when_it_is_asked_to_be_quiet(run: Run, dataset: Path) -> None:
    _, out, _ = run("sieve", dataset, "--set", "max_yaw=99", "-q")
    assert out.startswith("pictures: 16 = ") and out.count("\n") == 1


def test_sieve_lists_the_faces_whose_verdict_changes(run: Run, dataset: Path, tmp_path: Path) -> None:
    before = {row["face_id"]: row["kept"] for row in pq.read_table(dataset / "faces.parquet").to_pylist()}
    options = ("--set", "min_blur=50", "--list")
    changes = json.loads(run("sieve", dataset, *options, "--json")[1])["changes"]
    run("sieve", dataset, *options, "-o", tmp_path / "new")
    after = pq.read_table(tmp_path / "new" / "faces.parquet").to_pylist()
    turned = [row for row in after if row["kept"] != before[row["face_id"]]]
    assert turned and changes == [
        {name: row[name] for name in ("face_id", "source", "label", "kept", "reasons")} for row in turned
    ]
    lines = run("sieve", dataset, *options)[1].splitlines()
    first = turned[0]
    verdict = "kept" if first["kept"] else "rejected"
    assert lines[1] == f"{verdict:<8}  {first['face_id']}  {first['source']}  {', '.join(first['reasons'])}".rstrip()
    assert sum(line.startswith(("kept    ", "rejected  ")) for line in lines) == len(turned)
    assert json.loads(run("sieve", tmp_path / "new", "--list", "--json")[1])["changes"] == []


def test_forget_says_what_it_removed(run: Run, dataset: Path) -> None:
    row = next(row for row in pq.read_table(dataset / "pictures.parquet").to_pylist() if row["faces"])
    status, out, err = run("forget", dataset, row["source"])
    assert (status, err) == (0, "")
    faces = "1 face" if row["faces"] == 1 else f"{row['faces']} faces"
    assert out.startswith(f"forgotten: 1 picture, {faces}, ") and out.count("\n") == 1
    assert row["source"] not in pq.read_table(dataset / "pictures.parquet")["source"].to_pylist()
    status, _, err = run("forget", dataset, row["source"])
    assert status == 2 and err.endswith("[nothing_to_forget]\n")
    assert json.loads(run("forget", dataset, "Grace/000.png", "--json")[1])["pictures"] == 1
    assert run("forget", dataset)[2].endswith("[nothing_named]\n")
    assert run("forget", dataset, "--label", "Ada")[0] == 0
    assert not {"Ada"} & set(pq.read_table(dataset / "pictures.parquet")["label"].to_pylist())


def test_forgetting_a_face_of_a_marked_picture_says_why_the_picture_went(
    run: Run, tmp_path: Path, astronaut: Path
) -> None:
    build_dataset(
        sources_in(photos(tmp_path / "heap", astronaut)), tmp_path / "out", Handmade, build_spec(Outputs(marked=True))
    )
    faces = pq.read_table(tmp_path / "out" / "faces.parquet").to_pylist()
    face = next(row for row in faces if not row["kept"] and "001" not in row["source"] and "not" not in row["source"])
    out = run("forget", tmp_path / "out", face["face_id"])[1]
    assert out.endswith("\n1 picture was removed with all faces, because the marked copy shows the face\n")


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
