"""A dataset is looked through file by file, and what is wrong is set right as far as it can be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.manifests import open_manifests
from facesieve.errors import DatasetError, UsageError
from facesieve.records import Record, Source, Verdict
from facesieve.run.build import build_dataset
from facesieve.run.check import check_dataset
from facesieve.run.faults import Fault, FaultCode
from facesieve.run.forget import forget
from facesieve.run.lost import Lost
from facesieve.run.rejudge import rejudge, write_rejudged
from facesieve.run.repair import repair_dataset
from facesieve.settings import Settings
from handmade import Handmade, build_spec, by_hand, files_in, sources_in

EVERYTHING = Outputs(keep_rejected=True, cuts=("face", "head"), marked=True)
SHARD = ".facesieve/{}/00000001.{}"
PART, THUMBS, SUMS = (SHARD.format(*name) for name in (("parts", "parquet"), ("thumbs", "parquet"), ("sums", "txt")))
PUBLISHED = ".facesieve/sums/published.txt"


@pytest.fixture(scope="module")
def good(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of four shards with every kind of file."""
    root = tmp_path_factory.mktemp("good") / "out"
    again(heap, root)
    return root


def again(heap: Path, root: Path) -> list[str]:
    """The same build; the names of the pictures that it did."""
    pipeline = Handmade()
    build_dataset(sources_in(heap), root, lambda: pipeline, build_spec(EVERYTHING, shard_size=5))
    return pipeline.seen


def faults(root: Path) -> list[tuple[str, str]]:
    return [(str(fault.code), fault.name) for fault in check_dataset(root).faults]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def first(root: Path, pattern: str) -> str:
    return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))[0]


def test_a_dataset_that_is_whole_has_no_fault_and_every_file_has_a_sum(out: Path) -> None:
    report = check_dataset(out)
    assert (report.faults, report.without_sum, report.undone, report.foreign) == ((), 0, 0, ())
    on_disk = [path for path in out.rglob("*") if path.is_file()]
    kept_apart = 1 + 5  # the lock, and the files of sums
    assert report.files == len(on_disk) - kept_apart


