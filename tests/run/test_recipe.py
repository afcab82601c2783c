"""The build and the dataset as a Python program calls them, with the real networks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

import facesieve
from facesieve import DatasetError, Policy, PolicyError, Progress, Settings, UsageError
from handmade import files_in

README = Path(__file__).parents[2] / "README.md"
PAGE = Path(__file__).parents[2] / "docs" / "python.md"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, hopper: Path) -> Path:
    """Two people in folders of their names, a text, and a picture that cannot be read."""
    root = tmp_path_factory.mktemp("recipe") / "photos"
    for name, portrait in (("Eileen", astronaut), ("Grace", hopper)):
        (root / name).mkdir(parents=True)
        shutil.copy(portrait, root / name)
    (root / "Grace" / "broken.jpg").write_bytes(hopper.read_bytes()[:5000])
    (root / "Grace" / "notes.txt").write_text("no picture")
    (root / ".hidden.png").write_bytes(astronaut.read_bytes())
    return root


@pytest.fixture(scope="module")
def dataset(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recipe") / "out"
    facesieve.build(heap, out, settings=Settings.load(workers=1), label_from="folder", keep_rejected=True)
    return out


def test_it_writes_what_the_command_writes(run: Run, heap: Path, tmp_path: Path) -> None:
    strict = Policy.preset("strict").adjusted(["max_yaw=30"])
    settings = Settings.load(workers=1, min_face_size=40)
    result = facesieve.build(
        [str(heap)], str(tmp_path / "ours"), settings=settings, policy=strict, label_from="folder", crops=["head"]
    )
    options = ("--policy", "strict", "--set", "max_yaw=30", "--label-from", "folder", "--crops", "head")
    status, out, _ = run("build", heap, "-o", tmp_path / "theirs", *options, "--min-face-size", "40", "--workers", "1")
    assert status == 0 and out.splitlines()[-1] == result.counts.line()
    assert files_in(tmp_path / "ours") == files_in(tmp_path / "theirs")


def test_it_returns_what_came_of_it_and_tells_on_the_way(heap: Path, tmp_path: Path) -> None:
    seen, said = list[Progress](), list[str]()
    one = Settings.load(workers=1)
    result = facesieve.build(heap, tmp_path / "out", settings=one, watch=seen.append, announce=said.append)
    assert [progress.done for progress in seen] == [0, 1, 2, 3]
    assert (result.counts.pictures, result.counts.refusals, result.readable) == (3, {"truncated": 1}, 2)
    assert (result.left_out.hidden, result.left_out.other_files) == (1, 1)
    assert said == [result.left_out.line()]
    again = facesieve.build(heap / "Grace", tmp_path / "out", settings=one, announce=said.append)
    assert (again.progress.total, again.progress.already, again.counts) == (0, 2, result.counts)


def test_several_sources_and_every_option_of_reading_are_taken(heap: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "list.csv"
    pictures.write_text(f"who;where\nAda;{heap / 'Eileen' / 'astronaut.png'}\n")
    said = list[str]()
    settings = Settings.load(workers=1)
    options = {"path_column": "where", "label_column": "who", "include_hidden": True, "marked": True}
    result = facesieve.build(
        [pictures, heap / "Grace"], tmp_path / "out", settings=settings, announce=said.append, crops="face", **options
    )
    assert result.counts.pictures == 3
    rows = facesieve.open_dataset(tmp_path / "out").pictures.to_pylist()
    assert {row["label"] for row in rows} == {"Ada", ""}
    assert list((tmp_path / "out" / "marked").rglob("*.jpg")) and list((tmp_path / "out" / "crops/face").rglob("*.jpg"))
    gone = facesieve.build(
        pictures, tmp_path / "out", settings=settings, crops="face", prune=True, announce=said.append, **options
    )
    assert (gone.gone, gone.pruned) == ((), True)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"crops": ["ear"]}, "unknown_crop"),
        ({"label_from": "people"}, "bad_label_from"),
        ({"archive_encoding": "nope"}, "bad_encoding"),
    ],
)
def test_an_option_that_is_off_is_told_before_anything_is_written(
    heap: Path, tmp_path: Path, options: dict[str, object], code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        facesieve.build(heap, tmp_path / "out", settings=Settings.load(workers=1), **options)
    assert caught.value.code == code
    assert not (tmp_path / "out").exists()


def test_nothing_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file or folder"):
        facesieve.build(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(DatasetError, match="not a finished dataset"):
        facesieve.open_dataset(tmp_path / "nowhere")


def test_a_dataset_shows_its_tables_and_explains_a_face(dataset: Path) -> None:
    opened = facesieve.open_dataset(str(dataset))
    assert (len(opened.faces), len(opened.pictures)) == (2, 3)
    assert opened.policy == Policy.preset()
    face = opened.faces.to_pylist()[0]
    explained = opened.explain(face["face_id"][:8])
    assert [finding.measure for finding in explained.findings] == [rule.measure for rule in opened.policy.rules]
    assert explained.measures["sharpness"] == face["sharpness"]
    with pytest.raises(UsageError, match="No face"):
        opened.explain("ffffffffffff")


def test_a_dataset_is_judged_again_in_memory_and_into_a_new_folder(dataset: Path, tmp_path: Path) -> None:
    opened = facesieve.open_dataset(dataset)
    assert opened.rejudge().after == opened.rejudge().before
    nothing = opened.policy.adjusted(["min_confidence=2"])
    before = files_in(dataset)
    assert opened.rejudge(nothing).after.kept == 0
    new = opened.rejudge(nothing, tmp_path / "new")
    written = facesieve.open_dataset(tmp_path / "new")
    assert written.policy == nothing
    assert written.faces.equals(new.faces)
    assert files_in(dataset) == before
    with pytest.raises(PolicyError, match="nope"):
        opened.rejudge(Policy.parse({"name": "x", "rules": [{"measure": "nope", "low": 1, "reason": "blurred"}]}))


def test_a_script_may_build_with_several_workers_without_being_run_again(tmp_path: Path, astronaut: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    portrait = cv2.imread(str(astronaut))
    for number in range(17):
        cv2.imwrite(str(photos / f"{number}.png"), portrait[number : number + 100, :100])
    script = tmp_path / "script.py"
    script.write_text(
        "import facesieve\nprint('here', flush=True)\n"
        "result = facesieve.build('photos', 'out', settings=facesieve.Settings.load(workers=2))\n"
        "print(result.counts.pictures)\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "here\n17\n", "")


@pytest.mark.parametrize("page", [README, PAGE])
def test_the_documented_example_runs(page: Path, heap: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    examples = [block for block in blocks if "facesieve.build(" in block]
    assert examples and all("facesieve.open_dataset(" in example for example in examples)
    for photos in ("photos", "facesieve-demo/photos"):
        shutil.copytree(heap, tmp_path / photos)
    for example in examples:
        done = subprocess.run(
            [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "pictures: 3 = 2 read + 1 refused" in done.stdout


def test_every_public_name_is_there_and_on_the_page() -> None:
    assert facesieve.__all__ == sorted(facesieve.__all__)
    assert set(facesieve.__all__) == {*facesieve._MODULES, "__version__"}
    for name in facesieve.__all__:
        assert getattr(facesieve, name) is not None
    listed = PAGE.read_text(encoding="utf-8").split("## All names\n")[1]
    documented = set(re.findall(r"^\| `(\w+)", listed, re.MULTILINE))
    assert documented == set(facesieve.__all__)
