"""Relations of labels and of held-out faces, as `sieve` computes them, and what `explain` says."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from given import LENIENT, MODEL, OTHER_WEIGHTS, SFACE, Given, given_dataset, people_pictures

from facesieve.dataset.origin import IdentityModel
from facesieve.errors import DatasetError, ModelError, PolicyError, UsageError
from facesieve.models.catalog import entry
from facesieve.run.check import check_dataset
from facesieve.run.open_dataset import Dataset, open_dataset
from facesieve.sieve import Policy, Rule
from unnumbered import rewrite_sums
from vectors import people

OWN_PERSON = LENIENT.adjusted(["min_label_margin=0", "max_label_distance=0.55"])
NOT_LEAKED = LENIENT.adjusted(["min_held_out_distance=0.3"])
NAMES = ("ada", "ben", "cleo", "dan")


def optional(policy: Policy) -> Policy:
    """The policy, with optional rules on labels."""
    rules = [rule.model_copy(update={"optional": rule.measure.startswith("label")}) for rule in policy.rules]
    return Policy(name=policy.name, rules=tuple(rules))


def by_name(dataset: Dataset, policy: Policy, **options: object) -> dict[str, dict[str, object]]:
    rows = dataset.rejudge(policy, **options).faces.to_pylist()
    return {row["source"]: row for row in rows}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six, seven and two faces of three people; the first face of `ada` is filed under `ben`."""
    vectors, owner = people([6, 7, 2])
    pictures = people_pictures(vectors, owner, NAMES)
    pictures["ben/000.png"] = pictures.pop("ada/000.png")
    return given_dataset(tmp_path_factory.mktemp("mixed") / "d", pictures)


def test_sieve_rejects_the_face_of_another_person_and_explain_names_the_label_that_it_is_like(
    mixed: Dataset, tmp_path: Path
) -> None:
    new = mixed.rejudge(optional(OWN_PERSON), tmp_path / "new")
    rows = {row["source"]: row for row in new.faces.to_pylist()}
    wrong = rows["ben/000.png"]
    assert [name for name, row in rows.items() if not row["kept"]] == ["ben/000.png"]
    assert wrong["reasons"] == ["other_person"] and wrong["label_margin"] < -0.2
    assert rows["cleo/013.png"]["label_margin"] is None, "two faces are too few"
    assert 0.2 < rows["ada/001.png"]["label_distance"] < 0.45
    explanation = open_dataset(tmp_path / "new").explain(wrong["face_id"])
    assert f"It is {-wrong['label_margin']:.2f} nearer to 'ada' than to 'ben'" in explanation.note
    said = "\n".join(open_dataset(tmp_path / "new").explain(rows["cleo/013.png"]["face_id"]).lines())
    assert "pass  not known, and the rule is optional" in said
    assert check_dataset(tmp_path / "new").faults == ()


def test_without_optional_a_face_that_cannot_be_compared_is_rejected_and_explain_says_why(
    mixed: Dataset, tmp_path: Path
) -> None:
    mixed.rejudge(OWN_PERSON, tmp_path / "new")
    new = open_dataset(tmp_path / "new")
    lonely = [row for row in new.faces.to_pylist() if row["label"] == "cleo"]
    assert [row["reasons"] for row in lonely] == [["not_measured"]] * 2
    note = new.explain(lonely[0]["face_id"]).note
    assert note.startswith("It could not be compared: 2 of 2 faces of 'cleo' have an embedding")


def test_the_least_number_of_faces_is_a_setting_that_the_new_dataset_records(mixed: Dataset, tmp_path: Path) -> None:
    assert by_name(mixed, OWN_PERSON, min_label_faces=2)["cleo/013.png"]["label_margin"] is not None
    assert by_name(mixed, OWN_PERSON, min_label_faces=7)["ada/001.png"]["label_margin"] is None
    mixed.rejudge(OWN_PERSON, tmp_path / "new", min_label_faces=2)
    new = open_dataset(tmp_path / "new")
    assert new.about.origin.settings["min_label_faces"] == 2
    assert new.rejudge().after == new.about.counts


