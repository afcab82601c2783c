"""Every kind of file of a dataset, damaged in every way: a check names it, and the same bytes are restored."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from given import MODEL

from facesieve.dataset.disk.outputs import Outputs
from facesieve.errors import DatasetError
from facesieve.records import Record, Source
from facesieve.run.build import build_dataset
from facesieve.run.check import check_dataset
from facesieve.run.faults import Fault, FaultCode
from facesieve.run.open_dataset import open_dataset
from facesieve.run.repair import repair_dataset
from facesieve.settings import Settings
from handmade import Handmade, build_spec, files_in, photos, sources_in

AS_FILES = Outputs(keep_rejected=True, cuts=("face",), marked=True)
IN_TARS = Outputs(keep_rejected=True, marked=True, tar_bytes=100_000)

# The kinds of files that only the ledger needs to be restored, and those that need the pictures too.
FROM_LEDGER = {
    "files": (
        *("dataset.json", "contact_sheet.html", "kept/metadata.parquet", "faces.parquet", "pictures.parquet"),
        *(
            "embeddings.parquet",
            ".facesieve/made.json",
            ".facesieve/sums/00000001.txt",
            ".facesieve/sums/published.txt",
        ),
    ),
    "tars": (
        *(f"{name}.parquet/part-00000.parquet" for name in ("faces", "pictures", "embeddings")),
        *("dataset.json", ".facesieve/sums/published.txt"),
    ),
}
FROM_PICTURES = {
    "files": (
        *("kept/*/*.png", "rejected/*/*.png", "crops/face/*/*.jpg", "marked/*/*.jpg"),
        *(".facesieve/parts/00000001.parquet", ".facesieve/thumbs/00000001.parquet"),
    ),
    "tars": ("shards/*.tar", ".facesieve/parts/00000001.parquet"),
}
Damage = Callable[[Path, bytes], None]


class Embedding(Handmade):
    """The handmade pipeline, with vectors drawn by the ids of the faces."""

    def one(self, source: Source) -> Record:
        record = super().one(source)
        vectors = (np.random.default_rng(int(face.face_id[:8], 16)).normal(size=128) for face in record.faces)
        faces = (
            dataclasses.replace(face, embedding=vector.astype(np.float16), no_embedding="")
            for face, vector in zip(record.faces, vectors, strict=True)
        )
        return dataclasses.replace(record, faces=tuple(faces))


def missing(path: Path, other: bytes) -> None:
    path.unlink()


def empty(path: Path, other: bytes) -> None:
    path.write_bytes(b"")


def truncated(path: Path, other: bytes) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_bit_flipped(path: Path, other: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def a_folder(path: Path, other: bytes) -> None:
    path.unlink()
    path.mkdir()


def of_another_dataset(path: Path, other: bytes) -> None:
    path.write_bytes(other)


def a_link_to_nothing(path: Path, other: bytes) -> None:
    path.unlink()
    path.symlink_to("nothing")


DAMAGES = [missing, empty, truncated, one_bit_flipped, a_folder, of_another_dataset, a_link_to_nothing]


ROWS = {"files": 1000, "tars": 4}  # rows in one file of a manifest


def again(heap: Path, root: Path, form: str) -> None:
    outputs = AS_FILES if form == "files" else IN_TARS
    spec = build_spec(outputs, shard_size=4, manifest_rows=ROWS[form])
    listed = {b"list": {source.key for source in sources_in(heap)}}
    build_dataset(sources_in(heap), root, Embedding, dataclasses.replace(spec, identity=MODEL), listed=listed)


@pytest.fixture(scope="module")
def heaps(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> tuple[Path, Path]:
    """The pictures of a dataset, and those of another one."""
    folder = tmp_path_factory.mktemp("heaps")
    cv2.imwrite(str(folder / "turned.png"), cv2.imread(str(astronaut))[::-1])
    return photos(folder / "one", astronaut, count=6), photos(folder / "other", folder / "turned.png", count=6)


@pytest.fixture(scope="module", params=["files", "tars"])
def form(request: pytest.FixtureRequest) -> str:
    """The form of the crops."""
    return str(request.param)


@pytest.fixture(scope="module")
def built(form: str, heaps: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset of this form, and another one."""
    folder = tmp_path_factory.mktemp(form)
    for heap, name in zip(heaps, ("good", "other"), strict=True):
        again(heap, folder / name, form)
    return folder / "good", folder / "other"


