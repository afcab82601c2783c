"""What was forgotten stays away: hashes stop later builds, and receipts say which exports have it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from embedding import DLIB
from traces import everything, of_several_faces, rows_of

from facesieve.dataset.decision_file import Change, change_decisions
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.manifests import open_manifests
from facesieve.dataset.tables.decisions import Effect
from facesieve.errors import DatasetError, UsageError
from facesieve.export.export import export_dataset
from facesieve.run.apply import apply_decisions
from facesieve.run.build import build_dataset
from facesieve.run.build_result import BuildResult
from facesieve.run.check import check_dataset
from facesieve.run.forget import Forgotten, forget_named
from facesieve.run.identify import identify
from facesieve.run.merge import merge
from facesieve.run.open_dataset import open_dataset
from facesieve.run.receipts import Holding, receipts
from facesieve.run.repair import repair_dataset
from facesieve.run.selection import Named
from facesieve.settings import Settings
from handmade import Handmade, build_spec, files_in

PLAIN = Outputs(keep_rejected=True)


@pytest.fixture
def photos(heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of photos that a test may change, from the folder above it."""
    shutil.copytree(heap, tmp_path / "heap")
    monkeypatch.chdir(tmp_path)
    return Path("heap")


def made(photos: Path, out: Path, **options: bool) -> BuildResult:
    from facesieve.sources import SourceOptions, find_sources

    found = find_sources([photos], Settings(), SourceOptions("folder")).sources
    return build_dataset(found, out, Handmade, build_spec(PLAIN, shard_size=5), named=[str(photos)], **options)


def gone(out: Path, *names: str, dry_run: bool = False, **named: object) -> Forgotten:
    return forget_named(out, Named(names, **named), Settings(), dry_run)  # type: ignore[arg-type]


def sources_of(out: Path) -> list[str]:
    return list(open_manifests(out).pictures["source"].to_pylist())


