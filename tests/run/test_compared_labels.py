"""Builds by rules that compare faces with the others of their label, with vectors like those of people."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from embedding import MODEL, Embedding, spec

import facesieve
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import IdentityModel
from facesieve.errors import PolicyError
from facesieve.quality import LABEL_RELATIONS
from facesieve.records import Face, Record, Source, Verdict
from facesieve.run.build import build_dataset
from facesieve.run.build_spec import BuildSpec
from facesieve.run.check import check_dataset
from facesieve.run.dataset_rules import check_comparable, measures_of_build, rules_for_pictures
from facesieve.run.portion import Portion
from facesieve.sieve import Policy
from handmade import Handmade, compared_spec, files_in, record_of, sources_in
from page_facts import facts_of

PEOPLE = ("ada", "ben", "eve", "ian")
RULES = [
    {"measure": "rank_in_picture", "high": 1},
    {"measure": "label_distance", "high": 0.6, "optional": True},
    {"measure": "label_margin", "low": 0, "optional": True},
]
OWN = Policy.parse({"name": "own", "rules": RULES})


class Acting(Handmade):
    """Each picture shows the person in its name, and a bystander who is larger and nearer to the middle."""

    def one(self, source: Source) -> Record:
        record = record_of(source)
        assert record.photo
        person = PEOPLE.index(Path(source.name).name[:3])
        seed = int(record.photo.picture_id[:8], 16)
        return dataclasses.replace(record, faces=(acted(record, 1, person, seed), acted(record, 3, None, seed)))


def acted(record: Record, size: int, person: int | None, seed: int) -> Face:
    random = np.random.default_rng([seed, size])
    middle = np.random.default_rng(seed if person is None else person).normal(0, 0.05, 128) + 0.1
    vector = (middle + random.normal(0, 0.025, 128)).astype(np.float16)
    photo = record.photo
    assert photo
    return Face(
        face_id=f"{seed:08x}{size:024x}",
        box=(10.0, 10.0, 10.0 * size, 10.0 * size),
        landmarks=np.zeros((5, 2)),
        confidence=0.9,
        crop=cv2.resize(photo.pixels, (112, 112)),
        measures={"blur": 100.0},
        verdict=Verdict(True),
        embedding=vector,
    )


def acting_spec(identity: IdentityModel | None = MODEL) -> BuildSpec:
    made = dataclasses.replace(compared_spec(shard_size=4), policy=OWN, identity=identity)
    return dataclasses.replace(made, measures=("blur", *(relation.name for relation in LABEL_RELATIONS)))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders of five pictures each. One picture in the folder of Ada shows Ben. Ian has one picture."""
    root = tmp_path_factory.mktemp("people")
    names = [f"{name}/{name} {number}.png" for name in PEOPLE[:3] for number in range(5)]
    for number, name in enumerate([*names, "ada/ben 9.png", "ian/ian 0.png"]):
        (root / name).parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8)
        cv2.imwrite(str(root / name), pixels)
    return root