def first(root: Path, kind: str) -> Path:
    return min(root.glob(kind))


def own_files(root: Path) -> dict[str, bytes]:
    """All files of a dataset that a build restores to the same bytes, the ledger among them."""
    made = (".facesieve/made.json", ".facesieve/lists.parquet")
    return files_in(root) | {name: (root / name).read_bytes() for name in made}


def restored(kind: str, damage: Damage, form: str, built: tuple[Path, Path], heap: Path, root: Path) -> None:
    """Damage one file in a copy of a dataset, check it, and restore it."""
    good, other = built
    shutil.copytree(good, root)
    path, replacement = first(root, kind), first(other, kind).read_bytes()
    damage(path, replacement)
    if damage is of_another_dataset and replacement == first(good, kind).read_bytes():
        return  # both datasets have the same file
    found = [fault.name for fault in check_dataset(root).faults]
    named = any(name.startswith(path.relative_to(root).as_posix()) for name in found)
    assert found if damage is of_another_dataset else named, (kind, found)
    if damage is not one_bit_flipped:
        build_or_advice(heap, root, form)
    left = repair_dataset(root, Settings(manifest_rows=ROWS[form])).faults
    # By the checksums of another dataset whole thumbnails look damaged, and a repair leaves them out of the sheet.
    foreign_sums = kind.startswith(".facesieve/sums/0") and damage is of_another_dataset
    if kind in FROM_LEDGER[form] and not foreign_sums:
        assert left == () and own_files(root) == own_files(good), kind
    again(heap, root, form)
    assert own_files(root) == own_files(good), kind
    assert check_dataset(root).faults == (), kind


def test_each_kind_of_file_is_named_by_a_check_and_restored_to_the_same_bytes(
    built: tuple[Path, Path], heaps: tuple[Path, Path], form: str, tmp_path: Path
) -> None:
    for number, kind in enumerate((*FROM_LEDGER[form], *FROM_PICTURES[form])):
        restored(kind, DAMAGES[number % len(DAMAGES)], form, built, heaps[0], tmp_path / str(number))


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_damaged_file_is_named_by_a_check_and_restored_to_the_same_bytes(
    built: tuple[Path, Path], heaps: tuple[Path, Path], form: str, damage: Damage, tmp_path: Path
) -> None:
    for number, kind in enumerate((*FROM_LEDGER[form], *FROM_PICTURES[form])):
        restored(kind, damage, form, built, heaps[0], tmp_path / str(number))


def build_or_advice(heap: Path, root: Path, form: str) -> None:
    """A build of a damaged dataset either restores the file, or says which command repairs it."""
    try:
        again(heap, root, form)
    except DatasetError as error:
        assert f"facesieve check {root} --repair" in error.message


@pytest.mark.parametrize("name", ["people.parquet", ".facesieve/lists.parquet"])
@pytest.mark.parametrize("damage", [missing, one_bit_flipped, a_folder], ids=lambda damage: damage.__name__)
def test_a_damaged_file_that_a_dataset_can_do_without_is_named_and_removed(
    built: tuple[Path, Path], form: str, damage: Damage, name: str, tmp_path: Path
) -> None:
    root = shutil.copytree(built[0], tmp_path / "out")
    open_dataset(root).people(write=True)
    assert check_dataset(root).faults == ()
    damage(root / name, b"PAR1 and something else")
    assert [fault.name for fault in check_dataset(root).faults] == [name]
    repaired = repair_dataset(root, Settings(manifest_rows=ROWS[form]))
    assert (repaired.faults, repaired.without_sum) == ((), 0)
    assert not (root / name).exists()
    assert files_in(root) == files_in(built[0])


def test_people_written_twice_are_no_damage(built: tuple[Path, Path], tmp_path: Path) -> None:
    root = shutil.copytree(built[0], tmp_path / "out")
    for _ in range(2):
        open_dataset(root).people(write=True)
        assert (check_dataset(root).faults, check_dataset(root).without_sum) == ((), 0)
    assert len(pq.read_table(root / "people.parquet")) > 0


