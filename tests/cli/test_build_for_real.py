"""The whole job with the real networks on real portraits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import onnxruntime as ort
import pyarrow.parquet as pq
import pytest

from facesieve.models.session import CUDA
from handmade import files_in

NO_GPU = pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="this is ONNX Runtime's GPU package")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, hopper: Path) -> Path:
    """Two people in folders of their own: good, blurred, two on one picture, nobody, and no picture."""
    root = tmp_path_factory.mktemp("heap")
    eileen, grace = cv2.imread(str(astronaut)), cv2.imread(str(hopper))
    for name in ("Eileen", "Grace"):
        (root / name).mkdir()
    shutil.copy(astronaut, root / "Eileen" / "good.png")
    shutil.copy(hopper, root / "Grace" / "good.jpg")
    cv2.imwrite(str(root / "Eileen" / "blurred.png"), cv2.GaussianBlur(eileen, (0, 0), 4))
    cv2.imwrite(str(root / "Grace" / "both.png"), cv2.hconcat([eileen, grace[:512]]))
    cv2.imwrite(str(root / "Grace" / "nobody.png"), eileen[300:, 300:])
    (root / "Grace" / "broken.jpg").write_bytes(hopper.read_bytes()[:9000])
    return root


def rows_of(dataset: Path, name: str = "faces") -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(dataset / f"{name}.parquet").to_pylist()
    return rows


def test_real_photos_become_a_dataset_whose_books_balance(run: Run, heap: Path, tmp_path: Path) -> None:
    status, out, _ = run("build", heap, "-o", tmp_path / "out", "--label-from", "folder", "--marked", "-q")
    assert status == 0
    assert out.startswith("pictures: 6 = 5 read + 1 refused (truncated 1) | faces: 5 = 4 kept + 1 rejected (blurred 1")
    faces = {(Path(str(row["source"])).name, row["kept"]): row for row in rows_of(tmp_path / "out")}
    good = faces["good.png", True]
    assert good["label"] == "Eileen"
    assert (tmp_path / "out" / str(good["file_name"])).is_file()
    assert abs(float(str(good["yaw"]))) < 10
    assert faces["blurred.png", False]["reasons"] == ["blurred"]
    assert len(list((tmp_path / "out" / "marked").rglob("*.jpg"))) == 5


def test_batches_shards_threads_and_runs_change_no_byte(run: Run, heap: Path, tmp_path: Path) -> None:
    options = ("--keep-rejected", "--marked", "--crops", "face,head", "-q")
    assert run("build", heap, "-o", tmp_path / "one", *options)[0] == 0
    small = ("--setting", "batch_size=2", "--setting", "shard_size=1", "--setting", "threads=2")
    assert run("build", heap / "Grace", "-o", tmp_path / "two", *options, *small)[0] == 0
    assert run("build", heap, "-o", tmp_path / "two", *options, "--setting", "batch_size=3")[0] == 0
    assert files_in(tmp_path / "one") == files_in(tmp_path / "two")


def test_judging_again_is_building_with_the_other_policy(run: Run, heap: Path, tmp_path: Path) -> None:
    options = ("--keep-rejected", "--crops", "face", "-q")
    run("build", heap, "-o", tmp_path / "reference", *options)
    run("build", heap, "-o", tmp_path / "built", *options, "--policy", "lenient", "--set", "max_yaw=0.5")
    status, out, _ = run(
        *("sieve", tmp_path / "reference", "--policy", "lenient", "--set", "max_yaw=0.5"), "-o", tmp_path / "judged"
    )
    assert status == 0 and out.splitlines()[-1].startswith("after  | pictures: 6 = ")
    judged, built = files_in(tmp_path / "judged"), files_in(tmp_path / "built")
    assert judged["faces.parquet"] != files_in(tmp_path / "reference")["faces.parquet"]
    assert judged == built


def test_json_is_one_object_on_stdout_and_progress_is_on_stderr(run: Run, heap: Path, tmp_path: Path) -> None:
    status, out, err = run("build", heap / "Eileen", "-o", tmp_path / "out", "--json")
    summary = json.loads(out)
    assert status == 0
    assert (summary["pictures"], summary["with_rows"], summary["faces"], summary["kept"]) == (2, 2, 2, 1)
    assert err.splitlines()[-1].startswith("2/2 pictures, ") and "1 kept, 1 rejected, 0 refused" in err


def test_an_archive_is_a_source_and_its_folders_are_labels(run: Run, heap: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "heap.zip", "w") as archive:
        archive.write(heap / "Eileen" / "good.png", "Eileen Collins/portrait.png")
        archive.write(heap / "Eileen" / "good.png", "../../up.png")
    run("build", tmp_path / "heap.zip", "-o", tmp_path / "out", "--label-from", "folder", "-q")
    [face] = rows_of(tmp_path / "out")
    assert face["label"] == "Eileen Collins" and str(face["source"]).endswith("heap.zip!Eileen Collins/portrait.png")
    assert [row["refusal"] for row in rows_of(tmp_path / "out", "pictures")] == ["unsafe_name", None]


def test_a_dataset_inside_its_own_source_is_not_taken_for_photos(
    run: Run, heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(heap / "Eileen" / "good.png", tmp_path)
    monkeypatch.chdir(tmp_path)
    first = run("build", ".", "-o", "out", "-q")
    assert first[1].startswith("pictures: 1 = 1 read")
    assert run("build", ".", "-o", "out", "-q") == first


def test_exit_1_when_nothing_could_be_read_and_the_dataset_says_why(run: Run, heap: Path, tmp_path: Path) -> None:
    status, out, _ = run("build", heap / "Grace" / "broken.jpg", "-o", tmp_path / "out", "-q")
    assert status == 1
    assert out == "pictures: 1 = 0 read + 1 refused (truncated 1) | faces: 0 = 0 kept + 0 rejected\n"
    assert rows_of(tmp_path / "out", "pictures")[0]["refusal"] == "truncated"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nowhere"], "missing_source"),
        (["empty"], "empty_source"),
        (["."], "missing_source"),
        (["good.png", "--setting", "nope=1"], "bad_setting"),
        (["good.png", "--setting", "crop_size"], "bad_setting"),
        (["good.png", "--min-face-size", "small"], "bad_setting"),
        (["good.png", "--device", "abacus"], "bad_setting"),
        pytest.param(["good.png", "--device", "cuda"], "no_cuda", marks=NO_GPU),
        (["good.png", "--set", "max_nope=1"], "unknown_measure"),
        (["good.png", "--policy", "severe"], "unknown_preset"),
        (["good.png", "--crops", "hand"], "unknown_crop"),
        (["good.png", "--settings", "nowhere.toml"], "unreadable_settings"),
    ],
)
def test_what_is_off_is_one_sentence_exit_2_and_nothing_written(
    run: Run, heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    shutil.copy(heap / "Eileen" / "good.png", tmp_path)
    arguments = ["nowhere/at/all" if argument == "." else argument for argument in arguments]
    status, out, err = run("build", *arguments, "-o", "out")
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and err.endswith(f"[{code}]\n") and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_other_options_are_refused_with_the_difference(run: Run, heap: Path, tmp_path: Path) -> None:
    run("build", heap / "Eileen", "-o", tmp_path / "out", "-q")
    before = files_in(tmp_path / "out")
    status, _, err = run("build", heap, "-o", tmp_path / "out", "--set", "max_roll=9", "--marked")
    assert status == 2 and err.endswith("[other_settings]\n")
    assert "  options.marked: False -> True" in err and "high: 25.0 -> 9.0" in err
    assert files_in(tmp_path / "out") == before


def test_interrupted_it_says_how_to_go_on_and_does(heap: Path, tmp_path: Path) -> None:
    sources = [tmp_path / f"{index}.png" for index in range(12)]
    portrait = cv2.imread(str(heap / "Eileen" / "good.png"))
    for index, source in enumerate(sources):
        cv2.imwrite(str(source), portrait[index : index + 256, index + 100 : index + 356])
    command = [sys.executable, "-m", "facesieve", "build", str(tmp_path), "-o", str(tmp_path / "out")]
    env = os.environ | {"FACESIEVE_SHARD_SIZE": "1", "FACESIEVE_BATCH_SIZE": "1"}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    parts = tmp_path / "out" / ".facesieve" / "parts"
    while child.poll() is None and len(list(parts.glob("*.parquet"))) < 2:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    assert "the same command continues" in err and "Traceback" not in err
    done = len(list(parts.glob("*.parquet")))
    assert 2 <= done < 12
    finished = subprocess.run([*command, "--json"], capture_output=True, text=True, env=env, check=True)
    assert json.loads(finished.stdout)["pictures"] == 12
    assert f"{done} already there" in finished.stderr


def test_the_demo_keeps_good_portraits_and_gives_reasons_for_the_others(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("demo", "-o", tmp_path / "demo", "-q")
    assert status == 0
    dataset = tmp_path / "demo" / "dataset"
    reasons = {Path(str(row["source"])).stem: row["reasons"] for row in rows_of(dataset)}
    assert reasons["eileen-collins"] == reasons["grace-hopper"] == []
    assert "blurred" in reasons["eileen-collins-blurred"] and "blurred" in reasons["grace-hopper-blurred"]
    assert reasons["eileen-collins-tilted"] == ["tilted"]
    assert reasons["eileen-collins-dark"] and reasons["eileen-collins-small"]
    assert "turned" in reasons["cameraman"]
    assert f"every face with its numbers and reasons: {dataset / 'contact_sheet.html'}\n" in out
    assert "grace-hopper-cut-short.jpg" in out and "truncated" in out
    assert out.splitlines()[-1].startswith("pictures: 12 = 11 read + 1 refused (truncated 1)")
    assert run("demo", "-o", tmp_path / "demo", "-q")[1] == out, "a second run redoes nothing and says the same"


def test_the_demo_without_its_portraits_names_what_to_install(run: Run, tmp_path: Path, monkeypatch) -> None:
    import facesieve.demo

    monkeypatch.setattr(facesieve.demo, "find_spec", lambda name: None)
    status, _, err = run("demo", "-o", tmp_path / "demo")
    assert status == 2 and "pip install 'facesieve[demo]'" in err
    assert not (tmp_path / "demo").exists()


def test_four_turns_make_the_dataset_of_the_upright_picture(run: Run, astronaut: Path, tmp_path: Path) -> None:
    pixels = cv2.imread(str(astronaut))
    for name, way in (("upright", None), ("on its head", cv2.ROTATE_180), ("on its side", cv2.ROTATE_90_CLOCKWISE)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "x.png"), pixels if way is None else cv2.rotate(pixels, way))
        options = ("--turns", 4, "--crops", "face,head", "--marked", "-q")
        assert run("build", tmp_path / name, "-o", tmp_path / f"{name}.out", *options)[0] == 0
    by_name = {
        name: {
            path.parent.relative_to(tmp_path / f"{name}.out").as_posix(): path.read_bytes()
            for path in (tmp_path / f"{name}.out").rglob("*.*")
            if path.suffix in (".png", ".jpg")
        }
        for name in ("upright", "on its head", "on its side")
    }
    assert len(by_name["upright"]) == 4, "aligned crop, face, head, marked picture"
    assert by_name["on its head"] == by_name["on its side"] == by_name["upright"]
    turns = {name: rows_of(tmp_path / f"{name}.out", "pictures")[0]["turn"] for name in by_name}
    assert turns == {"upright": 0, "on its head": 180, "on its side": 270}


def test_several_kept_faces_under_one_label_are_told(run: Run, heap: Path, tmp_path: Path) -> None:
    status, _, said = run("build", heap, "-o", tmp_path / "out", "--label-from", "folder", "-q")
    assert status == 0
    assert said.startswith("note: 1 picture has several kept faces under one label; ")
    status, out, said = run("build", heap, "-o", tmp_path / "out", "--label-from", "folder", "-q", "--json")
    assert json.loads(out)["pictures_with_several_kept_faces_under_one_label"] == 1
    assert said == ""


def test_without_labels_several_faces_of_a_picture_are_nothing_to_tell(run: Run, heap: Path, tmp_path: Path) -> None:
    status, _, said = run("build", heap, "-o", tmp_path / "out", "-q")
    assert (status, said) == (0, "")


def test_a_deleted_photo_is_told_and_prune_removes_what_was_made_from_it(
    run: Run, tmp_path: Path, astronaut: Path, hopper: Path
) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(astronaut, tmp_path / "photos" / "1.png")
    shutil.copy(hopper, tmp_path / "photos" / "2.jpg")
    command = ("build", tmp_path / "photos", "-o", tmp_path / "out", "-q")
    run(*command)
    (tmp_path / "photos" / "2.jpg").unlink()
    status, out, err = run(*command)
    assert status == 0 and out.startswith("pictures: 2 = ")
    assert err == (
        f"gone from the sources: 1 file ({tmp_path / 'photos' / '2.jpg'}); kept in the dataset (--prune removes them)\n"
    )
    status, out, err = run(*command, "--prune", "--json")
    assert status == 0 and "; removed\n" in err
    summary = json.loads(out)
    assert (summary["pictures"], summary["gone"], summary["pruned"]) == (1, 1, True)
    assert len(list((tmp_path / "out" / "kept").rglob("*.png"))) == 1
    assert run("check", tmp_path / "out")[0] == 0


def test_a_crop_that_was_deleted_is_told_and_made_again(run: Run, tmp_path: Path, hopper: Path) -> None:
    command = ("build", hopper, "-o", tmp_path / "out", "-q")
    run(*command)
    (crop,) = (tmp_path / "out" / "kept").rglob("*.png")
    good = crop.read_bytes()
    crop.unlink()
    status, _, err = run(*command)
    assert status == 0
    name = crop.relative_to(tmp_path / "out").as_posix()
    assert err == f"missing or damaged: 1 file ({name}); their pictures were processed again\n"
    assert crop.read_bytes() == good


def test_a_dataset_in_a_folder_whose_name_is_no_text_is_built_checked_and_judged(tmp_path: Path, hopper: Path) -> None:
    for root in (b"d\xff", b"faces-10:30"):
        commands = [["build", hopper, "-o", root], ["check", root], ["sieve", root, "-o", root + b"-new"]]
        for command in commands:
            done = subprocess.run(
                [sys.executable, "-m", "facesieve", *command], cwd=tmp_path, capture_output=True, check=False
            )
            assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
