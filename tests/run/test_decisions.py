"""Decisions by hand: every command that writes or reads a dataset follows them, and none loses them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import facesieve
from facesieve.dataset.decision_file import (
    Change,
    DecidedMeanwhileError,
    change_decisions,
    read_decisions,
)
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.decisions import Effect
from facesieve.errors import DatasetError, UsageError
from facesieve.records import KEEP, REJECT, Face, Measures, Record, Source, Verdict
from facesieve.run.apply import apply_decisions
from facesieve.run.build import build_dataset
from facesieve.run.build_spec import BuildSpec
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.run.merge import merge
from facesieve.run.open_dataset import open_dataset
from facesieve.run.publish import remove_published_checksums
from facesieve.settings import Settings
from facesieve.sieve import Policy, judge_columns
from handmade import Handmade, build_spec, files_in, sources_in

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
OUTPUTS = Outputs(keep_rejected=True, cuts=("head",))
FIRST = "0" * 32


class Sharp(Handmade):
    """A pipeline whose verdicts are those of the policy of `spec`: a face is kept if its blur is at least 40."""

    def one(self, source: Source) -> Record:
        record = super().one(source)
        return replace(record, faces=tuple(map(_judged, record.faces)))


def _judged(face: Face) -> Face:
    kept = face.measures["blur"] >= 40
    return replace(face, verdict=Verdict(kept, () if kept else ("blurred",)))


def spec(outputs: Outputs) -> BuildSpec:
    policy = Policy.parse({"name": "sharp", "rules": [{"measure": "blur", "low": 40}]})
    return replace(build_spec(outputs), policy=policy)


def built(heap: Path, root: Path, outputs: Outputs = OUTPUTS) -> Path:
    build_dataset(sources_in(heap), root, Sharp, spec(outputs))
    return root


@pytest.fixture(scope="module")
def good(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(heap, tmp_path_factory.mktemp("good") / "d")


def decide(root: Path, **faces: tuple[str | None, str | None]) -> None:
    changes = [Change(face[1:], Effect(*what), "Ada", "a look", when=NOON) for face, what in faces.items()]
    change_decisions(Layout(root), changes)


def rows_of(root: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows as they are published, by face and source."""
    table = pq.read_table(root / "faces.parquet")
    return {(row["face_id"], row["source"]): row for row in table.to_pylist()}


def one_of(root: Path, kept: bool) -> tuple[str, dict[str, Any]]:
    """A face that is kept or rejected, and whose picture lies at one path."""
    rows = list(rows_of(root).values())
    alone = [row for row in rows if sum(other["face_id"] == row["face_id"] for other in rows) == 1]
    row = next(row for row in alone if row["kept"] is kept)
    return row["face_id"], row


def row_of(root: Path, face: str) -> dict[str, Any]:
    return next(row for (face_id, _), row in rows_of(root).items() if face_id == face)


def assert_whole(root: Path) -> None:
    found = check_dataset(root)
    assert (found.faults, found.without_sum, found.undone, found.foreign) == ((), 0, 0, ())


def judged(by_hand: list[int], **columns: list[float]) -> Any:
    policy = Policy.parse(
        {
            "name": "p",
            "rules": [
                {"measure": "blur", "low": 10},
                {"measure": "rank_in_picture", "high": 1},
                {"measure": "confidence", "low": 0.5},
            ],
        }
    )
    seen = list[list[bool]]()

    def rank(among: np.ndarray) -> np.ndarray:
        seen.append(among.tolist())
        return np.where(among, np.cumsum(among), np.nan)

    measures = Measures({name: np.array(values, float) for name, values in columns.items()})
    return judge_columns(policy, measures, {"rank_in_picture": rank}, np.array(by_hand, np.int8)), seen


def test_a_face_that_a_person_rejects_has_that_reason_first_and_no_rank() -> None:
    found, seen = judged([REJECT, 0, 0], blur=[20, 20, 20], confidence=[0.1, 0.9, 0.9])
    assert found.kept.tolist() == [False, True, False]
    assert found.reasons() == [("by_hand", "low_confidence"), (), ("not_the_main_face",)]
    assert seen == [[False, True, True]]


