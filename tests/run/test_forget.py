"""What leaves a dataset is gone from the ledger, the manifests, the sheet and every file made from it."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
from traces import everything, of_several_faces, rows_of

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.manifests import open_manifests
from facesieve.errors import DatasetError, UsageError
from facesieve.records import Verdict
from facesieve.run.build import build_dataset
from facesieve.run.check import check_dataset
from facesieve.run.forget import Forgotten, forget
from facesieve.run.ledger import Ledger
from facesieve.run.rejudge import rejudge, write_rejudged
from facesieve.settings import Settings
from handmade import Handmade, build_spec, by_hand, files_in, sources_in

EVERYTHING = Outputs(keep_rejected=True, cuts=("face", "head"), marked=True)


def made(heap: Path, root: Path, outputs: Outputs = EVERYTHING, without: tuple[str, ...] = ()) -> Path:
    sources = [source for source in sources_in(heap) if source.name not in without]
    build_dataset(sources, root, Handmade, build_spec(outputs, shard_size=5))
    return root


def test_a_source_leaves_no_trace_and_the_rest_is_the_dataset_without_it(heap: Path, tmp_path: Path) -> None:
    out = made(heap, tmp_path / "out")
    source = "Grace/002.png"
    (picture,), faces = rows_of(out, "pictures", source), rows_of(out, "faces", source)
    assert len(faces) > 0
    traces = [source.encode(), picture["picture_id"].encode(), *(face["face_id"].encode() for face in faces)]
    assert all(trace in everything(out) for trace in traces)
    gone = forget(out, [source], Settings())
    assert (gone.pictures, gone.faces) == (1, len(faces))
    assert gone.files == 3 * len(faces) + 1, "a crop, two cuts of each face, and the marked picture"
    assert not any(trace in everything(out) for trace in traces)
    assert files_in(out) == files_in(made(heap, tmp_path / "never", without=(source,)))
    assert check_dataset(out).faults == ()


def test_a_picture_is_forgotten_under_every_name_by_the_beginning_of_its_id(heap: Path, tmp_path: Path) -> None:
    out = made(heap, tmp_path / "out")
    picture_id = rows_of(out, "pictures", "Ada/001.png")[0]["picture_id"]
    assert forget(out, [picture_id[:8]], Settings()).pictures == 3
    assert picture_id.encode() not in everything(out)
    names = ("Ada/001.png", "Ada/001 again.png", "Grace/not Grace.png")
    assert files_in(out) == files_in(made(heap, tmp_path / "never", without=names))


def test_one_of_two_equal_pictures_leaves_the_other_with_the_faces(heap: Path, tmp_path: Path) -> None:
    out = made(heap, tmp_path / "out")
    forget(out, ["Ada/001 again.png"], Settings())
    assert rows_of(out, "pictures", "Ada/001.png")[0]["refusal"] is None
    lost = [fault.name for fault in check_dataset(out).faults]
    assert all(name.startswith("marked/") for name in lost), "crops are shared, the marked picture was never kept"
    made(heap, out, without=("Ada/001 again.png",))
    assert files_in(out) == files_in(made(heap, tmp_path / "never", without=("Ada/001 again.png",)))


def test_a_face_goes_and_the_others_of_its_picture_stay(heap: Path, tmp_path: Path) -> None:
    outputs = Outputs(keep_rejected=True, cuts=("face",))
    out = made(heap, tmp_path / "out", outputs)
    source = of_several_faces(out)
    first, *others = rows_of(out, "faces", source)
    assert forget(out, [first["face_id"]], Settings()) == Forgotten(pictures=0, faces=1, files=2)
    assert first["face_id"].encode() not in everything(out)
    assert rows_of(out, "faces", source) == others
    assert rows_of(out, "pictures", source)[0]["faces"] == len(others)
    assert check_dataset(out).faults == ()
    made(heap, out, outputs)
    assert rows_of(out, "faces", source) == others, "the same build does not bring it back"


def test_a_face_takes_its_picture_along_where_marked_pictures_show_it(heap: Path, tmp_path: Path) -> None:
    out = made(heap, tmp_path / "out")
    source = of_several_faces(out)
    assert forget(out, [rows_of(out, "faces", source)[0]["face_id"]], Settings()).pictures == 1
    assert source.encode() not in everything(out)


def test_small_pictures_leave_the_ledger_and_the_sheet(heap: Path, tmp_path: Path) -> None:
    out = made(heap, tmp_path / "out")
    face = rows_of(out, "faces", "Grace/002.png")[0]
    ledger = Ledger(Layout(out))
    small = {row["face_id"]: row["jpeg"] for number in ledger.numbers() for row in ledger.thumbs(number).to_pylist()}[
        face["face_id"]
    ]
    assert base64.b64encode(small) in (out / "contact_sheet.html").read_bytes()
    forget(out, ["Grace/002.png"], Settings())
    assert base64.b64encode(small) not in (out / "contact_sheet.html").read_bytes()
    assert all(small not in ledger.thumbs(number)["jpeg"].to_pylist() for number in ledger.numbers())


def test_the_last_picture_can_be_forgotten(heap: Path, tmp_path: Path) -> None:
    only = [source for source in sources_in(heap) if source.name == "Grace/002.png"]
    build_dataset(only, tmp_path / "out", Handmade, build_spec(EVERYTHING))
    forget(tmp_path / "out", ["Grace/002.png"], Settings())
    assert len(open_manifests(tmp_path / "out").pictures) == 0
    assert check_dataset(tmp_path / "out").faults == ()
    assert not list((tmp_path / "out").rglob("*.png"))


@pytest.mark.parametrize("what", ["Grace/nobody.png", "", "zz", "0" * 64])
def test_what_is_not_there_is_one_sentence(heap: Path, tmp_path: Path, what: str) -> None:
    out = made(heap, tmp_path / "out")
    before = files_in(out)
    with pytest.raises(UsageError) as caught:
        forget(out, [what], Settings())
    assert caught.value.code == "nothing_to_forget"
    assert files_in(out) == before


def test_the_message_says_which_names_and_which_labels_are_not_there(heap: Path, tmp_path: Path) -> None:
    out = made(heap, tmp_path / "out")
    with pytest.raises(UsageError) as caught:
        forget(out, ["no folder"], Settings(), ["Nobody"])
    assert caught.value.message == (
        f"{out} has no label 'Nobody', no source or folder 'no folder', and no picture or face whose id begins with it"
        " (8 digits or more); for a label use --label."
    )


def test_an_interrupted_forgetting_goes_on(heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = made(heap, tmp_path / "out")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("facesieve.run.forget.publish_ledger", stopped)
        with pytest.raises(KeyboardInterrupt):
            forget(out, ["Grace/002.png"], Settings())
    assert b"Grace/002.png" in everything(out)
    with pytest.raises(UsageError):
        forget(out, ["Grace/002.png"], Settings())
    assert b"Grace/002.png" not in everything(out)


def test_a_dataset_without_a_ledger_says_where_to_forget(heap: Path, tmp_path: Path) -> None:
    out = made(heap, tmp_path / "out")
    dataset = open_manifests(out)
    new = rejudge(dataset, by_hand(lambda measures: [Verdict(True)] * len(dataset.faces)))
    write_rejudged(dataset, new, tmp_path / "new", build_spec().policy, Settings())
    with pytest.raises(DatasetError, match="judged from") as caught:
        forget(tmp_path / "new", ["Grace/002.png"], Settings())
    assert caught.value.code == "not_continuable"


@pytest.fixture
def changing(heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A heap that a test may change, from the folder above it."""
    shutil.copytree(heap, tmp_path / "heap")
    monkeypatch.chdir(tmp_path)
    return Path("heap")


