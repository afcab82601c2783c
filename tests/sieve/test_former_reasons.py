"""`nodding` is what earlier versions called `pitched`; their datasets and policy files are understood."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facesieve import open_dataset
from facesieve.dataset.disk.checksums import (
    checksum_of_file,
    checksum_pairs,
    checksums_by_name,
    read_checksums,
    write_checksums,
)
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import table_bytes
from facesieve.dataset.tables.former import with_current_reasons
from facesieve.records import Face, Record, Source, Verdict
from facesieve.run.build import build_dataset
from facesieve.run.build_spec import BuildSpec
from facesieve.run.check import check_dataset
from facesieve.sieve import Policy, Reason, Rule
from handmade import Handmade, build_spec, photos, sources_in

RULES = [{"measure": "blur", "low": 100}, {"measure": "pitch", "low": -20, "high": 20}]


class LookingUp(Handmade):
    """Every rejected face looks up, too."""

    def one(self, source: Source) -> Record:
        record = super().one(source)
        return replace(record, faces=tuple(map(self._looking_up, record.faces)))

    def _looking_up(self, face: Face) -> Face:
        reasons = face.verdict.reasons
        return face if face.verdict.kept else replace(face, verdict=Verdict(False, (*reasons, "pitched")))


def spec() -> BuildSpec:
    return replace(build_spec(), policy=Policy.parse({"name": "by hand", "rules": RULES}))


def with_former(table: pa.Table) -> pa.Table:
    rows = json.loads(json.dumps(table.to_pylist(), default=repr).replace('"pitched"', '"nodding"'))
    reasons = [row.get("reasons") for row in rows]
    if "reasons" in table.column_names:
        at = table.schema.get_field_index("reasons")
        return table.set_column(at, table.schema.field(at), pa.array(reasons, pa.list_(pa.string())))
    at = table.schema.get_field_index("faces")
    if at < 0 or not pa.types.is_list(table.schema.field(at).type):
        return table
    held = table["faces"].to_pylist()
    for faces, row in zip(held, rows, strict=True):
        for face, old in zip(faces, row["faces"], strict=True):
            face["reasons"] = old["reasons"]
    return table.set_column(at, table.schema.field(at), pa.array(held, table.schema.field(at).type))


def as_before(root: Path) -> Path:
    """What the version before wrote: `nodding` in every file, and checksums that fit."""
    layout = Layout(root)
    for path in (*layout.parts.glob("*.parquet"), layout.faces):
        path.write_bytes(table_bytes(with_former(pq.read_table(path))))
    for path in (layout.made, layout.about):
        assert '"pitched"' in path.read_text()
        path.write_text(path.read_text().replace('"pitched"', '"nodding"'))
    for path in layout.sums.glob("*.txt"):
        names = [name for name, _ in checksum_pairs(read_checksums(path))]
        now = checksums_by_name((name, checksum_of_file(root / name)) for name in names)
        write_checksums(now, path, layout.scratch)
    return root


def codes_in(root: Path) -> set[str]:
    """The codes that stand in the file of faces."""
    return {code for codes in pq.read_table(root / "faces.parquet")["reasons"].to_pylist() for code in codes}


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut)


@pytest.fixture
def old(heap: Path, tmp_path: Path) -> Path:
    build_dataset(sources_in(heap), tmp_path / "old", LookingUp, spec())
    as_before(tmp_path / "old")
    assert "nodding" in codes_in(tmp_path / "old")
    return tmp_path / "old"


def run(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "facesieve", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_policy_with_the_former_code_means_the_present_one() -> None:
    assert Reason("nodding") is Reason.PITCHED
    assert Rule(measure="pitch", high=20, reason="nodding").reason is Reason.PITCHED
    former = Policy.parse({"name": "p", "rules": [{"measure": "pitch", "high": 20, "reason": "nodding"}]})
    present = Policy.parse({"name": "p", "rules": [{"measure": "pitch", "high": 20, "reason": "pitched"}]})
    assert former.digest() == present.digest()
    with pytest.raises(ValueError, match="no reason of ours"):
        Reason("no reason of ours")


def test_an_earlier_dataset_is_read_with_the_present_code(old: Path) -> None:
    dataset = open_dataset(old)
    rejected = [row for row in dataset.faces.to_pylist() if not row["kept"]]
    assert rejected and all(row["reasons"][-1] == "pitched" for row in rejected)
    assert dataset.about.counts.reasons["pitched"] == len(rejected)
    assert "nodding" not in dataset.about.counts.reasons
    assert dataset.policy.rules[1].reason is Reason.PITCHED


def test_an_earlier_dataset_is_whole(old: Path) -> None:
    assert check_dataset(old).faults == ()


def test_sieve_judges_an_earlier_dataset(old: Path, tmp_path: Path) -> None:
    assert "nodding" not in run("sieve", old)
    run("sieve", old, "--set", "max_pitch=1", "-o", tmp_path / "new")
    assert codes_in(tmp_path / "new") <= {"blurred", "pitched", "pose_not_measured"}
    assert "nodding" not in (tmp_path / "new" / "dataset.json").read_text()


def test_explain_explains_a_face_of_an_earlier_dataset(old: Path) -> None:
    face = next(row for row in open_dataset(old).faces.to_pylist() if not row["kept"] and (row["pitch"] or 0) > 20)
    said = run("explain", old, face["face_id"])
    assert "FAIL  pitched: pitch is" in said and "nodding" not in said


def test_an_earlier_dataset_is_continued_and_then_has_one_code(old: Path, heap: Path, astronaut: Path) -> None:
    shutil.copy(astronaut, heap / "Ada" / "new.png")
    built = build_dataset(sources_in(heap), old, LookingUp, spec())
    assert built.progress.total == 1, "what was there is not done again"
    assert "pitched" in codes_in(old) and "nodding" not in codes_in(old)
    assert check_dataset(old).faults == ()


def test_only_former_codes_change_and_absent_lists_stay_absent() -> None:
    lists = [["nodding"], None, [], ["blurred", "nodding", None], ["tilted"]]
    table = pa.table({"n": [1, 2, 3, 4, 5], "reasons": pa.array(lists, pa.list_(pa.string()))})
    expected = [["pitched"], None, [], ["blurred", "pitched", None], ["tilted"]]
    assert with_current_reasons(table)["reasons"].to_pylist() == expected
    assert with_current_reasons(table.slice(1, 3))["reasons"].to_pylist() == expected[1:4]
    assert with_current_reasons(table.slice(0, 0))["reasons"].to_pylist() == []
    nested = pa.table({"faces": pa.array([[{"id": "a", "reasons": codes} for codes in lists], None, []])})
    assert with_current_reasons(nested)["faces"].to_pylist() == [
        [{"id": "a", "reasons": codes} for codes in expected],
        None,
        [],
    ]