def test_a_face_that_a_person_keeps_is_kept_with_the_reasons_of_the_rules_and_counts_in_relations() -> None:
    found, seen = judged([KEEP, 0, KEEP], blur=[1, 20, 20], confidence=[0.9, 0.9, 0.9])
    assert found.kept.tolist() == [True, False, True]
    assert found.reasons() == [("blurred",), ("not_the_main_face",), ("not_the_main_face",)]
    assert seen == [[True, True, True]]


def test_readers_follow_a_decision_at_once(out: Path) -> None:
    good, was = one_of(out, kept=True)
    bad, _ = one_of(out, kept=False)
    before = files_in(out)
    decide(out, **{f"_{good}": ("reject", None), f"_{bad}": ("keep", "Mary")})
    rows = {row["face_id"]: row for row in open_dataset(out).faces.to_pylist()}
    assert (rows[good]["kept"], rows[good]["reasons"]) == (False, ["by_hand"])
    assert (rows[bad]["kept"], rows[bad]["reasons"], rows[bad]["label"]) == (True, ["blurred"], "Mary")
    assert rows[good]["label"] == was["label"]
    assert {name: data for name, data in files_in(out).items() if name != "decisions.parquet"} == before
    text = "\n".join(open_dataset(out).explain(bad).lines())
    assert "kept by hand, although: blurred" in text
    assert "Ada kept it and gave it the label 'Mary' on 2026-01-02 12:00 UTC: a look." in text
    [kept] = [table.to_pylist() for table in open_dataset(out).face_tables(["kept"])]
    assert kept == [{"kept": row["kept"]} for row in open_dataset(out).faces.to_pylist()]
    assert_whole(out)


def test_a_withdrawn_decision_restores_the_verdict_of_the_rules(out: Path) -> None:
    good, _ = one_of(out, kept=True)
    before = open_dataset(out).faces
    decide(out, **{f"_{good}": ("reject", None)})
    apply_decisions(out, Settings())
    assert row_of(out, good)["file_name"].startswith("rejected/")
    decide(out, **{f"_{good}": (None, None)})
    assert before["kept"].to_pylist().count(True) > 1
    assert open_dataset(out).faces["kept"].equals(before["kept"])
    apply_decisions(out, Settings())
    assert open_dataset(out).faces.equals(before)
    assert_whole(out)


def test_applying_moves_the_crops_and_a_later_build_keeps_them_there(out: Path, heap: Path) -> None:
    good, was = one_of(out, kept=True)
    bad, other = one_of(out, kept=False)
    decide(out, **{f"_{good}": ("reject", None), f"_{bad}": ("keep", "Mary/Jane")})
    crop = (out / other["file_name"]).read_bytes()
    counts = apply_decisions(out, Settings())
    now = row_of(out, bad)
    assert (now["kept"], now["label"]) == (True, "Mary/Jane")
    assert now["file_name"].startswith("kept/Mary_Jane-")
    assert (out / now["file_name"]).read_bytes() == crop
    assert not (out / other["file_name"]).exists()
    assert row_of(out, good)["file_name"] == was["file_name"].replace("kept/", "rejected/")
    assert counts.reasons["by_hand"] == 1
    assert_whole(out)
    after = files_in(out)
    result = build_dataset(sources_in(heap), out, Sharp, spec(OUTPUTS))
    assert result.progress.total == 0
    assert files_in(out) == after


def test_equal_decisions_make_equal_datasets_however_they_came_about(heap: Path, out: Path, tmp_path: Path) -> None:
    good, _ = one_of(out, kept=True)
    bad, _ = one_of(out, kept=False)
    effects: dict[str, tuple[str | None, str | None]] = {f"_{good}": ("reject", "Eve"), f"_{bad}": ("keep", None)}
    decide(out, **{f"_{bad}": ("keep", "Mary")})
    apply_decisions(out, Settings())
    decide(out, **effects)
    apply_decisions(out, Settings())
    early = tmp_path / "early"
    change_decisions(Layout(early), [Change(face[1:], Effect(*what), "Bob") for face, what in effects.items()])
    built(heap, early)
    ours, theirs = (
        {name: data for name, data in files_in(root).items() if name != "decisions.parquet"} for root in (out, early)
    )
    assert ours == theirs
    assert_whole(early)