def found(root: Path) -> list[Any]:
    from facesieve.sources import SourceOptions, find_sources

    return find_sources([root], Settings(), SourceOptions("folder")).sources


def test_what_is_gone_from_its_source_is_told_and_with_prune_it_goes(changing: Path, tmp_path: Path) -> None:
    made_ = build_spec(EVERYTHING, shard_size=5)
    build_dataset(found(changing), tmp_path / "out", Handmade, made_, named=["heap"])
    before = files_in(tmp_path / "out")
    (changing / "Grace" / "002.png").unlink()
    kept = build_dataset(found(changing), tmp_path / "out", Handmade, made_, named=["heap"])
    assert (kept.gone, kept.pruned) == (("heap/Grace/002.png",), False)
    assert files_in(tmp_path / "out") == before
    pruned = build_dataset(found(changing), tmp_path / "out", Handmade, made_, named=["heap"], prune=True)
    assert (pruned.gone, pruned.pruned) == (("heap/Grace/002.png",), True)
    build_dataset(found(changing), tmp_path / "fresh", Handmade, made_)
    assert files_in(tmp_path / "out") == files_in(tmp_path / "fresh")
    assert check_dataset(tmp_path / "out").faults == ()
    assert build_dataset(found(changing), tmp_path / "out", Handmade, made_, named=["heap"], prune=True).gone == ()


@pytest.mark.parametrize("place", ["heap", "./heap/", "heap/Grace", "heap/**/*.png", "heap/*/00*.png", "."])
def test_only_what_lies_under_the_named_places_is_pruned(changing: Path, tmp_path: Path, place: str) -> None:
    made_ = build_spec(shard_size=5)
    shutil.copytree("heap", "other")
    build_dataset([*found(changing), *found(Path("other"))], tmp_path / "out", Handmade, made_)
    (changing / "Grace" / "002.png").unlink()
    there = [source for source in found(changing) if source.name.startswith("heap/Grace") or place != "heap/Grace"]
    if place == ".":
        there += found(Path("other"))
    built = build_dataset(there, tmp_path / "out", Handmade, made_, named=[place], prune=True)
    assert built.gone == ("heap/Grace/002.png",)
    assert len(open_manifests(tmp_path / "out").pictures) == 15 + 15 - 1


