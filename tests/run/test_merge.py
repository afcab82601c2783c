"""Datasets that were built apart become the dataset of one build, byte for byte, or are refused with one sentence."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from facesieve.dataset.disk import link
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import InferenceEngine
from facesieve.errors import DatasetError, FacesieveError, UsageError
from facesieve.records import Source
from facesieve.run import merge as merging
from facesieve.run.build import build_dataset
from facesieve.run.build_result import BuildResult
from facesieve.run.build_spec import BuildSpec
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.run.ledger import Ledger
from facesieve.run.merge import MergeResult, merge
from facesieve.run.open_dataset import open_dataset
from facesieve.run.portion import Portion
from facesieve.run.repair import repair_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy
from handmade import Handmade, build_spec, files_in, photos, source_of, sources_in

EVERYTHING = Outputs(keep_rejected=True, cuts=("face", "head"), marked=True)
SPEC = build_spec(EVERYTHING, shard_size=3)


class Refusing:
    """A pipeline that must not be built."""

    def __init__(self) -> None:
        raise AssertionError("there is nothing to do")


@pytest.fixture(scope="module")
def whole(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of one build of all sources."""
    return built(tmp_path_factory.mktemp("whole") / "out", sources_in(heap))


def built(root: Path, sources: Iterable[Source], spec: BuildSpec = SPEC) -> dict[str, bytes]:
    build_dataset(sources, root, Handmade, spec)
    return files_in(root)


def shard(heap: Path, root: Path, number: int, count: int, spec: BuildSpec = SPEC) -> BuildResult:
    return build_dataset(sources_in(heap), root, Handmade, spec, named=[str(heap)], portion=Portion(number, count))


def shards(heap: Path, folder: Path, count: int) -> list[Path]:
    parts = [folder / f"part {number}" for number in range(1, count + 1)]
    for number, part in enumerate(parts, 1):
        shard(heap, part, number, count)
    return parts


def code_of(call: Callable[[], object], kind: type[FacesieveError] = DatasetError) -> tuple[str, str]:
    with pytest.raises(kind) as caught:
        call()
    assert "\n" not in caught.value.message and "Traceback" not in caught.value.message
    return caught.value.code, caught.value.message


# ── equal to one build ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [1, 3, 7, 40])
def test_the_shards_of_a_build_merge_to_the_dataset_of_one_build(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], count: int
) -> None:
    parts = shards(heap, tmp_path, count)
    assert count < 40 or any(not Ledger(Layout(part)).numbers() for part in parts), "some parts are empty"
    before = [everything_in(part) for part in parts]
    result = merge(parts, tmp_path / "out")
    assert files_in(tmp_path / "out") == whole
    assert [everything_in(part) for part in parts] == before, "the parts do not change"
    expected = MergeResult(open_dataset(tmp_path / "out").about.counts, result.shared_labels, 1)
    assert replace(result, refused=()) == expected
    assert [row.refusal for row in result.refused] == ["empty", "not_an_image"]
    checked = check_dataset(tmp_path / "out")
    assert (checked.faults, checked.without_sum, checked.undone, checked.continuable) == ((), 0, 0, True)