def test_a_new_dataset_of_sieve_has_the_decisions_and_can_be_judged_again(out: Path, tmp_path: Path) -> None:
    good, _ = one_of(out, kept=True)
    bad, _ = one_of(out, kept=False)
    decide(out, **{f"_{good}": ("reject", "Mary"), f"_{bad}": ("keep", None)})
    all_pass = Policy.parse({"name": "all", "rules": []})
    strict = Policy.parse({"name": "none", "rules": [{"measure": "blur", "low": 1e9}]})
    open_dataset(out).rejudge(all_pass, tmp_path / "new")
    open_dataset(tmp_path / "new").rejudge(strict, tmp_path / "newer")
    new, newer = tmp_path / "new", tmp_path / "newer"
    assert (row_of(new, good)["kept"], row_of(new, good)["reasons"]) == (False, ["by_hand"])
    assert row_of(new, good)["file_name"] == f"rejected/Mary/{good}.png"
    assert [row["face_id"] for row in rows_of(newer).values() if row["kept"]] == [bad]
    assert row_of(newer, bad)["reasons"] == ["blurred"]
    decide(newer, **{f"_{good}": (None, None)})
    open_dataset(newer).rejudge(all_pass, tmp_path / "newest")
    assert row_of(tmp_path / "newest", good)["label"] == row_of(out, good)["label"]
    for root in (new, newer, tmp_path / "newest"):
        assert_whole(root)


def test_tar_files_keep_their_members_and_the_manifest_has_the_label(heap: Path, tmp_path: Path) -> None:
    out = built(heap, tmp_path / "out", Outputs(keep_rejected=True, cuts=("head",), tar_bytes=200_000))
    bad, was = one_of(out, kept=False)
    decide(out, **{f"_{bad}": ("keep", "Mary")})
    apply_decisions(out, Settings())
    now = row_of(out, bad)
    assert (now["kept"], now["label"], now["file_name"]) == (True, "Mary", was["file_name"])
    assert_whole(out)
    open_dataset(out).rejudge(None, tmp_path / "new")
    assert row_of(tmp_path / "new", bad)["label"] == "Mary"
    assert_whole(tmp_path / "new")


def test_forgetting_a_face_removes_what_was_decided_about_it(out: Path) -> None:
    good, _ = one_of(out, kept=True)
    bad, _ = one_of(out, kept=False)
    decide(out, **{f"_{good}": ("reject", "Mary"), f"_{bad}": ("keep", None)})
    forget(out, [good], Settings())
    assert read_decisions(Layout(out)).table["face_id"].to_pylist() == [bad]
    hidden = pq.read_table(out / ".facesieve" / "applied.parquet")["face_id"].to_pylist()
    assert hidden == [bad]
    assert good.encode() not in (out / "decisions.parquet").read_bytes()
    assert_whole(out)


def test_what_was_decided_about_a_face_stays_while_its_picture_lies_at_another_path(out: Path) -> None:
    rows = rows_of(out)
    face = next(one for one, _ in rows if sum(one == other for other, _ in rows) > 1)
    decide(out, **{f"_{face}": ("keep", None)})
    forget(out, [next(source for one, source in rows if one == face)], Settings())
    assert read_decisions(Layout(out)).table["face_id"].to_pylist() == [face]
    assert_whole(out)