def test_the_main_face_of_a_picture_is_the_one_that_is_like_the_others_of_its_label(tmp_path: Path) -> None:
    vectors, owner = people([5, 1, 1])
    pictures = people_pictures(vectors[:5], owner[:5], NAMES)
    pictures["ada/000.png"] = [Given(vectors[5], size=90), Given(vectors[0], size=30), Given(None, size=95)]
    dataset = given_dataset(tmp_path / "d", pictures)
    rules = LENIENT.adjusted(["max_rank_in_picture=1"])
    rows = dataset.rejudge(rules, tmp_path / "new").faces.to_pylist()
    assert [row["rank_in_picture"] for row in rows] == [2, 1, 3, 1, 1, 1, 1]
    note = open_dataset(tmp_path / "new").explain(rows[0]["face_id"]).note
    assert note == f"The main face of the picture is {rows[1]['face_id']}, which is more like the other faces of 'ada'."
    plain = given_dataset(tmp_path / "plain", pictures, model=None)
    assert [row["rank_in_picture"] for row in plain.rejudge(rules).faces.to_pylist()][:3] == [2, 3, 1]


def test_a_relation_is_computed_among_the_faces_that_passed_every_earlier_rule(tmp_path: Path) -> None:
    vectors, owner = people([4, 4])
    pictures = people_pictures(vectors, owner, NAMES)
    pictures["ada/000.png"] = [Given(vectors[0], fitness=10)]
    pictures["ada/001.png"] = [Given(vectors[1], fitness=10)]
    dataset = given_dataset(tmp_path / "d", pictures)
    rows = by_name(dataset, LENIENT.adjusted(["min_fitness=20", "max_label_distance=1"]))
    assert {row["label_distance"] for name, row in rows.items() if name.startswith("ada")} == {None}, "two are left"
    assert [rows[f"ada/00{n}.png"]["reasons"] for n in range(4)] == [["not_fit"]] * 2 + [["not_measured"]] * 2
    last = by_name(dataset, LENIENT.adjusted(["max_label_distance=1", "min_fitness=20"]))
    assert None not in {row["label_distance"] for row in last.values()}


# ── what cannot be compared ──────────────────────────────────────────────────────────────────────────────────────


def test_a_dataset_without_embeddings_is_an_error_or_a_note_if_the_rules_are_optional(tmp_path: Path) -> None:
    vectors, owner = people([3])
    dataset = given_dataset(tmp_path / "d", people_pictures(vectors, owner, NAMES), model=None)
    with pytest.raises(PolicyError, match=r"has no embeddings\. Add them: facesieve identify") as caught:
        dataset.rejudge(OWN_PERSON)
    assert caught.value.code == "unmeasured"
    new = dataset.rejudge(optional(OWN_PERSON))
    assert new.after.kept == 3
    [note] = new.verdicts.related.notes
    assert note.startswith("No face was compared with the others of its label, because") and "identify" in note


