"""Embeddings of a dataset: computed by a build or from its crops, kept beside the faces, removed with them."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from embedding import DLIB, MODEL, Embedding, embedder, spec

import facesieve
from facesieve import DatasetError, IdentifyProgress, Settings, identify
from facesieve.dataset.disk.format import embedded_with, with_embedded
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.manifests import open_manifests
from facesieve.dataset.origin import IdentityModel
from facesieve.errors import UsageError
from facesieve.run.build import build_dataset
from facesieve.run.build_result import BuildResult
from facesieve.run.check import check_dataset
from facesieve.run.claim import lock_dataset
from facesieve.run.forget import forget
from facesieve.run.ledger import Ledger
from facesieve.run.rejudge import rejudge, write_rejudged
from facesieve.run.repair import repair_dataset
from facesieve.sieve import Policy, judge_columns
from facesieve.stop import Stopped
from handmade import Handmade, files_in, sources_in

CROPS = 23  # in all parts of the dataset; three are of a picture that occurs twice
REJECTED_TOO = Outputs(keep_rejected=True, cuts=("face",))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, heap: Path) -> Path:
    return without(heap, tmp_path_factory.mktemp("plain") / "out")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, heap: Path) -> Path:
    root = tmp_path_factory.mktemp("whole") / "out"
    embedded(heap, root)
    return root


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "out"))


def without(heap: Path, root: Path, outputs: Outputs = REJECTED_TOO) -> Path:
    build_dataset(sources_in(heap), root, Handmade, spec(outputs))
    return root


def embedded(heap: Path, root: Path, outputs: Outputs = REJECTED_TOO, leave_out: tuple[str, ...] = ()) -> BuildResult:
    sources = [source for source in sources_in(heap) if source.name not in leave_out]
    return build_dataset(sources, root, lambda: Embedding(outputs.keep_rejected), spec(outputs, MODEL))


def rows(root: Path) -> list[dict[str, object]]:
    return pq.read_table(root / "embeddings.parquet").to_pylist()


@pytest.mark.parametrize("outputs", [Outputs(), REJECTED_TOO])
def test_embeddings_from_crops_make_the_dataset_that_a_build_with_them_makes(
    heap: Path, outputs: Outputs, tmp_path: Path
) -> None:
    added = without(heap, tmp_path / "added", outputs)
    done = identify(added, settings=DLIB)
    embedded(heap, tmp_path / "built", outputs)
    assert files_in(added) == files_in(tmp_path / "built")
    assert check_dataset(added).faults == ()
    faces = pq.read_table(added / "faces.parquet").to_pylist()
    written = [face["file_name"] is not None for face in faces]
    assert [row["face_id"] for row in rows(added)] == [face["face_id"] for face in faces]
    assert [row["embedding"] is not None for row in rows(added)] == written
    assert {row["no_embedding"] for row in rows(added)} == {None} | (
        {"no_crop"} if not outputs.keep_rejected else set()
    )
    assert (done.faces, done.embedded, done.model) == (len(faces), sum(written), "dlib-resnet")
    assert done.missing == ({"no_crop": written.count(False)} if not outputs.keep_rejected else {})


def test_a_row_has_the_numbers_of_its_crop_and_the_origin_names_the_model(whole: Path) -> None:
    dataset = facesieve.open_dataset(whole)
    assert dataset.about.origin.identity == MODEL
    assert {len(row["embedding"]) for row in rows(whole)} == {128}
    vectors, names = dataset.vectors, dataset.faces["file_name"].to_pylist()
    import cv2

    crop = cv2.imread(str(whole / names[0]))[..., ::-1]
    assert np.array_equal(vectors[0], embedder()(crop[np.newaxis]).vectors[0].astype(np.float32))
    assert vectors.shape == (len(names), 128) and vectors.dtype == np.float32 and np.isfinite(vectors).all()
    [block] = dataset.blocks(embeddings=True)
    assert block.embeddings is not None and block.embeddings.equals(dataset.embeddings)
    assert next(iter(dataset.blocks())).embeddings is None


def test_without_embeddings_nothing_is_written_and_no_file_mentions_them(plain: Path) -> None:
    assert not (plain / "embeddings.parquet").exists()
    assert "identity" not in (plain / "dataset.json").read_text()
    with pytest.raises(DatasetError, match="has no embeddings; add them: facesieve identify") as error:
        list(open_manifests(plain).embedding_tables())
    assert error.value.code == "no_embeddings"


def test_removing_embeddings_restores_every_byte(copy: Path, plain: Path) -> None:
    identify(copy, settings=DLIB)
    before = (plain / ".facesieve" / "parts" / "00000000.parquet").read_bytes()
    assert (copy / ".facesieve" / "parts" / "00000000.parquet").read_bytes() != before
    assert identify(copy, settings=Settings(identity="none")).model == "none"
    assert files_in(copy) == files_in(plain)
    assert (copy / ".facesieve" / "parts" / "00000000.parquet").read_bytes() == before
    assert check_dataset(copy).faults == ()


def test_a_second_call_has_nothing_to_do_and_changes_nothing(copy: Path) -> None:
    identify(copy, settings=DLIB)
    times = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file() and path.name != "lock"}
    again = identify(copy, settings=DLIB)
    assert again.new == 0 and again.embedded > 0
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_another_machine_is_not_recorded_where_it_computes_nothing(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identify(copy, settings=DLIB)
    held = files_in(copy)
    monkeypatch.setattr("facesieve.run.inference._instruction_set", lambda settings: "other")
    identify(copy, settings=DLIB)
    assert files_in(copy) == held


KILLED = """
import os, signal, sys
from pathlib import Path
import facesieve.run.identify as module
from facesieve.run import embed_parts
from facesieve.settings import Settings
place = sys.argv[2]
embed_parts.BATCH = 2
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
if not place.isdigit():
    setattr(module, place, die)