@pytest.mark.parametrize("keep_rejected", [True, False])
def test_crops_in_tar_files_merge_too(heap: Path, tmp_path: Path, keep_rejected: bool) -> None:
    spec = build_spec(Outputs(keep_rejected, ("face",), tar_bytes=100_000), shard_size=3)
    whole = built(tmp_path / "whole", sources_in(heap), spec)
    parts = [tmp_path / f"part {number}" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        shard(heap, part, number, 3, spec)
    merge(parts, tmp_path / "out")
    assert files_in(tmp_path / "out") == whole
    assert sum(name.endswith(".tar") for name in whole) > 1
    assert check_dataset(tmp_path / "out").faults == ()


def test_a_damaged_tar_file_of_a_part_ends_the_merge(heap: Path, tmp_path: Path) -> None:
    spec = build_spec(Outputs(tar_bytes=100_000), shard_size=3)
    parts = [tmp_path / f"part {number}" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        shard(heap, part, number, 3, spec)
    for path in parts[1].rglob("*.tar"):
        data = bytearray(path.read_bytes())
        with tarfile.open(path) as tar:
            for member in tar:
                data[member.offset_data + 50] ^= 1
        path.write_bytes(data)
    assert code_of(lambda: merge(parts, tmp_path / "out"))[0] == "damaged_dataset"
    assert not (tmp_path / "out/dataset.json").exists()


def everything_in(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_order_of_the_parts_does_not_matter(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    merge(reversed(shards(heap, tmp_path, 3)), tmp_path / "out")
    assert files_in(tmp_path / "out") == whole


def test_merged_datasets_can_be_merged_again(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    one, two, three = shards(heap, tmp_path, 3)
    merge([one, two], tmp_path / "two")
    merge([three, tmp_path / "two"], tmp_path / "out")
    assert files_in(tmp_path / "out") == whole


def test_one_part_and_no_pictures_at_all(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    built(tmp_path / "all", sources_in(heap))
    merge(tmp_path / "all", tmp_path / "one")
    assert files_in(tmp_path / "one") == whole
    empty = built(tmp_path / "empty", [])
    build_dataset([], tmp_path / "empty 2", Handmade, SPEC)
    assert merge([tmp_path / "empty", tmp_path / "empty 2"], str(tmp_path / "none")).counts.pictures == 0
    assert files_in(tmp_path / "none") == empty
    assert code_of(lambda: merge([], tmp_path / "no"), UsageError) == ("no_parts", "Name the datasets to merge.")


def test_parts_that_overlap_have_each_source_once(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    sources = sources_in(heap)
    built(tmp_path / "a", sources[:9])
    built(tmp_path / "b", sources[5:])
    built(tmp_path / "b", sources[3:])  # with more than one row for nothing
    result = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert files_in(tmp_path / "out") == whole
    assert result.repeated == 6
    merge([tmp_path / "a", tmp_path / "b", tmp_path / "out"], tmp_path / "again")
    assert files_in(tmp_path / "again") == whole


def test_a_source_that_changed_counts_as_in_the_last_part(heap: Path, tmp_path: Path) -> None:
    root = shutil.copytree(heap, tmp_path / "photos")
    built(tmp_path / "old", sources_in(root))
    shutil.copy(root / "Ada" / "003.png", root / "Ada" / "005.png")
    new = built(tmp_path / "new", sources_in(root))
    merge([tmp_path / "old", tmp_path / "new"], tmp_path / "out")
    assert files_in(tmp_path / "out") == new


def test_a_part_where_a_picture_could_be_read_comes_before_one_where_it_could_not(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    def broken() -> bytes:
        raise OSError("this machine cannot reach the disk")

    class Unreadable(Handmade):
        def one(self, source: Source):  # type: ignore[no-untyped-def]
            from facesieve.records import Record, Refusal

            return Record(source, refusal=Refusal(source, "unreadable", "The file cannot be read."))

    built(tmp_path / "good", sources_in(heap))
    build_dataset(sources_in(heap), tmp_path / "bad", Unreadable, SPEC)
    for number, parts in enumerate((["good", "bad"], ["bad", "good"])):
        merge([tmp_path / part for part in parts], tmp_path / f"out {number}")
        assert files_in(tmp_path / f"out {number}") == whole


def test_equal_pictures_in_several_parts_are_resolved_as_in_one_build(heap: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    sources = list[Source]()
    for number in range(6):
        (root / "Ada" / f"{number}").mkdir(parents=True)
        place = Path(shutil.copy(heap / "Ada" / "001.png", root / "Ada" / f"{number}" / f"{5 - number}.png"))
        sources.append(source_of(place, root, "Ada" if number < 4 else "Grace"))
    expected = built(tmp_path / "whole", sources)
    for number, source in enumerate(sources):
        built(tmp_path / f"{number}", [source])
    merge([tmp_path / f"{number}" for number in (3, 5, 1, 0, 4, 2)], tmp_path / "out")
    assert files_in(tmp_path / "out") == expected
    refusals = pq.read_table(tmp_path / "out" / "pictures.parquet")["refusal"].to_pylist()
    assert refusals == [None, "duplicate", "duplicate", "duplicate", None, "duplicate"]


def test_sources_of_several_parts_that_share_a_name_are_renamed_as_in_one_build(heap: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"folder {number}" / "1.png" for number in range(3)]
    for path, picture in zip(paths, ("001", "003", "005"), strict=True):
        path.parent.mkdir()
        shutil.copy(heap / "Ada" / f"{picture}.png", path)
    sources = [replace(source_of(path, path.parent), identity=os.fsencode(path)) for path in paths]
    build_dataset(sources[:1], tmp_path / "whole", Handmade, SPEC)
    build_dataset(sources[1:2], tmp_path / "whole", Handmade, SPEC)
    build_dataset(sources[2:], tmp_path / "whole", Handmade, SPEC)
    for number, source in enumerate(sources):
        built(tmp_path / f"{number}", [source])
    merge([tmp_path / "0", tmp_path / "1", tmp_path / "2"], tmp_path / "out")
    assert files_in(tmp_path / "out") == files_in(tmp_path / "whole")
    names = pq.read_table(tmp_path / "out" / "pictures.parquet")["source"].to_pylist()
    assert names == [str(path) for path in paths]


# ── labels ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_source_with_two_labels_is_refused_as_in_one_build(heap: Path, tmp_path: Path) -> None:
    ada = source_of(heap / "Ada" / "001.png", heap, "Ada")
    built(tmp_path / "a", [ada])
    built(tmp_path / "b", [replace(ada, label="Grace")])
    code, message = code_of(lambda: merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out"), UsageError)
    assert code == "two_labels"
    assert f"Ada/001.png has two labels: 'Ada' in {tmp_path / 'a'}, and 'Grace' in {tmp_path / 'b'}." in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("order", [["a", "b"], ["b", "a"]])
def test_a_part_with_a_label_comes_before_one_without(heap: Path, tmp_path: Path, order: list[str]) -> None:
    ada = source_of(heap / "Ada" / "001.png", heap, "Ada")
    expected = built(tmp_path / "a", [ada])
    built(tmp_path / "b", [replace(ada, label="")])
    merge([tmp_path / part for part in order], tmp_path / "out")
    assert files_in(tmp_path / "out") == expected


# ── what works with a merged dataset ──────────────────────────────────────────────────────────────────────────────


def test_a_build_of_all_sources_has_nothing_to_do_after_a_merge(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    merge(shards(heap, tmp_path, 3), tmp_path / "out")
    result = build_dataset(sources_in(heap), tmp_path / "out", Refusing, SPEC, named=[str(heap)], prune=True)
    assert (result.progress.total, result.progress.already, result.gone, result.damaged) == (0, 16, (), ())
    assert files_in(tmp_path / "out") == whole


def test_a_merged_dataset_can_be_continued_judged_again_and_forgotten_from(
    heap: Path, tmp_path: Path, astronaut: Path
) -> None:
    root = shutil.copytree(heap, tmp_path / "photos")
    merge(shards(root, tmp_path, 3), tmp_path / "out")
    shutil.copy(astronaut, root / "Ada" / "new.png")
    parts = {path: everything_in(path) for path in tmp_path.glob("part *")}
    assert build_dataset(sources_in(root), tmp_path / "out", Handmade, SPEC).progress.total == 1
    assert files_in(tmp_path / "out") == built(tmp_path / "whole", sources_in(root))
    lenient = Policy.parse({"name": "lenient", "rules": [{"measure": "blur", "low": 50, "reason": "blurred"}]})
    for name in ("out", "whole"):
        open_dataset(tmp_path / name).rejudge(lenient, tmp_path / f"{name} lenient")
        forget(tmp_path / name, [], Settings(), ["Ada"])
    assert files_in(tmp_path / "out lenient") == files_in(tmp_path / "whole lenient")
    assert files_in(tmp_path / "out") == files_in(tmp_path / "whole")
    assert {path: everything_in(path) for path in parts} == parts, "forgetting does not reach the parts"
    face = open_dataset(tmp_path / "out").faces["face_id"][0].as_py()
    assert list(open_dataset(tmp_path / "out").explain(face).lines())


def test_rows_keep_the_time_when_their_pictures_were_read(heap: Path, tmp_path: Path) -> None:
    part, other = shards(heap, tmp_path, 2)
    for number in Ledger(Layout(part)).numbers():
        os.utime(Layout(part).part(number), ns=(10**18, 10**18))
    merge([part, other], tmp_path / "out")
    assert Ledger(Layout(tmp_path / "out")).written(0) == 10**18


# ── shards and what is gone ───────────────────────────────────────────────────────────────────────────────────────


def test_sources_of_other_shards_are_not_gone(heap: Path, tmp_path: Path) -> None:
    root = shutil.copytree(heap, tmp_path / "photos")
    counts = []
    for number in (1, 2, 3):
        for _ in range(2):
            result = build_dataset(
                sources_in(root),
                tmp_path / f"{number}",
                Handmade,
                SPEC,
                named=[str(root)],
                prune=True,
                portion=Portion(number, 3),
            )
            assert (result.gone, result.moved) == ((), ())
        counts.append(result.counts.pictures)
    assert sum(counts) == 16
    # One dataset with two shards: those of the first stay when the second is built again.
    assert shard(root, tmp_path / "1", 2, 3).counts.pictures == counts[0] + counts[1]
    again = shard(root, tmp_path / "1", 1, 3)
    assert (again.counts.pictures, again.gone, again.progress.total) == (counts[0] + counts[1], (), 0)


# ── copies and links ──────────────────────────────────────────────────────────────────────────────────────────────


def no_links(*paths: object) -> None:
    raise OSError(18, "Invalid cross-device link")


def crops_of(root: Path) -> list[Path]:
    return sorted((root / "kept").rglob("*.png"))


def test_picture_files_are_links_to_those_of_the_parts(heap: Path, tmp_path: Path) -> None:
    parts = shards(heap, tmp_path, 2)
    merge(parts, tmp_path / "out")
    places = {path.stat().st_ino for part in parts for path in crops_of(part)}
    assert {path.stat().st_ino for path in crops_of(tmp_path / "out")} <= places


def test_without_links_they_are_copies(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = shards(heap, tmp_path, 2)
    monkeypatch.setattr(link.os, "link", no_links)
    merge(parts, tmp_path / "out")
    assert files_in(tmp_path / "out") == whole
    places = {path.stat().st_ino for part in parts for path in crops_of(part)}
    assert not {path.stat().st_ino for path in crops_of(tmp_path / "out")} & places
    crop = next(crop for part in parts for crop in crops_of(part))
    crop.write_bytes(bytes(len(crop.read_bytes())))
    code, message = code_of(lambda: merge(parts, tmp_path / "out 2"))
    assert code == "damaged_dataset" and str(crop) in message, "a copy is compared with its checksum"


def test_crops_that_are_symbolic_links_are_copied(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    part = tmp_path / "part"
    built(part, sources_in(heap))
    for crop in crops_of(part):
        crop.rename(tmp_path / crop.name)
        crop.symlink_to(Path("../../..") / crop.name)
    merge([part], tmp_path / "deeper" / "out")
    assert not any(crop.is_symlink() for crop in crops_of(tmp_path / "deeper" / "out"))
    assert files_in(tmp_path / "deeper" / "out") == whole


# ── interrupted merges ────────────────────────────────────────────────────────────────────────────────────────────


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", ["_begin", "take_over", "join_lists", "publish_ledger", "_end"])
def test_an_interrupted_merge_is_finished_by_the_same_merge_and_by_nothing_else(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    parts, out = shards(heap, tmp_path, 3), tmp_path / "out"
    with monkeypatch.context() as patched:
        does = getattr(merging, step)

        def kill(*arguments: object, **options: object) -> None:
            does(*arguments, **options) if step in ("_begin", "take_over") else None
            raise Killed

        patched.setattr(merging, step, kill)
        with pytest.raises(Killed):
            merge(parts, out)
    assert code_of(lambda: build_dataset(sources_in(heap), out, Refusing, SPEC))[0] == "unfinished"
    assert code_of(lambda: forget(out, [], Settings(), ["Ada"]))[0] == "unfinished"
    assert code_of(lambda: merge([out], tmp_path / "other"))[0] == "unfinished"
    assert not (tmp_path / "other").exists()
    merge(parts, out)
    assert files_in(out) == whole
    assert check_dataset(out).faults == ()


def test_a_merge_of_other_parts_into_an_interrupted_one_begins_again(
    heap: Path, tmp_path: Path, astronaut: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(heap, tmp_path / "photos")
    photos(tmp_path / "photos", astronaut, count=9, first=20)
    built(tmp_path / "more", sources_in(tmp_path / "photos"))
    with monkeypatch.context() as patched:
        patched.setattr(merging, "publish_ledger", Refusing)
        with pytest.raises(TypeError):
            merge([tmp_path / "more"], tmp_path / "out")
    merge(shards(heap, tmp_path, 2), tmp_path / "out")
    assert files_in(tmp_path / "out") == whole
    assert check_dataset(tmp_path / "out").faults == ()


@pytest.mark.parametrize("links", [True, False])
def test_what_an_interrupted_merge_wrote_is_not_written_again_unless_it_is_damaged(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    parts, out = shards(heap, tmp_path, 3), tmp_path / "out"
    if not links:
        monkeypatch.setattr(link.os, "link", no_links)
    with monkeypatch.context() as patched:
        patched.setattr(merging, "publish_ledger", Refusing)
        with pytest.raises(TypeError):
            merge(parts, out)
    layout = Layout(out)
    damaged = [layout.part(0), layout.thumbs_of(1), layout.sums_of(1), crops_of(out)[0]]
    for path in damaged:
        path.unlink()  # perhaps it is a link to the file of a part
        path.write_bytes(b"damaged")
    before = {path: path.stat().st_ino for path in out.rglob("*.*") if path.suffix in (".png", ".parquet", ".txt")}
    held = {path: path.stat() for path in before}  # keeps the numbers from being used again
    merge(parts, out)
    after = {path for path, number in before.items() if path.stat().st_ino != number}
    assert len(held) > 20 and after == set(damaged)
    assert files_in(out) == whole
    assert check_dataset(out).faults == ()


def test_rows_that_do_not_count_are_not_taken_over(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    sources = sources_in(heap)
    built(tmp_path / "a", sources[:10])
    built(tmp_path / "b", sources[4:])
    before = [everything_in(tmp_path / name) for name in "ab"]
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    ledger = Ledger(Layout(tmp_path / "out"))
    assert sum(map(ledger.length, ledger.numbers())) == len(sources)
    thumbs = sum(len(ledger.thumbs(number)) for number in ledger.numbers())
    rows = (row for number in ledger.numbers() for row in ledger.table(number)["faces"].to_pylist())
    assert thumbs == sum(map(len, rows))
    assert [everything_in(tmp_path / name) for name in "ab"] == before
    assert files_in(tmp_path / "out") == whole


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────


def with_engine(spec: BuildSpec, instruction_set: str) -> BuildSpec:
    return replace(spec, engines=(InferenceEngine(network="none", engine="native", instruction_set=instruction_set),))


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (build_spec(EVERYTHING, shard_size=3, min_face_size=40), "settings.min_face_size: 20 -> 40"),
        (build_spec(EVERYTHING, shard_size=3, max_pixels=10**6), "limits.max_pixels: "),
        (build_spec(Outputs(), shard_size=3), "options.keep_rejected: True -> False"),
        (replace(SPEC, models={"none": "1" * 64}), f"models.none: {'0' * 64} -> {'1' * 64}"),
        (replace(SPEC, policy=Policy.parse({"name": "by hand", "rules": []})), "policy.rules"),
        (replace(SPEC, label_from="none"), "options.label_from: folder -> none"),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else "",
)
def test_parts_that_were_built_differently_are_refused_with_the_difference(
    heap: Path, tmp_path: Path, other: BuildSpec, difference: str
) -> None:
    sources = sources_in(heap)
    for name, some, spec in (("a", sources[:4], SPEC), ("b", sources[4:8], SPEC), ("c", sources[8:], other)):
        built(tmp_path / name, some, spec)
    parts = [tmp_path / name for name in "abc"]
    code, message = code_of(lambda: merge(parts, tmp_path / "out", allow_mixed_engines=True))
    assert code == "other_settings"
    assert message.startswith(f"{tmp_path / 'a'} and {tmp_path / 'c'} were built with different options: ")
    assert difference in message
    assert not (tmp_path / "out").exists()


def test_parts_of_engines_with_other_numbers_need_permission(heap: Path, tmp_path: Path) -> None:
    sources = sources_in(heap)
    built(tmp_path / "a", sources[:8])
    built(tmp_path / "b", sources[8:], with_engine(SPEC, "portable"))
    built(tmp_path / "c", sources[8:], with_engine(SPEC, "avx512"))
    for parts in (["a", "b"], ["b", "a"]):
        code, message = code_of(lambda parts=parts: merge([tmp_path / part for part in parts], tmp_path / "out"))
        assert code == "other_engine"
        assert "--allow-mixed-engines" in message and all(str(tmp_path / part) in message for part in parts)
    assert not (tmp_path / "out").exists()
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out", allow_mixed_engines=True)
    engines = json.loads((tmp_path / "out" / "dataset.json").read_bytes())["engines"]
    assert [engine["instruction_set"] for engine in engines] == ["avx2", "portable"]
    merge([tmp_path / "a", tmp_path / "c"], tmp_path / "out 2")  # these two compute the same numbers
    assert code_of(lambda: merge([tmp_path / "out", tmp_path / "c"], tmp_path / "out 3"))[0] == "other_engine"


def test_a_part_that_is_being_built_is_refused(heap: Path, tmp_path: Path) -> None:
    built(tmp_path / "a", sources_in(heap))
    with FileLock(Layout(tmp_path / "a").lock):
        code, message = code_of(lambda: merge([tmp_path / "a"], tmp_path / "out"))
    assert (code, message) == ("in_use", f"A build is writing to {tmp_path / 'a'}. Wait until it has ended.")
    assert not (tmp_path / "out").exists()


def test_no_build_changes_a_part_meanwhile(heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(tmp_path / "a", sources_in(heap))

    def interfere(*arguments: object) -> None:
        forget(tmp_path / "a", [], Settings(), ["Ada"])

    monkeypatch.setattr(merging, "take_over", interfere)
    assert code_of(lambda: merge([tmp_path / "a"], tmp_path / "out"))[0] == "in_use"
    assert len(open_dataset(tmp_path / "a").pictures) == 16


def no_part(root: Path) -> None:
    Layout(root).part(1).unlink()


def half_published(root: Path) -> None:
    Layout(root).published_sums.unlink()


def never_published(root: Path) -> None:
    Layout(root).published_sums.unlink()
    Layout(root).about.unlink()


def not_all_published(root: Path) -> None:
    shutil.copy(Layout(root).part(0), Layout(root).part(9))


def damaged_part(root: Path) -> None:
    Layout(root).part(1).write_bytes(Layout(root).part(1).read_bytes()[:-7])


def needed_crop(root: Path) -> Path:
    """A crop that the other part has not: pictures of which both have a copy are needed from one only."""
    other = {path.name for path in crops_of(root.with_name("part 1"))}
    return next(path for path in crops_of(root) if path.name not in other)


def no_crop(root: Path) -> None:
    needed_crop(root).unlink()


def short_crop(root: Path) -> None:
    needed_crop(root).write_bytes(needed_crop(root).read_bytes()[:100])


def no_thumbs(root: Path) -> None:
    Layout(root).thumbs_of(0).unlink()


def no_ledger(root: Path) -> None:
    shutil.rmtree(Layout(root).hidden)


def newer(root: Path) -> None:
    Layout(root).made.write_text(Layout(root).made.read_text().replace('"format": 1', '"format": 2'))
    Layout(root).published_sums.unlink()


def older(root: Path) -> None:
    Layout(root).made.write_text(Layout(root).made.read_text().replace('"format": 1,', ""))
    Layout(root).published_sums.unlink()


def other_bytes(root: Path) -> None:
    Layout(root).made.write_text("{}")


def rows_lost(root: Path) -> None:
    Layout(root).part(1).write_bytes(b"damaged")
    repair_dataset(root, Settings())


def a_file(root: Path) -> None:
    shutil.rmtree(root)
    root.write_text("not a folder")


def photos_only(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()
    (root / "photo.png").touch()


@pytest.mark.parametrize(
    ("harm", "code", "said"),
    [
        (no_part, "damaged_dataset", "it is missing"),
        (half_published, "unfinished", "Run the same build or merge again"),
        (never_published, "unfinished", "Run the same build or merge again"),
        (not_all_published, "unfinished", "Run the same build or merge again"),
        (damaged_part, "damaged_dataset", "00000001.parquet is damaged"),
        (no_crop, "missing_files", "1 file (kept/"),
        (short_crop, "missing_files", "--repair"),
        (no_thumbs, "missing_files", ".facesieve/thumbs/00000000.parquet"),
        (no_ledger, "not_continuable", "has no ledger"),
        (newer, "newer_format", "Install a newer version"),
        (older, "older_format", "facesieve upgrade"),
        (other_bytes, "damaged_dataset", "made.json is damaged"),
        (rows_lost, "rows_lost", "run the same build again"),
        (a_file, "not_a_dataset", "there is no such folder"),
        (photos_only, "not_a_dataset", "is not a dataset"),
        (shutil.rmtree, "not_a_dataset", "there is no such folder"),
    ],
)
def test_a_part_that_is_unfinished_or_damaged_is_refused_and_a_good_one_goes_on(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], harm: Callable[[Path], None], code: str, said: str
) -> None:
    parts = shards(heap, tmp_path, 2)
    shutil.copytree(parts[1], tmp_path / "good")
    harm(parts[1])
    found, message = code_of(lambda: merge(parts, tmp_path / "out"))
    assert (found, said in message, str(parts[1]) in message) == (code, True, True)
    assert not (tmp_path / "out" / "dataset.json").exists()
    merge([parts[0], tmp_path / "good"], tmp_path / "out")
    assert files_in(tmp_path / "out") == whole


def test_a_part_named_twice_and_the_output_among_the_parts_are_refused(heap: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    before = built(part, sources_in(heap))
    (tmp_path / "link").symlink_to(part)
    for again in (part, tmp_path / "link", tmp_path / "." / "link" / ".." / "part"):
        assert code_of(lambda again=again: merge([part, again], tmp_path / "out"), UsageError)[0] == "repeated_part"
    for out in (part, tmp_path / "link"):
        assert code_of(lambda out=out: merge([part], out), UsageError)[0] == "output_is_a_part"
    assert code_of(lambda: merge([part], part / "out"))[0] == "inside_a_dataset"
    assert files_in(part) == before and not (tmp_path / "out").exists()


def test_a_part_may_be_named_by_a_link(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    parts = shards(heap, tmp_path, 2)
    (tmp_path / "link").symlink_to(parts[1])
    merge([parts[0], tmp_path / "link"], tmp_path / "out")
    assert files_in(tmp_path / "out") == whole


def test_a_folder_that_is_not_empty_is_not_written_to(heap: Path, tmp_path: Path) -> None:
    built(tmp_path / "part", sources_in(heap))
    before = built(tmp_path / "other", sources_in(heap)[:3])
    assert code_of(lambda: merge([tmp_path / "part"], tmp_path / "other"))[0] == "not_empty"
    assert files_in(tmp_path / "other") == before
    assert code_of(lambda: merge([tmp_path / "part"], heap))[0] == "not_a_dataset"
    merge([tmp_path / "part"], tmp_path / "out")
    assert code_of(lambda: merge([tmp_path / "part"], tmp_path / "out"))[0] == "not_empty"


@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
def test_parts_on_a_read_only_disk_are_merged(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = shards(heap, tmp_path, 2)

    def refuse(self: FileLock, *arguments: object, **options: object) -> None:
        if not str(self.lock_file).startswith(str(tmp_path / "out")):
            raise OSError(30, "Read-only file system")
        acquire(self, *arguments, **options)  # type: ignore[arg-type]

    acquire = FileLock.acquire
    monkeypatch.setattr(FileLock, "acquire", refuse)  # the tests may run as root, for whom nothing is read-only
    for path in (path for part in parts for path in [part, *part.rglob("*")]):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        merge(parts, tmp_path / "out")
        assert files_in(tmp_path / "out") == whole
    finally:
        for path in (path for part in parts for path in [part, *part.rglob("*")]):
            path.chmod(0o755 if path.is_dir() else 0o644)