def test_a_merge_carries_decisions_and_the_last_one_counts(heap: Path, tmp_path: Path) -> None:
    sources = sources_in(heap)
    for name, some in (("a", sources[:8]), ("b", sources[6:])):
        build_dataset(some, tmp_path / name, Sharp, spec(OUTPUTS))
    both = {face for face, _ in rows_of(tmp_path / "a")} & {face for face, _ in rows_of(tmp_path / "b")}
    shared = min(both)
    only = min({face for face, _ in rows_of(tmp_path / "a")} - both)
    change_decisions(Layout(tmp_path / "a"), [Change(shared, Effect("reject", "Early"), when=NOON)])
    change_decisions(Layout(tmp_path / "a"), [Change(only, Effect("keep", "Mary"), when=NOON)])
    change_decisions(Layout(tmp_path / "b"), [Change(shared, Effect("keep", "Late"))])
    apply_decisions(tmp_path / "a", Settings())
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    assert (row_of(tmp_path / "both", shared)["label"], row_of(tmp_path / "both", shared)["kept"]) == ("Late", True)
    assert row_of(tmp_path / "both", only)["label"] == "Mary"
    assert_whole(tmp_path / "both")


def test_a_decision_about_a_face_that_changed_meanwhile_is_refused_and_nothing_is_changed(out: Path) -> None:
    layout = Layout(out)
    change_decisions(layout, [Change(FIRST, Effect("keep"), "Ada", seen=0)])
    with pytest.raises(DecidedMeanwhileError) as caught:
        change_decisions(layout, [Change("1" * 32, Effect("keep")), Change(FIRST, Effect("reject"), "Bob", seen=0)])
    assert caught.value.faces == (FIRST,)
    assert read_decisions(layout).table.num_rows == 1
    change_decisions(layout, [Change(FIRST, Effect("reject"), "Bob", seen=1)])
    held = read_decisions(layout).of(FIRST)
    assert held and (held["verdict"], held["who"], held["version"]) == ("reject", "Bob", 2)


DECIDE = """
import sys
from pathlib import Path
from facesieve.dataset.decision_file import Change, change_decisions
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.tables.decisions import Effect
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    change_decisions(Layout(Path(sys.argv[1])), [Change(f"{number:032x}", Effect("keep"))])
    print(number, flush=True)
"""


