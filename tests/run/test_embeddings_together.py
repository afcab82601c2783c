"""Embeddings together with crops in tar files, with merged datasets, and with nodes of a Ray cluster."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from embedding import DLIB, MODEL, Embedding, embedder, spec

from facesieve import DatasetError, IdentifyProgress, Policy, Settings, identify, merge
from facesieve.dataset.disk.format import embedded_with
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import IdentityModel
from facesieve.records import Source
from facesieve.run import build as building
from facesieve.run import identify as identifying
from facesieve.run.build import build_dataset
from facesieve.run.check import check_dataset
from facesieve.run.engines.ray_actor import GivenSettings, MakeNodePipeline, NodeFacts, Question, facts_of_node
from facesieve.run.forget import forget
from facesieve.run.ledger import Ledger
from facesieve.run.open_dataset import open_dataset
from facesieve.run.portion import Portion
from facesieve.run.repair import repair_dataset
from facesieve.stop import Stopped
from handmade import Handmade, files_in, photos, sources_in

FILES = Outputs(keep_rejected=True, cuts=("face",), marked=True)
IN_TARS = dataclasses.replace(FILES, tar_bytes=100_000)
KEPT_IN_TARS = Outputs(tar_bytes=100_000)


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("heap"), astronaut, count=24)


@pytest.fixture(scope="module")
def whole(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that was built with embeddings, and with crops in tar files. Tests must not change it."""
    root = tmp_path_factory.mktemp("whole") / "out"
    embedded(sources_in(heap), root)
    return root


