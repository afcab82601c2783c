"""Crops of another size: from pictures that have moved, behind URLs, and refused where a format has none."""

from __future__ import annotations

import shutil
import threading
import zipfile
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facesieve.dataset.disk.outputs import Outputs
from facesieve.errors import DatasetError, UsageError
from facesieve.export.export import export_dataset
from facesieve.export.verify import verify_export
from facesieve.run.build import build_dataset
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, find_sources
from handmade import Handmade, build_spec, files_in, photos

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return photos(Path("photos"), astronaut, 4)


def built(*sources: str) -> Path:
    settings = Settings.load()
    found = find_sources([*sources], settings, SourceOptions("folder")).sources
    build_dataset(found, Path("dataset"), Handmade, build_spec(Outputs(keep_rejected=True)))
    return Path("dataset")


def pictures_in(out: str) -> dict[str, bytes]:
    return {name: data for name, data in files_in(Path(out)).items() if name.endswith(".png")}


def test_pictures_that_have_moved_are_found_under_the_last_parts_of_their_names(heap: Path) -> None:
    dataset = built("photos")
    export_dataset(dataset, "imagefolder", "before", size=64)
    Path("photos").rename("archive")
    with pytest.raises(DatasetError, match="--pictures"):
        export_dataset(dataset, "imagefolder", "gone", size=64)
    export_dataset(dataset, "imagefolder", "after", size=64, pictures="archive")
    assert pictures_in("after") == pictures_in("before") != {}
    assert verify_export(dataset, Path("after"), Settings.load(), lambda progress: None, Path("archive")) > 0
    for path in Path("archive").rglob("*.png"):
        path.write_bytes(path.read_bytes() + b"changed")
    with pytest.raises(DatasetError, match="has changed since the build"):
        export_dataset(dataset, "imagefolder", "changed", size=64, pictures="archive")


def test_members_of_an_archive_that_has_moved(heap: Path) -> None:
    with zipfile.ZipFile("album.zip", "w") as archive:
        for path in sorted(Path("photos").rglob("*.png")):
            archive.write(path)
    shutil.rmtree("photos")
    dataset = built("album.zip")
    export_dataset(dataset, "imagefolder", "before", size=64)
    Path("elsewhere").mkdir()
    Path("album.zip").rename("elsewhere/album.zip")
    export_dataset(dataset, "imagefolder", "after", size=64, pictures="elsewhere")
    assert pictures_in("after") == pictures_in("before") != {}


def test_pictures_behind_urls_are_fetched_again(heap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESIEVE_FETCH_ALLOW_ADDRESSES", '["127.0.0.0/8"]')
    served: list[str] = []

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            served.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory="photos")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}/Ada"
        Path("list.csv").write_text(f"path,label\n{root}/001.png,Ada\n{root}/003.png,Ada\n")
        dataset = built("list.csv")
        served.clear()
        export_dataset(dataset, "imagefolder", "out", size=64)
        assert sorted(served) == ["/Ada/001.png", "/Ada/003.png"] and pictures_in("out")
        server.shutdown()


def test_options_that_would_do_nothing_are_refused(run: Run, people: Path, tmp_path: Path) -> None:
    for options, told in (
        (("--to", "csv", "--size", "64"), "csv has no pictures of its own"),
        (("--to", "coco", "--size", "64"), "coco has no pictures of its own"),
        (("--to", "jsonl", "--image", "jpeg:90"), "jsonl has no pictures of its own"),
        (("--to", "parquet", "--pictures", str(tmp_path)), "--pictures says where"),
        (("--to", "parquet", "--size", "64", "--pictures", str(tmp_path / "no")), "is not a folder"),
        (("--verify", str(tmp_path), "--to", "csv"), "--verify reads an export as it was made"),
    ):
        output = () if "--verify" in options else ("-o", str(tmp_path / "out"))
        status, _, error = run("export", str(people), *options, *output)
        assert status == 2 and told in error and len(error.splitlines()) == 1, options
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError):
        export_dataset(people, "csv", tmp_path / "out", size=64)