def deciding(root: Path, first: int, end: int) -> subprocess.Popen[str]:
    """A process that decides about faces one after the other, and prints the number of each when it is decided."""
    command = [sys.executable, "-c", DECIDE, str(root), str(first), str(end)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_that_decide_at_once_lose_nothing(tmp_path: Path) -> None:
    processes = [deciding(tmp_path, 100 * which, 100 * which + 25) for which in range(3)]
    assert [len(process.communicate()[0].split()) for process in processes] == [25, 25, 25]
    wanted = sorted(f"{100 * which + number:032x}" for which in range(3) for number in range(25))
    assert read_decisions(Layout(tmp_path)).table["face_id"].to_pylist() == wanted
    assert sorted(os.listdir(tmp_path / ".facesieve")) == ["decisions.lock"]  # noqa: PTH208


def test_a_killed_process_loses_no_decision_that_it_acknowledged(tmp_path: Path) -> None:
    process = deciding(tmp_path, 0, 10**6)
    assert process.stdout
    for _ in range(20):
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    last = int(rest[-1]) if rest else last
    assert read_decisions(Layout(tmp_path)).table.num_rows >= last + 1
    change_decisions(Layout(tmp_path), [Change("f" * 32, Effect("reject"))])


def test_a_build_that_was_killed_while_crops_moved_is_finished_by_the_next(
    out: Path, heap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = one_of(out, kept=False)
    decide(out, **{f"_{bad}": ("keep", "Mary")})

    def killed(*_: object) -> None:
        remove_published_checksums(Layout(out))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("facesieve.run.crop_moves._rename", killed)
        with pytest.raises(KeyboardInterrupt):
            apply_decisions(out, Settings())
    build_dataset(sources_in(heap), out, Sharp, spec(OUTPUTS))
    assert row_of(out, bad)["file_name"] == f"kept/Mary/{bad}.png"
    assert_whole(out)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Change("../../etc", Effect("keep")), "32 hex digits"),
        (Change(FIRST, Effect("maybe")), "neither keep nor reject"),
        (Change(FIRST, Effect(None, "a\nb")), "no control characters"),
        (Change(FIRST, Effect(None, "a" * 1001)), "at most 1000 characters"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_one_sentence(tmp_path: Path, change: Change, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        change_decisions(Layout(tmp_path), [change])
    assert caught.value.code == "bad_decision"
    assert not (tmp_path / "decisions.parquet").exists()


def test_a_damaged_file_of_decisions_is_one_sentence_and_a_fault(out: Path) -> None:
    decide(out, **{f"_{FIRST}": ("keep", None)})
    (out / "decisions.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DatasetError, match="Restore it from a copy, or delete it") as caught:
        open_dataset(out)
    assert caught.value.code == "damaged_decisions"
    assert [(fault.code, fault.name) for fault in check_dataset(out).faults] == [("damaged", "decisions.parquet")]


def test_the_command_exports_imports_and_applies(out: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    good, _ = one_of(out, kept=True)
    bad, _ = one_of(out, kept=False)
    decide(out, **{f"_{good}": ("reject", ""), f"_{bad}": ("keep", 'Mary, "M"')})
    assert run("decisions", out, "--export", tmp_path / "d.csv")[:2] == (
        0,
        "decisions: 1 kept, 1 rejected, 2 with another label\n",
    )
    assert run("decisions", out, "--export", tmp_path / "d.csv")[2].endswith("[file_exists]\n")
    assert run("decisions", out, "--export", tmp_path / "none" / "d.csv")[2].endswith("[cannot_write]\n")
    assert run("decisions", out, "--export", "")[2].endswith("[bad_output]\n")
    held = read_decisions(Layout(out)).table.drop_columns(["version"])
    (out / "decisions.parquet").unlink()
    assert run("decisions", out, "--import", tmp_path / "d.csv", "--apply")[0] == 0
    assert read_decisions(Layout(out)).table.drop_columns(["version"]).equals(held)
    assert row_of(out, good)["label"] == ""
    assert row_of(out, good)["file_name"] == f"rejected/unlabelled/{good}.png"
    assert facesieve.open_dataset(out).about.counts.reasons["by_hand"] == 1
    assert_whole(out)


def test_an_import_also_takes_the_words_that_the_tables_use(out: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    good, _ = one_of(out, kept=True)
    bad, _ = one_of(out, kept=False)
    (tmp_path / "d.csv").write_text(f"face_id,verdict\n{good},Rejected\n{bad},kept\n")
    assert run("decisions", out, "--import", tmp_path / "d.csv")[:2] == (
        0,
        "decisions: 1 kept, 1 rejected, 0 with another label\n",
    )
    held = read_decisions(Layout(out))
    assert [(held.of(face) or {})["verdict"] for face in (good, bad)] == ["reject", "keep"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("face,verdict\n", "needs the column face_id"),
        (f"face_id,verdict\n{FIRST},keep\n{FIRST},reject\n", "line 3: face 0000"),
        (f"face_id,verdict\n{FIRST},perhaps\n", "'perhaps' is neither keep nor reject"),
        (f"face_id,verdict,when\n{FIRST},keep,soon\n", "line 2: 'soon' is not a time"),
        (
            f"face_id,when,verdict\n{FIRST},9999-12-31T23:59:00-23:59,keep\n",
            "line 2: '9999-12-31T23:59:00-23:59' is not a",
        ),
        (
            f"face_id,when,verdict\n{FIRST},0001-01-01T00:00:00+23:59,keep\n",
            "line 2: '0001-01-01T00:00:00+23:59' is not a",
        ),
        (f"face_id,verdict,label\n{FIRST},keep,Smith, John\n", "line 2: The line does not have 3 values"),
        (f"face_id,verdict,label\n{FIRST},keep,Ada\n{FIRST[:-1]}1\n", "line 3: The line does not have 3 values"),
        (f"face_id,verdict,verdict\n{FIRST},keep,reject\n", "has the column verdict twice"),
        (b"\xff\xfe\x00", "not a CSV file in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_imported_changes_nothing(
    out: Path, tmp_path: Path, run: Callable[..., Any], text: str | bytes, says: str
) -> None:
    file = tmp_path / "d.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    status, _, error = run("decisions", out, "--import", file)
    assert (status, says in error) == (2, True), error
    assert not (out / "decisions.parquet").exists()