def test_a_build_that_finds_a_folder_in_place_of_a_crop_names_the_repair(
    built: tuple[Path, Path], heaps: tuple[Path, Path], form: str, tmp_path: Path
) -> None:
    if form == "tars":
        pytest.skip("these crops are in tar files")
    root = shutil.copytree(built[0], tmp_path / "out")
    crop = first(root, "kept/*/*.png")
    a_folder(crop, b"")
    with pytest.raises(DatasetError, match=r"this is a folder, not a file\. Run `facesieve check ") as caught:
        again(heaps[0], root, form)
    assert f"facesieve check {root} --repair`" in caught.value.message
    (crop / "mine.txt").write_text("of a user")
    with pytest.raises(DatasetError, match="Move the folder away"):
        repair_dataset(root, Settings())
    assert (crop / "mine.txt").read_text() == "of a user"


LOOK = """
import sys
from pathlib import Path
from facesieve.errors import DatasetError
from facesieve.run.check import check_dataset
from facesieve.run.repair import repair_dataset
from facesieve.settings import Settings
for line in sys.stdin.read().splitlines():
    path = Path(line)
    path.chmod(0)
    try:
        for fault in check_dataset(Path(sys.argv[1])).faults:
            if fault.code != "outdated":
                print(line, fault.code, fault.name, sep="|")
        repair_dataset(Path(sys.argv[1]), Settings())
    except DatasetError as error:
        print(line, error.code, error.message, sep="|")
    finally:
        path.chmod(0o755)
"""


def without_permission(root: Path, paths: list[str]) -> list[list[str]]:
    """What a check and a repair say while this user may not read one of the paths: the path, a code and a text."""
    command = [sys.executable, "-c", LOOK, str(root)]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may read every file, and there is no setpriv to give that up")
        rights = "-dac_override,-dac_read_search"
        command = ["setpriv", "--bounding-set", rights, "--inh-caps", rights, *command]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line.split("|") for line in done.stdout.splitlines()]


def test_a_file_without_read_permission_is_named_and_nothing_is_removed(
    built: tuple[Path, Path], form: str, tmp_path: Path
) -> None:
    root = shutil.copytree(built[0], tmp_path / "out")
    kinds = (*FROM_LEDGER[form], *FROM_PICTURES[form], ".facesieve/lists.parquet")
    paths = [str(first(root, kind)) for kind in kinds]
    told = without_permission(root, paths)
    for path in paths:
        (fault, name), (code, message) = (rest for named, *rest in told if named == path)
        assert (fault, name) == ("unreadable", Path(path).relative_to(root).as_posix())
        assert code == "cannot_read" and name in message and "Change the permissions" in message
    assert own_files(root) == own_files(built[0])


def test_a_folder_that_this_user_may_not_enter_is_one_sentence(built: tuple[Path, Path], tmp_path: Path) -> None:
    root = shutil.copytree(built[0], tmp_path / "out")
    folders = [str(root / name) for name in (".", ".facesieve", ".facesieve/parts", ".facesieve/sums", "marked")]
    told = without_permission(root, folders)
    assert [(folder, code) for folder, code, _ in told] == [(folder, "cannot_read") for folder in folders]
    assert all("Permission denied" in message for _, _, message in told)
    assert own_files(root) == own_files(built[0])


def test_files_of_desktops_in_the_ledger_are_named_and_left_alone(built: tuple[Path, Path], tmp_path: Path) -> None:
    root = shutil.copytree(built[0], tmp_path / "out")
    hidden = root / ".facesieve"
    foreign = [hidden / "._made.json", hidden / "made (conflicted copy).json", hidden / "sums" / ".DS_Store"]
    for path in foreign:
        path.write_text("not ours")
    names = {path.relative_to(root).as_posix() for path in foreign}
    for report in (check_dataset(root), repair_dataset(root, Settings())):
        assert (report.faults, set(report.foreign)) == ((), names)


def test_a_disk_that_fails_is_a_fault_of_the_file_and_a_limit_on_open_files_is_not(
    built: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "contact_sheet.html"
    number = errno.EIO

    def failing(path: Path) -> object:
        raise DatasetError("cannot_read", f"Cannot read {path}") from OSError(number, os.strerror(number))

    monkeypatch.setattr("facesieve.run.check.file_size", failing)
    assert Fault(FaultCode.DAMAGED, name) in check_dataset(built[0]).faults
    number = errno.EMFILE
    with pytest.raises(DatasetError, match="Cannot read"):
        check_dataset(built[0])