def test_a_forgotten_picture_is_not_added_again_under_any_name(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    picture_id = rows_of(out, "pictures", "heap/Grace/002.png")[0]["picture_id"]
    gone(out, "heap/Grace/002.png")
    before = files_in(out)
    again = made(photos, out)
    assert (again.forgotten, again.progress.total) == (1, 0), "its fingerprint is known, so it is not read"
    assert files_in(out) == before
    shutil.copy("heap/Grace/002.png", "heap/Ada/another name.png")
    again = made(photos, out)
    assert (again.forgotten, again.progress.total) == (2, 1)
    assert files_in(out) == before and picture_id.encode() not in everything(out)
    assert made(photos, out).progress.total == 0, "the copy is not read again either"
    assert check_dataset(out).faults == ()


def test_allow_again_lifts_it_for_what_the_build_finds(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    before = files_in(out)
    gone(out, "heap/Grace/002.png", "heap/Grace/004.png")
    Path("heap/Grace/004.png").rename("aside.png")
    assert made(photos, out, allow_again=True).forgotten == 0
    assert "heap/Grace/002.png" in sources_of(out)
    Path("aside.png").rename("heap/Grace/004.png")
    assert made(photos, out).forgotten == 1, "this one was not there when it was allowed"
    made(photos, out, allow_again=True)
    assert files_in(out) == before
    assert made(photos, out).forgotten == 0


def test_one_of_two_equal_pictures_stays_away_and_the_other_stays(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    gone(out, "heap/Ada/001 again.png")
    assert made(photos, out).forgotten == 1
    assert "heap/Ada/001.png" in sources_of(out) and "heap/Ada/001 again.png" not in sources_of(out)


def test_a_label_stays_away_with_pictures_that_are_new(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    count = sum("/Ada/" in name for name in sources_of(out))
    gone(out, labels=["Ada"])
    shutil.copy("heap/Grace/004.png", "heap/Ada/new.png")
    assert made(photos, out).forgotten == count + 1
    assert not any("/Ada/" in name for name in sources_of(out)) and b"Ada" not in everything(out)


def test_a_face_stays_away_when_its_picture_is_read_again(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    source = of_several_faces(out)
    first, *others = [row["face_id"] for row in rows_of(out, "faces", source)]
    assert gone(out, faces=[first[:8]]).faces == 1
    Path(source).rename("moved.png")
    shutil.copy("moved.png", "heap/Grace/zz.png")
    made(photos, out, prune=True)
    assert [row["face_id"] for row in rows_of(out, "faces", "heap/Grace/zz.png")] == others
    assert first.encode() not in everything(out)


def test_a_picture_is_named_by_a_file_with_its_bytes(photos: Path, tmp_path: Path) -> None:
    out, copy = tmp_path / "out", tmp_path / "from the letter.png"
    made(photos, out)
    shutil.copy("heap/Ada/001.png", copy)
    assert gone(out, pictures=[str(copy)]).pictures == 3
    copy.write_bytes(b"another picture")
    with pytest.raises(UsageError, match=r"no picture with the bytes of '.*letter.png'"):
        gone(out, pictures=[str(copy)])
    with pytest.raises(DatasetError, match="No such file"):
        gone(out, pictures=["nothing.png"])


def test_missing_sources_are_forgotten_unless_all_are_missing(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    assert gone(out, missing=True) == Forgotten(0, 0, 0)
    Path("heap/Grace/002.png").rename("aside.png")
    assert gone(out, missing=True).pictures == 1
    assert "heap/Grace/002.png" not in sources_of(out)
    photos.rename("unmounted")
    with pytest.raises(UsageError) as caught:
        gone(out, missing=True)
    assert caught.value.code == "all_missing" and len(sources_of(out)) > 1


def test_a_dry_run_counts_and_changes_nothing(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    before = everything(out)
    counted = gone(out, "heap/Grace/002.png", labels=["Ada"], dry_run=True)
    assert everything(out) == before
    done = gone(out, "heap/Grace/002.png", labels=["Ada"])
    assert (counted.pictures, counted.faces, counted.files) == (done.pictures, done.faces, 0)
    assert done.pictures > 1 and done.files > 0


def test_exports_that_have_the_faces_are_named_and_receipts_lose_the_ids(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    export_dataset(out, "csv", tmp_path / "all")
    export_dataset(out, "csv", tmp_path / "grace", where='label == "Grace"')
    kept = [row for row in rows_of(out, "faces", "heap/Ada/003.png") if row["kept"]]
    wanted = (Holding(str(tmp_path / "all"), len(kept)),)
    assert len(kept) == 1 and gone(out, "heap/Ada/003.png", dry_run=True).exports == wanted
    assert gone(out, "heap/Ada/003.png").exports == wanted
    assert kept[0]["face_id"].encode() not in everything(out), "not in a receipt either"
    assert gone(out, "heap/Ada/005.png").exports[0].output == str(tmp_path / "all"), "it still has the first one"
    shutil.rmtree(tmp_path / "all")
    export_dataset(out, "csv", tmp_path / "all")
    of_grace = next(
        row for row in pq.read_table(out / "faces.parquet").to_pylist() if row["label"] == "Grace" and row["kept"]
    )
    assert gone(out, of_grace["source"]).exports == tuple(
        Holding(str(tmp_path / name), 1) for name in ("all", "grace")
    ), "the new export has no face that was forgotten before"


def test_a_damaged_receipt_ends_forgetting_before_anything_is_removed(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    export_dataset(out, "csv", tmp_path / "all")
    [receipt] = receipts(Layout(out))
    receipt.path.write_bytes(b"nothing")
    before = files_in(out)
    with pytest.raises(DatasetError) as caught:
        gone(out, "heap/Ada/003.png")
    assert caught.value.code == "damaged_receipt" and str(receipt.path) in caught.value.message
    assert files_in(out) == before and not Layout(out).forgotten.exists()


def test_a_merge_leaves_out_what_one_of_its_parts_has_forgotten(photos: Path, tmp_path: Path) -> None:
    made(photos, tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    gone(tmp_path / "one", "heap/Grace/002.png")
    gone(tmp_path / "two", labels=["Ada"])
    merge([tmp_path / "one", tmp_path / "two"], tmp_path / "both")
    assert sources_of(tmp_path / "both") == [
        name for name in sources_of(tmp_path / "two") if name != "heap/Grace/002.png"
    ]
    assert check_dataset(tmp_path / "both").faults == ()
    assert made(photos, tmp_path / "both").forgotten > 1
    assert "heap/Grace/002.png" not in sources_of(tmp_path / "both")


def test_the_table_has_hashes_alone(photos: Path, tmp_path: Path) -> None:
    made(photos, tmp_path / "out")
    gone(tmp_path / "out", labels=["Ada"])
    table = pq.read_table(Layout(tmp_path / "out").forgotten)
    assert table.column_names == ["salt", "hash"] and set(map(len, table["hash"].to_pylist())) == {16}
    made(photos, tmp_path / "other")
    gone(tmp_path / "other", labels=["Ada"])
    other = pq.read_table(Layout(tmp_path / "other").forgotten)
    assert not {*table["hash"].to_pylist()} & {*other["hash"].to_pylist()}, "each dataset has its own salt"


def test_a_build_does_not_run_when_it_cannot_know_what_was_forgotten(photos: Path, tmp_path: Path) -> None:
    made(photos, tmp_path / "out")
    gone(tmp_path / "out", labels=["Ada"])
    Layout(tmp_path / "out").forgotten.write_bytes(json.dumps({}).encode())
    with pytest.raises(DatasetError) as caught:
        made(photos, tmp_path / "out")
    assert caught.value.code == "damaged_dataset"


def test_a_photo_that_moved_to_another_label_moves_its_face(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    [face] = [row["face_id"] for row in rows_of(out, "faces", "heap/Ada/003.png") if row["kept"]]
    assert (out / "kept" / "Ada" / f"{face}.png").exists()
    Path("heap/Ada/003.png").rename("heap/Grace/003.png")
    moved = made(photos, out)
    assert (moved.moved_labels, moved.gone, moved.moved) == (("heap/Ada/003.png",), (), ())
    assert {path.relative_to(out).as_posix() for path in out.rglob(f"{face}.png")} == {f"kept/Grace/{face}.png"}
    made(photos, tmp_path / "fresh")
    assert files_in(out) == files_in(tmp_path / "fresh")
    assert made(photos, out).moved_labels == ()


def test_a_photo_that_moved_under_its_label_or_lies_under_both_stays(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    Path("heap/Ada/003.png").rename("heap/Ada/003 again.png")
    shutil.copy("heap/Ada/005.png", "heap/Grace/005.png")
    found = made(photos, out)
    assert (found.gone, found.moved_labels) == (("heap/Ada/003.png",), ())
    assert "heap/Ada/003.png" in sources_of(out) and "heap/Ada/005.png" in sources_of(out)


def killed_build_of_a_forgotten_picture(photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The id of a forgotten picture. A build has found a copy of it, and was stopped before it looked for it."""
    made(photos, out)
    picture_id = rows_of(out, "pictures", "heap/Grace/002.png")[0]["picture_id"]
    gone(out, "heap/Grace/002.png")
    shutil.copy("heap/Grace/002.png", "heap/Ada/another name.png")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("facesieve.run.build.drop_forgotten", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        made(photos, out)
    assert picture_id.encode() in everything(out), "the ledger has it"
    assert "heap/Ada/another name.png" not in sources_of(out)
    return bytes(picture_id.encode())


def with_embeddings(out: Path) -> None:
    identify(out, settings=DLIB)


def applied(out: Path) -> None:
    apply_decisions(out, Settings())


def repaired(out: Path) -> None:
    (out / "contact_sheet.html").unlink()
    assert repair_dataset(out, Settings()).faults == ()


def one_more_gone(out: Path) -> None:
    gone(out, "heap/Grace/004.png")


@pytest.mark.parametrize("command", [with_embeddings, applied, repaired, one_more_gone])
def test_no_command_publishes_what_a_killed_build_has_found_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[Path], None]
) -> None:
    out = tmp_path / "out"
    picture_id = killed_build_of_a_forgotten_picture(photos, out, monkeypatch)
    command(out)
    assert picture_id not in everything(out) and "heap/Ada/another name.png" not in sources_of(out)
    assert check_dataset(out).faults == ()


def test_a_label_that_was_given_by_hand_is_forgotten_with_the_faces_that_have_it(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made(photos, out)
    [face] = [row["face_id"] for row in rows_of(out, "faces", "heap/Grace/004.png") if row["kept"]]
    others = [row["face_id"] for row in rows_of(out, "faces", "heap/Grace/004.png") if not row["kept"]]
    change_decisions(Layout(out), [Change(face, Effect(label="Beatrice"))])
    apply_decisions(out, Settings())
    assert rows_of(out, "faces", "heap/Grace/004.png")[0]["label"] == "Beatrice"
    assert gone(out, labels=["Beatrice"], dry_run=True).faces == 1
    assert gone(out, labels=["Beatrice"]).faces == 1
    assert [row["face_id"] for row in rows_of(out, "faces", "heap/Grace/004.png")] == others
    assert face.encode() not in everything(out) and b"Beatrice" not in everything(out)
    made(photos, out)
    assert face.encode() not in everything(out)
    with pytest.raises(UsageError, match="no label 'Beatrice'"):
        gone(out, labels=["Beatrice"])


def test_datasets_that_sieve_wrote_are_named_with_the_exports_of_these(photos: Path, tmp_path: Path) -> None:
    out, new, newer = (tmp_path / name for name in ("out", "new", "newer"))
    made(photos, out)
    open_dataset(out).rejudge(output=new)
    open_dataset(new).rejudge(output=newer)
    export_dataset(newer, "csv", tmp_path / "csv", rejected=True)
    faces = len(rows_of(out, "faces", "heap/Ada/003.png"))
    assert faces > 0
    wanted = (
        Holding(str(tmp_path / "csv"), faces),
        Holding(str(new), faces, dataset=True),
        Holding(str(newer), faces, dataset=True),
    )
    assert gone(out, "heap/Ada/003.png").exports == wanted
    open_dataset(out).rejudge(output=new, overwrite=True)
    assert [receipt.about["output"] for receipt in receipts(Layout(new))] == [str(newer)], "the new one still knows it"
    more = len(rows_of(out, "faces", "heap/Ada/005.png"))
    assert gone(out, "heap/Ada/005.png").exports == (
        Holding(str(tmp_path / "csv"), faces + more),
        Holding(str(new), more, dataset=True),
        Holding(str(newer), faces + more, dataset=True),
    )


def test_a_result_that_could_not_be_written_leaves_no_receipt(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(photos, tmp_path / "out")
    monkeypatch.setattr("facesieve.run.rejudge.publish_dataset", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        open_dataset(tmp_path / "out").rejudge(output=tmp_path / "new")
    assert receipts(Layout(tmp_path / "out")) == []