@pytest.fixture(scope="module")
def whole(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "d"
    build_dataset(sources_in(people), root, Acting, acting_spec())
    return root


def reasons(root: Path) -> dict[tuple[str, bool], list[str]]:
    """The reasons of each face, by the name of its picture, and whether it is the bystander."""
    rows = facesieve.open_dataset(root).faces.to_pylist()
    return {(row["source"], row["box_w"] > 10): row["reasons"] for row in rows}


def test_the_right_face_of_each_picture_is_kept_and_the_wrong_person_is_not(whole: Path) -> None:
    found = reasons(whole)
    assert {name for (name, _), why in found.items() if why == ["other_person"]} == {"ada/ben 9.png"}
    known = {key: why for key, why in found.items() if not key[0].startswith("ian") and "ben 9" not in key[0]}
    assert all(why == (["not_the_main_face"] if bystander else []) for (_, bystander), why in known.items())
    assert found["ian/ian 0.png", True] == [], "a label with one picture has no centre"
    others = [face["other"] for face in facts_of(whole / "contact_sheet.html")["faces"] if "other" in face]
    [typical] = [other for other in others if other["words"] == "typical face of the label"]
    assert typical["source"].startswith("ada/ada ")
    assert check_dataset(whole).faults == ()


def test_parts_that_are_merged_have_the_bytes_of_one_build(people: Path, whole: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        build_dataset(sources_in(people), tmp_path / f"{number}", Acting, acting_spec(), portion=Portion(number, 3))
    facesieve.merge([tmp_path / f"{number}" for number in (1, 2, 3)], tmp_path / "d")
    assert files_in(tmp_path / "d") == files_in(whole)


def test_pictures_that_are_added_change_the_verdicts_on_those_before(people: Path, whole: Path, tmp_path: Path) -> None:
    first = [source for source in sources_in(people) if source.name in ("ada/ada 0.png", "ada/ben 9.png")]
    build_dataset(first, tmp_path / "d", Acting, acting_spec())
    before = reasons(tmp_path / "d")
    assert [before["ada/ada 0.png", True], before["ada/ada 0.png", False]] == [[], ["not_the_main_face"]]
    build_dataset(sources_in(people), tmp_path / "d", Acting, acting_spec())
    assert files_in(tmp_path / "d") == files_in(whole)


def test_embeddings_that_are_added_later_make_the_dataset_of_a_build_with_them(people: Path, tmp_path: Path) -> None:
    def made(identity: IdentityModel | None) -> BuildSpec:
        ours, theirs = acting_spec(identity), spec(Outputs(), identity)
        return dataclasses.replace(ours, engines=theirs.engines, settings=theirs.settings)

    class Embedded(Embedding):
        def one(self, source: Source) -> Record:
            record = Acting().one(source)
            found = self._embed(np.stack([face.crop for face in record.faces]))
            pairs = zip(record.faces, found.vectors, strict=True)
            return dataclasses.replace(
                record, faces=tuple(dataclasses.replace(face, embedding=vector) for face, vector in pairs)
            )

    build_dataset(sources_in(people), tmp_path / "with", Embedded, made(MODEL))
    build_dataset(sources_in(people), tmp_path / "later", Acting, made(None))
    assert "not_the_main_face" in str(reasons(tmp_path / "later"))
    facesieve.identify(tmp_path / "later", settings=facesieve.Settings(identity="dlib-resnet"))
    assert files_in(tmp_path / "later") == files_in(tmp_path / "with")
    assert check_dataset(tmp_path / "later").faults == ()


def test_every_face_before_the_first_comparing_rule_has_a_crop_with_and_without_embeddings() -> None:
    for name in ("gallery", "training"):
        for embedded in (False, True):
            alone = rules_for_pictures(Policy.preset(name), embedded)
            assert [rule.measure for rule in alone.rules] == ["confidence"]
    main = Policy.preset("lenient").adjusted(["max_rank_in_picture=1"])
    assert rules_for_pictures(main, embedded=False) == main
    assert rules_for_pictures(main, embedded=True).rules == Policy.preset("lenient").rules
    assert measures_of_build(main) == measures_of_build(Policy.preset())
    assert {"label_margin", "twin_distance"} < set(measures_of_build(Policy.preset("gallery")))


def test_what_cannot_be_compared_is_said_before_the_build() -> None:
    [note] = check_comparable(Policy.preset("gallery"), embedded=False)
    assert "limits label_distance and label_margin, but without --identity" in note
    assert check_comparable(Policy.preset("gallery"), embedded=True) == []
    strict = Policy.preset().adjusted(["max_label_distance=0.5"])
    with pytest.raises(PolicyError, match="Build with --identity") as caught:
        check_comparable(strict, embedded=False)
    assert caught.value.code == "unmeasured"
    with pytest.raises(PolicyError, match="sieve DATASET --against") as caught:
        check_comparable(Policy.preset().adjusted(["min_held_out_distance=0.5"]), embedded=True)
    assert caught.value.code == "needs_dataset"