def test_a_check_changes_nothing(out: Path) -> None:
    flip(out / first(out, "kept/*/*.png"))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    check_dataset(out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("damage", [Path.unlink, flip, empty, shorten])
@pytest.mark.parametrize(
    "pattern",
    ["kept/*/*.png", "rejected/*/*.png", "crops/face/*/*.jpg", "crops/head/*/*.jpg", "marked/*/*.jpg", THUMBS],
)
def test_a_damaged_picture_file_is_told_and_the_next_build_makes_it_again(
    heap: Path, good: Path, out: Path, pattern: str, damage: Callable[[Path], None]
) -> None:
    name = first(out, pattern)
    damage(out / name)
    code = "missing" if damage is Path.unlink else "damaged"
    assert faults(out) == [(code, name)]
    repair_dataset(out, Settings())
    assert len(again(heap, out)) > 0
    assert faults(out) == []
    assert files_in(out) == files_in(good)


@pytest.mark.parametrize("damage", [Path.unlink, flip, empty, shorten])
@pytest.mark.parametrize(
    "name",
    ["faces.parquet", "pictures.parquet", "kept/metadata.parquet", "dataset.json", "contact_sheet.html", "made"],
)
def test_damaged_published_files_are_written_again_without_the_pictures(
    good: Path, out: Path, name: str, damage: Callable[[Path], None]
) -> None:
    name = ".facesieve/made.json" if name == "made" else name
    damage(out / name)
    assert [fault[1] for fault in faults(out)] == [name]
    assert repair_dataset(out, Settings()).faults == ()
    assert files_in(out) == files_in(good)
    assert (out / ".facesieve" / "made.json").read_bytes() == (good / ".facesieve" / "made.json").read_bytes()


@pytest.mark.parametrize("damage", [Path.unlink, flip, empty, shorten])
def test_a_damaged_part_of_the_ledger_is_told_and_its_pictures_are_done_again(
    heap: Path, good: Path, out: Path, damage: Callable[[Path], None]
) -> None:
    damage(out / PART)
    assert faults(out)[0] == ("missing" if damage is Path.unlink else "damaged", PART)
    assert repair_dataset(out, Settings()).faults == ()
    assert len(pq.read_table(out / "pictures.parquet")) == 16 - 5
    for report in (check_dataset(out), repair_dataset(out, Settings())):
        assert (report.undone, len(report.lost.pictures), report.lost.parts) == (5, 5, (PART,))
    assert len(again(heap, out)) == 5
    assert check_dataset(out).lost == Lost()
    assert faults(out) == []
    assert files_in(out) == files_in(good)


def test_pictures_that_went_with_a_part_stay_told_until_they_are_done_or_given_up(heap: Path, out: Path) -> None:
    flip(out / PART)
    repair_dataset(out, Settings())
    lost = [one.source for one in check_dataset(out).lost.pictures]
    assert set(lost) < {source.name for source in sources_in(heap)}
    without = [source for source in sources_in(heap) if source.name != lost[0]]
    build_dataset(without, out, Handmade, build_spec(EVERYTHING, shard_size=5))
    assert [one.source for one in check_dataset(out).lost.pictures] == lost[:1]
    build_dataset(without, out, Handmade, build_spec(EVERYTHING, shard_size=5), named=["."], prune=True)
    assert check_dataset(out).lost == Lost()


def test_where_the_manifest_is_damaged_too_a_lost_part_is_told_without_a_number(heap: Path, out: Path) -> None:
    flip(out / PART)
    (out / "pictures.parquet").unlink()
    report = repair_dataset(out, Settings())
    assert "the rows of some pictures are gone" in report.lost.line()
    again(heap, out)
    assert check_dataset(out).lost == Lost()


@pytest.mark.parametrize("name", [SUMS, ".facesieve/sums/published.txt"])
@pytest.mark.parametrize("damage", [Path.unlink, flip, empty])
def test_damaged_sums_are_written_again(out: Path, good: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(out / name)
    code = FaultCode.MISSING if damage is Path.unlink else FaultCode.DAMAGED
    assert check_dataset(out).faults == (Fault(code, name),)
    mended = repair_dataset(out, Settings())
    assert (mended.faults, mended.without_sum) == ((), 0)
    assert (out / name).read_bytes() == (good / name).read_bytes()


@pytest.mark.parametrize(
    ("other", "told"), [("00000002", [SUMS, SUMS.replace("1.", "2.")]), ("published", [PUBLISHED])]
)
def test_checksum_files_that_were_swapped_are_told_and_repaired(
    heap: Path, good: Path, out: Path, other: str, told: list[str]
) -> None:
    paths = out / SUMS, out / f".facesieve/sums/{other}.txt"
    first, second = (path.read_bytes() for path in paths)
    paths[0].write_bytes(second)
    paths[1].write_bytes(first)
    assert faults(out) == [("damaged", name) for name in told]
    repair_dataset(out, Settings())
    assert faults(out) == [] and again(heap, out) == [] and files_in(out) == files_in(good)


@pytest.mark.parametrize("name", [SUMS, ".facesieve/sums/published.txt"])
def test_sums_that_are_no_file_are_told_once(out: Path, name: str) -> None:
    (out / name).unlink()
    (out / name).mkdir()
    assert check_dataset(out).faults == (Fault(FaultCode.DAMAGED, name),)


def test_pictures_whose_sums_are_gone_are_done_again_by_a_build_which_says_so(
    heap: Path, good: Path, out: Path
) -> None:
    (out / SUMS).unlink()
    built = build_dataset(sources_in(heap), out, Handmade, build_spec(EVERYTHING, shard_size=5))
    assert built.damaged == (SUMS,)
    assert built.progress.total == 5
    assert (check_dataset(out).faults, check_dataset(out).without_sum) == ((), 0)
    assert files_in(out) == files_in(good)
    assert again(heap, out) == []


def test_sums_that_are_gone_from_a_dataset_that_was_judged_again_are_told(out: Path, tmp_path: Path) -> None:
    dataset = open_manifests(out)
    new = rejudge(dataset, by_hand(lambda measures: [Verdict(True)] * len(dataset.faces)))
    write_rejudged(dataset, new, tmp_path / "new", build_spec().policy, Settings())
    (tmp_path / "new" / ".facesieve" / "sums" / "00000000.txt").unlink()
    assert faults(tmp_path / "new") == [("missing", ".facesieve/sums/00000000.txt")]
    assert repair_dataset(tmp_path / "new", Settings()).faults == ()


def orphaned(out: Path) -> list[str]:
    """What a build leaves that is killed before it has written the part of a shard."""
    names = [".facesieve/thumbs/00000009.parquet", ".facesieve/sums/00000009.txt"]
    for name, like in zip(names, (THUMBS, SUMS), strict=True):
        shutil.copy(out / like, out / name)
    return names


@pytest.mark.parametrize("ends", ["build", "forget", "repair"])
def test_what_a_shard_without_a_part_left_is_told_and_removed(heap: Path, good: Path, out: Path, ends: str) -> None:
    names = orphaned(out)
    assert faults(out) == [("no_row", name) for name in names]
    if ends == "build":
        assert again(heap, out) == []
    elif ends == "forget":
        for name in pq.read_table(out / "pictures.parquet")["source"].to_pylist():
            forget(out, [name], Settings())
        assert not list((out / ".facesieve" / "thumbs").iterdir()), "no face is left"
    else:
        assert repair_dataset(out, Settings()).faults == ()
    assert not any((out / name).exists() for name in names)
    assert faults(out) == []


OWN = (PART, THUMBS, SUMS, ".facesieve/made.json", ".facesieve/sums/published.txt", "faces.parquet", "kept/Ada/*.png")


@pytest.mark.parametrize("pattern", OWN)
def test_an_empty_folder_in_place_of_a_file_is_told_and_repaired(
    heap: Path, good: Path, out: Path, pattern: str
) -> None:
    path = out / first(out, pattern)
    path.unlink()
    path.mkdir()
    assert check_dataset(out).faults
    repair_dataset(out, Settings())
    again(heap, out)
    assert faults(out) == []
    assert files_in(out) == files_in(good)


def test_a_folder_in_place_of_a_file_that_has_files_of_the_users_own_stays(
    heap: Path, good: Path, out: Path, tmp_path: Path
) -> None:
    (out / PART).unlink()
    (out / PART).mkdir()
    (out / PART / "note.txt").write_text("mine")
    before = files_in(out)
    with pytest.raises(DatasetError, match=r"00000001\.parquet is a folder with files in it"):
        repair_dataset(out, Settings())
    assert (out / PART / "note.txt").read_text() == "mine" and files_in(out) == before
    (out / PART).rename(tmp_path / "away")
    repair_dataset(out, Settings())
    again(heap, out)
    assert faults(out) == [] and files_in(out) == files_in(good)


def test_a_build_whose_ledger_lacks_its_description_names_the_repair(heap: Path, good: Path, out: Path) -> None:
    (out / ".facesieve" / "made.json").unlink()
    with pytest.raises(DatasetError, match=r"made\.json is damaged: it is missing\. Run `facesieve check"):
        again(heap, out)
    repair_dataset(out, Settings())
    assert again(heap, out) == [] and faults(out) == [] and files_in(out) == files_in(good)


def test_a_check_while_a_build_writes_says_so(heap: Path, out: Path) -> None:
    class Looking(Handmade):
        def one(self, source: Source) -> Record:
            record = super().one(source)
            (out / "kept" / "unlabelled").mkdir(exist_ok=True)
            (out / "kept" / "unlabelled" / f"{'0' * 32}.png").write_bytes(b"written, and not committed")
            with pytest.raises(DatasetError) as caught:
                check_dataset(out)
            assert (caught.value.code, caught.value.message) == (
                "in_use",
                f"A build is writing to {out}. Check it again when the build has ended.",
            )
            return record

    shutil.copy(heap / "Ada" / "001.png", heap / "Ada" / "later.png")
    try:
        looking = Looking()
        build_dataset(sources_in(heap), out, lambda: looking, build_spec(EVERYTHING, shard_size=5))
        assert len(looking.seen) == 1
    finally:
        (heap / "Ada" / "later.png").unlink()
    assert faults(out) == []


def test_a_file_that_no_row_names_is_told_and_removed_and_a_note_of_the_users_own_stays(out: Path) -> None:
    stray = "kept/Ada/" + "0" * 32 + ".png"
    shutil.copy(out / first(out, "kept/*/*.png"), out / stray)
    (out / "kept" / "Ada" / "note.txt").write_text("mine")
    shutil.copy(out / stray, out / "kept" / "Ada" / "extra.png")
    assert faults(out) == [("no_row", stray)]
    assert check_dataset(out).foreign == ("kept/Ada/extra.png", "kept/Ada/note.txt")
    assert repair_dataset(out, Settings()).faults == ()
    assert not (out / stray).exists() and (out / "kept" / "Ada" / "note.txt").exists()


def test_a_crop_that_is_repaired_without_its_picture_leaves_its_row(out: Path) -> None:
    name = first(out, "kept/*/*.png")
    (out / name).unlink()
    before = pq.read_table(out / "faces.parquet").to_pylist()
    report = repair_dataset(out, Settings())
    assert report.faults == () and report.undone > 0
    after = pq.read_table(out / "faces.parquet").to_pylist()
    expected = [row | {"file_name": None} if row["file_name"] == name else row for row in before]
    assert after == expected


def test_a_dataset_without_sums_is_checked_as_far_as_can_be_and_gets_them(heap: Path, good: Path, out: Path) -> None:
    shutil.rmtree(out / ".facesieve" / "sums")
    report = check_dataset(out)
    assert report.faults == () and report.without_sum == report.files
    png, jpg = first(out, "kept/*/*.png"), first(out, "marked/*/*.jpg")
    shorten(out / png)
    flip(out / first(out, "rejected/*/*.png"))
    (out / jpg).write_bytes((out / jpg).read_bytes()[:-200])
    assert len(faults(out)) == 3
    assert again(heap, out), "a build notices those that do not end as their format does"
    flip(out / first(out, "rejected/*/*.png"))
    repair_dataset(out, Settings())
    again(heap, out)
    repair_dataset(out, Settings())
    assert (check_dataset(out).faults, check_dataset(out).without_sum) == ((), 0)
    assert files_in(out) == files_in(good)


def test_a_dataset_that_was_judged_again_is_checked_too(out: Path, tmp_path: Path) -> None:
    dataset = open_manifests(out)
    new = rejudge(dataset, by_hand(lambda measures: [Verdict(True)] * len(dataset.faces)))
    write_rejudged(dataset, new, tmp_path / "new", build_spec().policy, Settings())
    report = check_dataset(tmp_path / "new")
    assert (report.faults, report.without_sum) == ((), 0)
    crop = tmp_path / "new" / first(tmp_path / "new", "kept/*/*.png")
    crop.unlink()
    assert faults(tmp_path / "new") == [("missing", crop.relative_to(tmp_path / "new").as_posix())]
    shutil.rmtree(tmp_path / "new" / ".facesieve" / "sums")
    assert repair_dataset(tmp_path / "new", Settings()).without_sum == 1


def test_manifests_of_an_earlier_build_are_outdated(heap: Path, out: Path) -> None:
    (out / "faces.parquet").write_bytes(b"")
    old = pq.read_table(out / "pictures.parquet").slice(1)
    (out / ".facesieve" / "sums" / "published.txt").unlink()
    pq.write_table(old, out / "pictures.parquet")
    missing = ("missing", ".facesieve/sums/published.txt")
    assert faults(out) == [missing, ("damaged", "faces.parquet"), ("outdated", "pictures.parquet")]
    assert repair_dataset(out, Settings()).faults == ()


def test_foreign_files_in_the_ledger_are_named_and_left_alone(out: Path, heap: Path) -> None:
    names = ["._00000000.parquet", "00000000 (conflicted copy 2026-01-01).parquet", "1.parquet", ".DS_Store", "x.tmp"]
    for folder in ("parts", "thumbs", "sums"):
        for name in names:
            shutil.copy(out / PART, out / ".facesieve" / folder / name)
    report = check_dataset(out)
    assert report.faults == ()
    assert len(report.foreign) == 3 * len(names)
    assert again(heap, out) == []
    assert repair_dataset(out, Settings()).foreign == report.foreign


def test_what_is_no_dataset_or_unfinished_is_one_sentence(out: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"a file")
    missing, file = "is missing, so this is not a finished dataset", "is a file, and a dataset is a folder"
    for path, why in ((tmp_path / "nowhere", missing), (tmp_path / "clip.mp4", file)):
        for look in (check_dataset, open_manifests, lambda root: repair_dataset(root, Settings())):
            with pytest.raises(DatasetError, match=why) as caught:
                look(path)
            assert caught.value.code == "not_a_dataset"
    (out / "dataset.json").unlink()
    (out / "faces.parquet").unlink()
    with pytest.raises(DatasetError) as caught:
        check_dataset(out)
    assert caught.value.code == "unfinished"


def test_where_nothing_says_what_made_a_dataset_it_is_one_sentence(out: Path) -> None:
    for name in ("dataset.json", ".facesieve/made.json"):
        (out / name).write_text(json.dumps({"settings": 3}))
    for look in (check_dataset, lambda root: repair_dataset(root, Settings())):
        with pytest.raises(DatasetError, match="is damaged"):
            look(out)


def test_lost_pictures_can_be_forgotten_and_their_names_go(out: Path) -> None:
    flip(out / PART)
    repair_dataset(out, Settings())
    first, *others = check_dataset(out).lost.pictures
    forget(out, [first.source], Settings())
    assert check_dataset(out).lost.pictures == tuple(others)
    with pytest.raises(UsageError):
        forget(out, [first.source], Settings())
    forget(out, [], Settings(), sorted({one.label for one in others} - {""}))
    assert all(one.label == "" for one in check_dataset(out).lost.pictures)
    if (out / ".facesieve" / "lost.json").exists():
        assert first.source not in (out / ".facesieve" / "lost.json").read_text()