@pytest.mark.parametrize(
    "case", ["no face", "no label", "one label", "all the same", "black crops", "case and composition", "one face"]
)
def test_odd_labels_are_nulls_with_a_note_and_never_an_error(case: str, tmp_path: Path) -> None:
    vectors, owner = people([3, 3])
    pictures = {
        "no face": {"ada/1.png": []},
        "no label": {f"{row}.png": [Given(vector)] for row, vector in enumerate(vectors)},
        "one label": people_pictures(vectors[:3], owner[:3], NAMES),
        "all the same": {f"{name}/{n}.png": [Given(vectors[0])] for name in ("ada", "ben") for n in range(4)},
        "black crops": {f"ada/{n}.png": [Given(None, hash_=b"")] for n in range(4)},
        "case and composition": people_pictures(vectors, owner, ("\u00c9va", "e\u0301VA")),
        "one face": {"ada/1.png": [Given(vectors[0])]},
    }[case]
    dataset = given_dataset(tmp_path / "d", pictures)
    new = dataset.rejudge(optional(OWN_PERSON).adjusted(["max_rank_in_picture=1"]), tmp_path / "new")
    rows = new.faces.to_pylist()
    assert all(row["kept"] for row in rows)
    distances, margins = ([row[name] for row in rows] for name in ("label_distance", "label_margin"))
    known = case in ("one label", "all the same", "case and composition")
    assert [value is not None for value in distances] == [known] * len(rows)
    assert [value is not None for value in margins] == [case == "case and composition"] * len(rows)
    if case == "all the same":  # both labels are one person, and there is no other
        assert distances == [0] * 8
    assert bool(new.verdicts.related.notes) == (bool(rows) and not known)
    open_dataset(tmp_path / "new").people(write=True)
    assert check_dataset(tmp_path / "new").faults == ()


def test_a_damaged_and_a_missing_file_of_embeddings_are_named(tmp_path: Path) -> None:
    vectors, owner = people([3])
    dataset = given_dataset(tmp_path / "d", people_pictures(vectors, owner, NAMES))
    file = dataset.layout.embeddings
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    for ask in (lambda: dataset.rejudge(OWN_PERSON), dataset.people):
        with pytest.raises(DatasetError, match=r"embeddings\.parquet"):
            ask()
    table = pq.read_table(BytesIO(data))
    shorter = pa.array([row[:100] for row in table["embedding"].to_pylist()], table.schema.field("embedding").type)
    pq.write_table(table.set_column(1, "embedding", shorter), file)
    rewrite_sums(dataset.layout.root)
    with pytest.raises(DatasetError, match="do not match"):
        open_dataset(dataset.layout.root).people()
    file.unlink()
    with pytest.raises(DatasetError, match=r"embeddings\.parquet"):
        dataset.people()


# ── another dataset that was held out ────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A face of the person of `ada` in `mixed`, and one of somebody else."""
    vectors, _ = people([7, 7, 2], seed=0)
    strangers, _ = people([1], seed=9)
    ada = people([6, 7, 2])[0][0] + np.float16(0.01)
    assert len(vectors) == 16
    pictures = {"x/1.png": [Given(ada)], "y/1.png": [Given(strangers[0])]}
    return given_dataset(tmp_path_factory.mktemp("held") / "d", pictures)


def test_faces_that_are_near_to_a_held_out_face_are_leaked(mixed: Dataset, held_out: Dataset, tmp_path: Path) -> None:
    new = mixed.rejudge(output=tmp_path / "new", against=held_out.layout.root)
    rows = {row["source"]: row for row in new.faces.to_pylist()}
    leaked = {name for name, row in rows.items() if row["reasons"] == ["leaked"]}
    assert "ben/000.png" in leaked and leaked <= {"ben/000.png", *(f"ada/00{n}.png" for n in range(1, 6))}
    assert rows["ben/000.png"]["held_out_distance"] == pytest.approx(0.01 * 128**0.5, abs=0.01)
    limit = next(rule.low for rule in open_dataset(tmp_path / "new").policy.rules if rule.reason == "leaked")
    assert limit == entry("dlib-resnet").embedding.limits.held_out  # type: ignore[union-attr]
    said = open_dataset(tmp_path / "new").explain(rows["ben/000.png"]["face_id"]).note
    assert "It or its label is 0.11 from a face of the dataset that was held out." in said
    again = open_dataset(tmp_path / "new").rejudge()
    assert again.after == new.after, "the distances are recorded"
    own = mixed.rejudge(NOT_LEAKED, against=held_out.layout.root)
    assert own.after.reasons["leaked"] < new.after.reasons["leaked"]