def test_the_same_relative_name_of_another_working_folder_is_not_pruned(
    heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_ = build_spec(EVERYTHING, shard_size=5)
    for folder in ("first", "second"):
        shutil.copytree(heap, tmp_path / folder / "heap")
        monkeypatch.chdir(tmp_path / folder)
        build_dataset(found(Path("heap")), tmp_path / "out", Handmade, made_, named=["heap"])
    count = len(open_manifests(tmp_path / "out").pictures)
    Path("heap/Grace/002.png").unlink()
    built = build_dataset(found(Path("heap")), tmp_path / "out", Handmade, made_, named=["heap"], prune=True)
    assert built.gone == ("heap/Grace/002.png",)
    assert len(open_manifests(tmp_path / "out").pictures) == count - 1
    names = open_manifests(tmp_path / "out").pictures["source"].to_pylist()
    assert "heap/Grace/002.png" in names, "the one of the first folder, whose short name is free again"
    monkeypatch.chdir(tmp_path / "first")
    assert build_dataset(found(Path("heap")), tmp_path / "out", Handmade, made_, named=["heap"]).gone == ()


def test_one_of_two_sources_of_one_relative_name_is_forgotten_as_the_manifests_name_it(
    heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("first", "second"):
        shutil.copytree(heap, tmp_path / folder / "heap")
        monkeypatch.chdir(tmp_path / folder)
        build_dataset(found(Path("heap")), tmp_path / "out", Handmade, build_spec(EVERYTHING))
    name = f"{tmp_path}/first/heap/Grace/002.png"
    assert name in open_manifests(tmp_path / "out").pictures["source"].to_pylist()
    assert forget(tmp_path / "out", [name], Settings()).pictures == 1
    monkeypatch.chdir(tmp_path / "first")
    again = build_dataset(found(Path("heap")), tmp_path / "out", Handmade, build_spec(EVERYTHING), allow_again=True)
    assert again.progress.total == 1


def test_a_folder_a_glob_and_several_names_are_forgotten(
    changing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_ = build_spec(EVERYTHING, shard_size=5)

    def without(*names: str) -> list[str]:
        build_dataset(found(changing), tmp_path / "out", Handmade, made_, allow_again=True)
        forget(tmp_path / "out", names, Settings())
        return sorted(set(everyone) - set(open_manifests(tmp_path / "out").pictures["source"].to_pylist()))

    everyone = [source.name for source in found(changing)]
    ada = sorted(name for name in everyone if "/Ada/" in name)
    for folder in ("heap/Ada", "./heap/Ada/", str(tmp_path / "heap" / "Ada"), "heap/../heap/Ada"):
        assert without(folder) == ada
    assert without("heap/Ada/00*.png") == sorted(name for name in ada if "/00" in name)
    assert without("heap/**/002.png") == ["heap/Grace/002.png"]
    assert without("heap/Grace/002.png", "heap/Ada/003.png") == ["heap/Ada/003.png", "heap/Grace/002.png"]
    assert without("heap") == without(".") == sorted(everyone)
    (tmp_path / "elsewhere").mkdir()
    build_dataset(found(changing), tmp_path / "out", Handmade, made_, allow_again=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        forget(tmp_path / "out", ["."], Settings())
    forget(tmp_path / "out", ["heap/Ada"], Settings())
    assert not any("/Ada/" in name for name in open_manifests(tmp_path / "out").pictures["source"].to_pylist())


def test_a_person_is_forgotten_by_label_and_leaves_no_folder(heap: Path, tmp_path: Path) -> None:
    out = made(heap, tmp_path / "out")
    assert {path.name for path in out.rglob("Ada")} == {"Ada"}
    forget(out, [], Settings(), ["Ada"])
    assert not list(out.rglob("Ada"))
    never = tuple(source.name for source in sources_in(heap) if source.label == "Ada")
    assert files_in(out) == files_in(made(heap, tmp_path / "never", without=never))


def test_of_several_names_one_that_fits_nothing_is_told_and_the_others_go(heap: Path, tmp_path: Path) -> None:
    out = made(heap, tmp_path / "out")
    with pytest.raises(UsageError, match=r"'Grace/nobody.png', .*the other names select was forgotten"):
        forget(out, ["Grace/002.png", "Grace/nobody.png"], Settings())
    assert "Grace/002.png" not in open_manifests(out).pictures["source"].to_pylist()
    with pytest.raises(UsageError, match="label 'Bob'"):
        forget(out, [], Settings(), ["Bob"])


def test_pruning_the_last_picture_of_a_person_removes_the_folders(changing: Path, tmp_path: Path) -> None:
    build_dataset(found(changing), tmp_path / "out", Handmade, build_spec(EVERYTHING), named=["heap"])
    shutil.rmtree(changing / "Ada")
    build_dataset(found(changing), tmp_path / "out", Handmade, build_spec(EVERYTHING), named=["heap"], prune=True)
    assert not list((tmp_path / "out").rglob("Ada")) and list((tmp_path / "out").rglob("Grace"))