def watch(progress):
    if place.isdigit() and progress.done >= int(place):
        die()
module.identify(Path(sys.argv[1]), settings=Settings(identity="dlib-resnet"), watch=watch)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("place", ["0", "16", "20", "remove_published_checksums", "write_made", "publish_ledger"])
def test_a_killed_run_goes_on_where_it_was(copy: Path, whole: Path, place: str) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED, str(copy), place], check=False, capture_output=True)
    assert child.returncode == -9, child.stderr
    assert pq.read_table(copy / "faces.parquet").num_rows > 0, "the dataset can still be read"
    watched: list[IdentifyProgress] = []
    identify(copy, settings=DLIB, watch=watched.append)
    if place.isdigit():
        assert (watched[0].total < CROPS) == (int(place) > 10), "finished shards are not done again"
    else:
        assert watched[-1] == IdentifyProgress(0, 0)
    assert files_in(copy) == files_in(whole)
    assert check_dataset(copy).faults == ()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_build_without_embeddings_goes_on_after_a_killed_run(heap: Path, copy: Path, plain: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(copy), "16"], check=False, capture_output=True)
    ledger = Ledger(Layout(copy))
    done = {embedded_with(ledger.table(number)) for number in ledger.numbers()}
    assert done == {MODEL.sha256, ""}
    without(heap, copy)
    assert files_in(copy) == files_in(plain)
    assert check_dataset(copy).faults == ()


def test_rows_that_later_ones_replace_need_no_crop(heap: Path, copy: Path, tmp_path: Path) -> None:
    moved = [dataclasses.replace(source, label="Somebody") for source in sources_in(heap)]
    build_dataset(moved, copy, Handmade, spec(REJECTED_TOO))
    assert len(Ledger(Layout(copy)).numbers()) > 3, "the old rows are still in the ledger"
    identify(copy, settings=DLIB)
    build_dataset(moved, tmp_path / "built", lambda: Embedding(True), spec(REJECTED_TOO, MODEL))
    assert files_in(copy) == files_in(tmp_path / "built")
    assert check_dataset(copy).faults == ()