def test_all_pictures_of_a_label_are_leaked_if_one_of_its_person_is_held_out(tmp_path: Path) -> None:
    vectors, owner = people([8, 8], spread=0.035)
    pictures = people_pictures(vectors[[*range(7), *range(8, 16)]], owner[[*range(7), *range(8, 16)]], ["ada", "ben"])
    dataset = given_dataset(tmp_path / "d", pictures)
    given_dataset(tmp_path / "held", {"x/1.png": [Given(vectors[7])]})
    rows = dataset.rejudge(against=tmp_path / "held").faces.to_pylist()
    assert {row["label"] for row in rows if row["reasons"] == ["leaked"]} == {"ada"}
    assert sum(row["kept"] for row in rows) == 8
    away = np.linalg.norm(vectors[:7].astype(float) - vectors[7].astype(float), axis=1)
    assert away.max() > entry("dlib-resnet").embedding.limits.held_out, "by itself, not every face is near"  # type: ignore[union-attr]
    findings = dataset.people(against=tmp_path / "held").findings
    assert sum(one.kind == "leaked" for one in findings) == 7


def test_a_rule_on_held_out_faces_without_a_dataset_says_what_to_name(mixed: Dataset) -> None:
    with pytest.raises(PolicyError, match="facesieve sieve --against") as caught:
        mixed.rejudge(NOT_LEAKED)
    assert caught.value.code == "unmeasured"


@pytest.mark.parametrize("model", [None, OTHER_WEIGHTS, SFACE])
def test_without_embeddings_of_one_model_hashes_find_copies_and_a_note_says_so(
    mixed: Dataset, tmp_path: Path, model: object
) -> None:
    hashes = dict(zip(*(mixed.faces[name].to_pylist() for name in ("source", "crop_hash")), strict=True))
    pictures = {"x/1.png": [Given(people([1])[0][0], hash_=hashes["ada/003.png"])]}
    given_dataset(tmp_path / "held", pictures, model=model)
    new = mixed.rejudge(against=tmp_path / "held")
    rows = {row["source"]: row for row in new.faces.to_pylist()}
    assert [name for name, row in rows.items() if not row["kept"]] == ["ada/003.png"]
    assert (rows["ada/003.png"]["held_out_distance"], rows["ada/001.png"]["held_out_distance"]) == (0, 1)
    [note] = new.verdicts.related.notes
    assert ("embeddings of another model" if model else "has no embeddings") in note and "copies" in note


def test_a_folder_that_is_no_dataset_the_dataset_itself_and_an_empty_one_are_refused(
    mixed: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError):
        mixed.rejudge(against=tmp_path)
    with pytest.raises(UsageError, match="is the dataset itself"):
        mixed.rejudge(against=mixed.layout.root)
    given_dataset(tmp_path / "empty", {"x/1.png": []})
    with pytest.raises(DatasetError, match="has no kept faces"):
        mixed.people(against=tmp_path / "empty")


def test_a_rule_is_dumped_as_before_unless_it_is_optional() -> None:
    rule = Rule(measure="label_margin", low=0)
    assert "optional" not in rule.model_dump() and Rule(**rule.model_dump()) == rule
    held = Rule(measure="label_margin", low=0, optional=True)
    assert held.model_dump()["optional"] is True and Rule(**held.model_dump()) == held


def test_the_preset_for_galleries_has_the_limit_of_the_catalog() -> None:
    meaning = entry(MODEL.model).embedding
    limits = {rule.measure: rule.high for rule in Policy.preset("gallery").rules}
    assert meaning is not None and limits["label_distance"] == meaning.limits.other_person


def test_a_model_without_embeddings_in_the_description_of_a_dataset_is_named(tmp_path: Path) -> None:
    vectors, owner = people([3])
    mtcnn = IdentityModel(model="mtcnn", sha256="4" * 64)
    dataset = given_dataset(tmp_path / "d", people_pictures(vectors, owner, NAMES), model=mtcnn)
    with pytest.raises(ModelError, match="'mtcnn' computes no embeddings"):
        dataset.people()