@pytest.fixture(scope="module")
def plain(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without embeddings. Tests must not change it."""
    root = tmp_path_factory.mktemp("plain") / "out"
    build_dataset(sources_in(heap), root, Handmade, spec(IN_TARS))
    return root


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "copy"))


def embedded(sources: list[Source], root: Path, outputs: Outputs = IN_TARS, **options: object) -> None:
    build_dataset(sources, root, lambda: Embedding(outputs.keep_rejected), spec(outputs, MODEL), **options)


def tars(root: Path) -> list[Path]:
    return sorted((root / "shards").iterdir())


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


# ── crops in tar files ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("outputs", [IN_TARS, KEPT_IN_TARS])
def test_embeddings_from_tar_files_make_the_dataset_that_a_build_with_them_makes(
    heap: Path, tmp_path: Path, outputs: Outputs
) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, spec(outputs))
    plain = files_in(tmp_path / "out")
    assert len(tars(tmp_path / "out")) > (3 if outputs.keep_rejected else 1)
    done = identify(tmp_path / "out", settings=DLIB)
    embedded(sources_in(heap), tmp_path / "built", outputs)
    embedded(sources_in(heap), tmp_path / "files", dataclasses.replace(outputs, tar_bytes=None))
    assert files_in(tmp_path / "out") == files_in(tmp_path / "built")
    found = check_dataset(tmp_path / "out")
    assert (found.faults, found.without_sum, found.undone) == ((), 0, 0)
    table = pq.read_table(tmp_path / "out" / "embeddings.parquet")
    assert table.equals(pq.read_table(tmp_path / "files" / "embeddings.parquet"))
    faces = pq.read_table(tmp_path / "out" / "faces.parquet")
    assert table["face_id"].equals(faces["face_id"])
    assert table["no_embedding"].null_count == done.embedded == len(faces) - faces["file_name"].null_count > 10
    identify(tmp_path / "out", settings=Settings(identity="none"))
    assert files_in(tmp_path / "out") == plain


def test_the_numbers_of_a_face_are_those_of_its_crop_in_the_tar_file(whole: Path) -> None:
    import cv2

    dataset = open_dataset(whole)
    crops = [cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR) for crop in dataset.crops(dataset.faces)]
    vectors = embedder()(np.stack(crops)[..., ::-1]).vectors
    assert [row.as_py() for row in dataset.embeddings["embedding"]] == vectors.tolist()


def test_a_stopped_or_failed_run_goes_on_from_tar_files(
    copy: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(progress: IdentifyProgress) -> None:
        if progress.done > 5:
            raise Stopped(2)

    def fail(*arguments: object) -> None:
        raise DatasetError("cannot_write", "The disk is full.")

    with pytest.raises(Stopped):
        identify(copy, settings=DLIB, watch=stop)
    assert check_dataset(copy).faults == ()
    with monkeypatch.context() as patched, pytest.raises(DatasetError, match="The disk is full"):
        patched.setattr(identifying, "publish_ledger", fail)
        identify(copy, settings=DLIB)
    assert identify(copy, settings=DLIB).new == 0
    assert files_in(copy) == files_in(whole)


def test_crops_of_shards_that_are_not_published_yet_are_read(
    heap: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise DatasetError("cannot_write", "The disk is full.")

    out, sources = tmp_path / "out", sources_in(heap)
    build_dataset(sources[:10], out, Handmade, spec(IN_TARS))
    with monkeypatch.context() as patched, pytest.raises(DatasetError, match="The disk is full"):
        patched.setattr(building, "publish_ledger", fail)
        build_dataset(sources, out, Handmade, spec(IN_TARS))
    assert Layout(out).numbers(Layout(out).unpacked), "these crops are in the folder of the build alone"
    identify(out, settings=DLIB)
    assert files_in(out) == files_in(whole)
    assert check_dataset(out).faults == ()


def test_new_pictures_are_added_with_their_embeddings(heap: Path, whole: Path, tmp_path: Path) -> None:
    out, sources = tmp_path / "out", sources_in(heap)
    build_dataset(sources[3:20], out, Handmade, spec(IN_TARS))
    identify(out, settings=DLIB)
    embedded(sources, out)
    assert files_in(out) == files_in(whole)


def test_a_forgotten_picture_leaves_no_embedding(heap: Path, whole: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    dataset = open_dataset(out)
    gone = {row["face_id"] for row in dataset.faces.to_pylist() if row["source"] == "Grace/002.png"}
    secrets = [row["embedding"] for row in dataset.embeddings.to_pylist() if row["face_id"] in gone]
    assert secrets
    forget(out, ["Grace/002.png"], Settings())
    embedded([source for source in sources_in(heap) if source.name != "Grace/002.png"], tmp_path / "never")
    assert files_in(out) == files_in(tmp_path / "never")
    assert check_dataset(out).faults == ()
    ledger = Ledger(Layout(out))
    rows = [row for number in ledger.numbers() for row in ledger.table(number)["faces"].to_pylist()]
    assert not {np.array(numbers, "<f2").tobytes() for numbers in secrets} & {
        face["embedding"] for row in rows for face in row
    }


def test_a_dataset_judged_again_keeps_tar_files_and_embeddings(whole: Path, tmp_path: Path) -> None:
    policy = Policy.parse({"name": "all", "rules": [{"measure": "blur", "low": 0, "reason": "blurred"}]})
    open_dataset(whole).rejudge(policy, tmp_path / "new")
    for path in (whole / "embeddings.parquet", *tars(whole)):
        assert (tmp_path / "new" / path.relative_to(whole)).read_bytes() == path.read_bytes()
    assert check_dataset(tmp_path / "new").faults == ()
    new = open_dataset(tmp_path / "new")
    assert new.embeddings["face_id"].equals(new.faces["face_id"])


@pytest.mark.parametrize("harm", [flipped, Path.unlink])
def test_a_damaged_or_missing_tar_file_is_noticed_before_anything_is_published(
    heap: Path, copy: Path, whole: Path, harm: Callable[[Path], None]
) -> None:
    harm(tars(copy)[1])
    held = files_in(copy)
    with pytest.raises(DatasetError, match=r"in the tar files of .* is missing or damaged") as error:
        identify(copy, settings=DLIB)
    assert error.value.code == "damaged_crop" and files_in(copy) == held
    assert [fault.name for fault in check_dataset(copy).faults] == [tars(whole)[1].relative_to(whole).as_posix()]
    repair_dataset(copy, Settings())
    build_dataset(sources_in(heap), copy, Handmade, spec(IN_TARS))
    identify(copy, settings=DLIB)
    assert files_in(copy) == files_in(whole)


@pytest.mark.parametrize("harm", [flipped, Path.unlink])
def test_a_picture_whose_tar_file_was_lost_is_done_again_with_its_embedding(
    heap: Path, whole: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    harm(tars(out)[1])
    repair_dataset(out, Settings())
    embedded(sources_in(heap), out)
    assert files_in(out) == files_in(whole)
    assert check_dataset(out).faults == ()


# ── merged datasets ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("outputs", [FILES, IN_TARS, KEPT_IN_TARS])
@pytest.mark.parametrize("later", [False, True])
def test_parts_with_embeddings_merge_to_the_dataset_of_one_build(
    heap: Path, tmp_path: Path, outputs: Outputs, later: bool
) -> None:
    parts = [tmp_path / f"part {number}" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        if later:
            build_dataset(sources_in(heap), part, Handmade, spec(outputs), portion=Portion(number, 3))
            identify(part, settings=DLIB)
        else:
            embedded(sources_in(heap), part, outputs, portion=Portion(number, 3))
    merge(parts, tmp_path / "out")
    embedded(sources_in(heap), tmp_path / "one", outputs)
    assert files_in(tmp_path / "out") == files_in(tmp_path / "one")
    assert check_dataset(tmp_path / "out").faults == ()
    assert models_in(tmp_path / "out") == {MODEL.sha256}
    assert identify(tmp_path / "out", settings=DLIB).new == 0
    embedded(sources_in(heap), tmp_path / "out", outputs)
    assert files_in(tmp_path / "out") == files_in(tmp_path / "one")


def models_in(root: Path) -> set[str]:
    ledger = Ledger(Layout(root))
    return {embedded_with(ledger.table(number)) for number in ledger.numbers()}


def test_parts_that_share_pictures_keep_one_embedding_of_each(heap: Path, whole: Path, tmp_path: Path) -> None:
    sources = sources_in(heap)
    embedded(sources[:18], tmp_path / "a")
    embedded(sources[7:], tmp_path / "b")
    result = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert result.repeated == 11
    assert models_in(tmp_path / "out") == {MODEL.sha256}, "also parts that lost some of their rows"
    assert files_in(tmp_path / "out") == files_in(whole)


def test_an_empty_part_merges_when_it_has_the_same_model(heap: Path, whole: Path, tmp_path: Path) -> None:
    embedded(sources_in(heap), tmp_path / "a")
    build_dataset([], tmp_path / "empty", Handmade, spec(IN_TARS))
    with pytest.raises(DatasetError, match="has no embeddings"):
        merge([tmp_path / "a", tmp_path / "empty"], tmp_path / "out")
    identify(tmp_path / "empty", settings=DLIB)
    merge([tmp_path / "a", tmp_path / "empty"], tmp_path / "out")
    assert files_in(tmp_path / "out") == files_in(whole)


OTHER = IdentityModel(model="sface", sha256="0" * 64)
OTHER_WEIGHTS = IdentityModel(model="dlib-resnet", sha256="0" * 64)


@pytest.mark.parametrize(
    ("one", "two", "sentence"),
    [
        (
            None,
            MODEL,
            "{a} has no embeddings, and {b} has those of dlib-resnet. Add them first: facesieve identify {a}",
        ),
        (
            MODEL,
            None,
            "{b} has no embeddings, and {a} has those of dlib-resnet. Add them first: facesieve identify {b}",
        ),
        (MODEL, OTHER, "{a} has embeddings of dlib-resnet, which cannot be compared with those in {b}, of sface."),
        (MODEL, OTHER_WEIGHTS, "cannot be compared with those in {b}, of other weights of dlib-resnet."),
    ],
)
def test_parts_with_other_embeddings_are_refused_and_both_are_named(
    heap: Path, tmp_path: Path, one: IdentityModel | None, two: IdentityModel | None, sentence: str
) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for root, model, some in ((a, one, slice(4)), (b, two, slice(4, 8))):
        build_dataset(sources_in(heap)[some], root, Handmade, spec(FILES, model))
    held = files_in(a), files_in(b)
    with pytest.raises(DatasetError) as error:
        merge([a, b], tmp_path / "out", allow_mixed_engines=True)
    assert error.value.code == "other_identity" and "\n" not in error.value.message
    assert sentence.format(a=a, b=b) in error.value.message
    assert not (tmp_path / "out").exists() and (files_in(a), files_in(b)) == held


# ── nodes of a Ray cluster ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rejected", [False, True])
def test_a_node_loads_the_model_of_the_settings_and_embeds_what_the_build_writes(
    astronaut: Path, rejected: bool
) -> None:
    given = GivenSettings.of(Settings.load(identity="dlib-resnet", pose="none"))
    facts = facts_of_node(Question(given, []))
    assert isinstance(facts, NodeFacts)
    assert facts.models["dlib-resnet/dlib-resnet"] == MODEL.sha256
    assert [engine.engine for engine in facts.engines if engine.network == "dlib-resnet"] == ["onnxruntime"]
    nobody = Policy.parse({"name": "none", "rules": [{"measure": "blur", "low": 1e9, "reason": "blurred"}]})
    [record] = MakeNodePipeline(given, nobody, rejected)().stream([astronaut])
    assert [face.embedding is not None for face in record.faces] == [rejected]