def test_a_stopped_run_says_how_far_it_came(copy: Path, whole: Path) -> None:
    def stop(progress: IdentifyProgress) -> None:
        if progress.done:
            raise Stopped(2)

    with pytest.raises(Stopped) as stopped:
        identify(copy, settings=DLIB, watch=stop)
    assert "crops were read" in stopped.value.remark and not stopped.value.remark.startswith("0 ")
    assert check_dataset(copy).faults == ()
    identify(copy, settings=DLIB)
    assert files_in(copy) == files_in(whole)


def test_forgetting_removes_the_embedding_too(heap: Path, whole: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    source = "Grace/002.png"
    faces = [row for row in pq.read_table(out / "faces.parquet").to_pylist() if row["source"] == source]
    secrets = [row["embedding"] for row in rows(out) if row["face_id"] in {face["face_id"] for face in faces}]
    assert secrets
    forget(out, [source], Settings())
    embedded(heap, tmp_path / "never", leave_out=(source,))
    assert files_in(out) == files_in(tmp_path / "never")
    assert check_dataset(out).faults == ()
    numbers = [np.asarray(secret, "<f2").tobytes() for secret in secrets]
    held = [
        face["embedding"]
        for number in Ledger(Layout(out)).numbers()
        for row in Ledger(Layout(out)).table(number).to_pylist()
        for face in row["faces"]
    ]
    assert not set(numbers) & set(held) and all(
        secret not in [row["embedding"] for row in rows(out)] for secret in secrets
    )


def test_pruning_removes_the_embedding_too(heap: Path, tmp_path: Path) -> None:
    fewer = Path(shutil.copytree(heap, tmp_path / "heap"))
    out = tmp_path / "out"
    model = spec(REJECTED_TOO, MODEL)
    build_dataset(sources_in(fewer), out, lambda: Embedding(True), model, named=[str(fewer)])
    before = len(rows(out))
    gone = next(row["source"] for row in pq.read_table(out / "faces.parquet").to_pylist() if row["label"] == "Grace")
    (fewer / gone).unlink()
    sources = [dataclasses.replace(source, identity=os.fsencode(fewer / source.name)) for source in sources_in(fewer)]
    build_dataset(sources, out, lambda: Embedding(True), model, named=[str(fewer)], prune=True)
    assert len(rows(out)) == pq.read_table(out / "faces.parquet").num_rows <= before
    assert check_dataset(out).faults == ()


def test_new_pictures_get_embeddings_when_the_dataset_goes_on(heap: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    late = ("Grace/000.png", "Ada/003.png")
    embedded(heap, out, leave_out=late)
    identify(out, settings=DLIB)
    result = embedded(heap, out)
    assert result.progress.done == len(late)
    assert files_in(out) == files_in(whole)


def test_a_damaged_picture_is_done_again_with_its_embedding(heap: Path, whole: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    crop = next((out / "kept").rglob("*.png"))
    crop.write_bytes(b"")
    embedded(heap, out)
    assert files_in(out) == files_in(whole)


@pytest.mark.parametrize(
    ("before", "now", "sentence"),
    [
        (None, MODEL, "has no embeddings. Add them first: facesieve identify"),
        (MODEL, None, "has embeddings of dlib-resnet. Build with --identity dlib-resnet, or remove them first"),
        (
            MODEL,
            IdentityModel(model="sface", sha256="0" * 64),
            "has embeddings of dlib-resnet, which cannot be compared",
        ),
        (MODEL, IdentityModel(model="dlib-resnet", sha256="0" * 64), "other weights of dlib-resnet"),
    ],
)
def test_a_build_with_another_model_is_told_in_one_sentence(
    heap: Path, plain: Path, whole: Path, before: IdentityModel | None, now: IdentityModel | None, sentence: str
) -> None:
    root = whole if before else plain
    held = files_in(root)
    with pytest.raises(DatasetError, match=sentence) as error:
        build_dataset(sources_in(heap), root, Handmade, spec(REJECTED_TOO, now))
    assert error.value.code == "other_identity" and "\n" not in error.value.message
    assert files_in(root) == held


def test_identifying_with_another_model_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has embeddings of dlib-resnet, not of sface") as error:
        identify(whole, settings=Settings(identity="sface", cache_dir=tmp_path))
    assert error.value.code == "other_identity"


def test_a_part_with_embeddings_of_another_model_counts_as_not_done(copy: Path, whole: Path) -> None:
    identify(copy, settings=DLIB)
    ledger = Ledger(Layout(copy))
    ledger.rewrite(0, with_embedded(ledger.table(0), "f" * 64))
    assert [fault.name for fault in check_dataset(copy).faults] == ["embeddings.parquet"]
    assert identify(copy, settings=DLIB).new > 0
    assert files_in(copy) == files_in(whole)


def crop_of(root: Path) -> Path:
    return sorted((root / "kept").rglob("*.png"))[3]


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [flipped, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_or_missing_crop_is_named_and_nothing_else_is_lost(
    copy: Path, whole: Path, harm: Callable[[Path], object]
) -> None:
    crop = crop_of(copy)
    good = crop.read_bytes()
    harm(crop)
    with pytest.raises(DatasetError, match=f"{crop.name} is (damaged|missing)") as error:
        identify(copy, settings=DLIB)
    assert error.value.code == "damaged_crop"
    crop.write_bytes(good)
    identify(copy, settings=DLIB)
    assert files_in(copy) == files_in(whole)


def test_a_pipe_in_place_of_a_crop_is_an_error_and_nothing_waits_for_it(copy: Path) -> None:
    crop = crop_of(copy)
    crop.unlink()
    os.mkfifo(crop)
    with pytest.raises(DatasetError, match=crop.name) as error:
        identify(copy, settings=DLIB)
    assert error.value.code == "damaged_dataset"


@pytest.mark.parametrize(("harm", "code"), [(flipped, "damaged"), (Path.unlink, "missing")])
def test_a_damaged_or_missing_table_is_noticed_and_repaired_without_the_network(
    whole: Path, tmp_path: Path, harm: Callable[[Path], object], code: str
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    harm(out / "embeddings.parquet")
    assert [(str(fault.code), fault.name) for fault in check_dataset(out).faults] == [(code, "embeddings.parquet")]
    dataset = facesieve.open_dataset(out)
    assert dataset.faces.num_rows, "the rest can still be read"
    with pytest.raises(DatasetError, match=r"embeddings\.parquet is (damaged|missing)"):
        list(dataset.embedding_tables())
    assert repair_dataset(out, Settings()).faults == ()
    assert files_in(out) == files_in(whole)


def test_a_dataset_that_is_being_built_unfinished_or_judged_again_is_refused(
    copy: Path, whole: Path, tmp_path: Path
) -> None:
    with lock_dataset(Layout(copy)), pytest.raises(DatasetError, match="Another build is writing") as error:
        identify(copy, settings=DLIB)
    assert error.value.code == "in_use"
    (copy / "dataset.json").unlink()
    with lock_dataset(Layout(copy)), pytest.raises(DatasetError, match="A build is writing"):
        identify(copy, settings=DLIB)
    with pytest.raises(DatasetError, match="is unfinished") as error:
        identify(copy, settings=DLIB)
    with pytest.raises(DatasetError) as error:
        identify(tmp_path, settings=DLIB)
    assert error.value.code == "not_a_dataset"


def test_a_dataset_judged_again_keeps_the_embeddings_of_all_its_faces(whole: Path, tmp_path: Path) -> None:
    dataset = open_manifests(whole)
    policy = Policy.parse({"name": "all", "rules": [{"measure": "blur", "low": 0, "reason": "blurred"}]})
    write_rejudged(dataset, rejudge(dataset, partial(judge_columns, policy)), tmp_path / "new", policy, Settings())
    assert (tmp_path / "new" / "embeddings.parquet").read_bytes() == (whole / "embeddings.parquet").read_bytes()
    assert check_dataset(tmp_path / "new").faults == ()
    with pytest.raises(DatasetError) as error:
        identify(tmp_path / "new", settings=DLIB)
    assert error.value.code == "not_continuable"


def test_the_table_becomes_a_folder_where_the_faces_do(copy: Path) -> None:
    identify(copy, settings=Settings(identity="dlib-resnet", manifest_rows=5))
    names = sorted(path.name for path in (copy / "embeddings.parquet").iterdir())
    assert names == sorted(path.name for path in (copy / "faces.parquet").iterdir())
    assert open_manifests(copy).embeddings["face_id"].equals(open_manifests(copy).faces["face_id"])
    assert check_dataset(copy).faults == ()
    (copy / "embeddings.parquet" / "part-00001.parquet").unlink()
    assert [fault.name for fault in check_dataset(copy).faults] == ["embeddings.parquet/part-00001.parquet"]
    with pytest.raises(DatasetError, match=r"part-00001\.parquet is missing"):
        list(open_manifests(copy).embedding_tables())


def test_the_manifest_of_the_crops_that_is_handed_on_has_no_embedding(whole: Path) -> None:
    for name in ("kept/metadata.parquet", "faces.parquet", "pictures.parquet"):
        assert not any("embedding" in column for column in pq.read_table(whole / name).column_names)


def test_crops_of_another_kind_are_refused(heap: Path, tmp_path: Path) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, spec(REJECTED_TOO, alignment="affine"))
    with pytest.raises(DatasetError, match=r"was built with other crops\..*alignment=similarity") as error:
        identify(tmp_path / "out", settings=DLIB)
    assert error.value.code == "other_crops"


def test_a_dataset_without_faces_gets_an_empty_table(heap: Path, tmp_path: Path) -> None:
    nothing = [source for source in sources_in(heap) if source.name.endswith((".txt", "empty.jpg"))]
    build_dataset(nothing, tmp_path / "out", Handmade, spec(REJECTED_TOO))
    assert identify(tmp_path / "out", settings=DLIB).faces == 0
    assert rows(tmp_path / "out") == [] and check_dataset(tmp_path / "out").faults == ()


def test_the_command_adds_and_removes_and_asks_for_a_model(
    copy: Path, whole: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    status, _, said = run("identify", copy)
    assert status == 2 and "Name a model: --identity dlib-resnet" in said
    status, out, said = run("identify", copy, "--identity", "dlib-resnet")
    faces = pq.read_table(whole / "faces.parquet").num_rows
    assert (status, out) == (0, f"{faces} of {faces} faces have an embedding\n") and f"{CROPS}/{CROPS} crops" in said
    status, out, _ = run("identify", copy, "--identity", "none", "--json")
    assert status == 0 and '"model": "none"' in out and not (copy / "embeddings.parquet").exists()


def test_weights_that_only_the_user_can_add_are_asked_for_in_one_sentence(
    copy: Path, plain: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    cache = ("--setting", f"cache_dir={tmp_path / 'cache'}")
    status, _, said = run("identify", copy, "--identity", "sface", *cache)
    assert status == 2 and "facesieve models add sface FILE" in said and said.endswith("[model_absent]\n")
    status, _, said = run("build", copy / "kept", "-o", tmp_path / "new", "--identity", "sface", "--quiet", *cache)
    assert status == 2 and not (tmp_path / "new").exists()
    status, _, said = run("identify", copy, "--identity", "arcface")
    assert status == 2 and "Setting 'identity'" in said
    assert files_in(copy) == files_in(plain)


def test_a_real_build_with_a_pool_equals_one_that_was_identified(astronaut: Path, hopper: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    people.mkdir()
    for number in range(9):
        for path in (astronaut, hopper):
            shutil.copy(path, people / f"{number}{path.name}")
            with (people / f"{number}{path.name}").open("ab") as file:
                file.write(bytes(number))  # another sha256, the same picture
    options = {"pose": "none", "min_face_size": 60, "shard_size": 4}
    lenient = facesieve.Policy.preset("lenient")
    facesieve.build(
        people, tmp_path / "built", settings=Settings.load(workers=2, identity="dlib-resnet", **options), policy=lenient
    )
    facesieve.build(people, tmp_path / "added", settings=Settings.load(workers=1, **options), policy=lenient)
    identify(tmp_path / "added", settings=DLIB)
    assert files_in(tmp_path / "built") == files_in(tmp_path / "added")


def test_the_name_of_a_model_is_checked() -> None:
    with pytest.raises(UsageError, match="identity"):
        Settings(identity="arcface")
