"""What the page is told about a dataset, compared with the tables and with `facesieve sieve`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from many import PER_LABEL, face_id, many

import facesieve
from facesieve.dataset.decision_file import Change, DecidedMeanwhileError, change_decisions, read_decisions
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.manifests import open_manifests
from facesieve.dataset.tables.decisions import Effect
from facesieve.dataset.tables.schema import BOX
from facesieve.errors import DatasetError, PolicyError, UsageError
from facesieve.quality import measure_named, mirrored_bits
from facesieve.relate import HashColumns, distances
from facesieve.report.figures.scale import scale_of
from facesieve.review.numbers import NumbersReader
from facesieve.review.policy_file import policy_toml
from facesieve.review.query import Query
from facesieve.review.session import Session
from facesieve.run.open_dataset import open_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy

NONE: dict[str, tuple[float | None, float | None]] = {}


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many(tmp_path_factory.mktemp("many") / "d", 1000)


@pytest.fixture
def out(thousand: Path, tmp_path: Path) -> Path:
    return shutil.copytree(thousand, tmp_path / "d")


@pytest.fixture
def session(out: Path) -> Session:
    return Session(out, Settings(), "Ada")


def shown(session: Session, limits: Any = NONE, **query: Any) -> list[int]:
    found = session.window(Query(**query), limits, 0, 2000, str(query))
    assert found["total"] == len(found["rows"])
    return list(found["rows"])


def columns(out: Path) -> dict[str, np.ndarray]:
    rows = open_dataset(out).faces
    return {name: np.array(rows[name].to_pylist()) for name in ("kept", "blur", "yaw", "fitness", "label", "face_id")}


def test_all_faces_are_shown_in_the_order_of_the_manifest(session: Session, out: Path) -> None:
    found = session.window(Query(), NONE, 10, 5)
    assert (found["total"], found["rows"]) == (1000, [10, 11, 12, 13, 14])
    assert found["kept"] == columns(out)["kept"][10:15].astype(int).tolist()
    assert found["label"] == ["person 00000"] * 5
    assert found["values"] is None


@pytest.mark.parametrize("descending", [False, True])
def test_faces_are_sorted_by_a_measure(session: Session, out: Path, descending: bool) -> None:
    values = columns(out)["fitness"]
    assert (
        shown(session, sort="fitness", descending=descending) == np.argsort(-values if descending else values).tolist()
    )


def test_missing_values_come_last_in_both_orders(tmp_path: Path) -> None:
    """The made-up faces lack no measure, so this dataset is one of real verdicts with a pose that was not measured."""
    session = Session(many(tmp_path / "d", 5), Settings())
    values = session._faces.measure("yaw")
    values[2] = np.nan
    assert shown(session, sort="yaw")[-1] == shown(session, sort="yaw", descending=True)[-1] == 2


def test_filters_select_what_the_columns_say(session: Session, out: Path) -> None:
    held = columns(out)
    assert shown(session, verdict="kept") == np.flatnonzero(held["kept"]).tolist()
    assert shown(session, verdict="rejected") == np.flatnonzero(~held["kept"]).tolist()
    assert shown(session, reason="blur") == np.flatnonzero(held["blur"] < 30).tolist()
    assert shown(session, label="PERSON 00003") == list(range(3 * PER_LABEL, 4 * PER_LABEL))
    assert shown(session, label="=person 00003") == list(range(3 * PER_LABEL, 4 * PER_LABEL))
    assert shown(session, label="=person") == []
    assert shown(session, source="000012") == [12, *range(120, 130)]
    assert shown(session, face=face_id(7)[:9]) == [7]
    assert shown(session, face="no id") == []
    inside = (held["yaw"] >= -10) & (held["yaw"] <= 10) & (held["blur"] >= 50)
    ranges = {"yaw": (-10.0, 10.0), "blur": (50.0, 1e300)}
    assert shown(session, ranges=ranges) == np.flatnonzero(inside).tolist()


@pytest.mark.parametrize(
    "limits",
    [{}, {"blur": (50.0, None)}, {"yaw": (None, None)}, {"fitness": (20.0, 70.0), "confidence": (None, None)}],
)
def test_moved_limits_keep_what_sieve_keeps(session: Session, out: Path, limits: Any) -> None:
    dataset = open_dataset(out)
    kept = {rule.measure: (rule.low, rule.high) for rule in dataset.policy.rules} | limits
    rules = [
        {"measure": name, "low": low, "high": high} for name, (low, high) in kept.items() if (low, high) != (None, None)
    ]
    new = dataset.rejudge(Policy.parse({"name": "p", "rules": rules}))
    counts = session.counts(limits)
    assert (counts["kept"], counts["newly_kept"], counts["newly_rejected"]) == (
        new.after.kept,
        new.newly_kept,
        new.newly_rejected,
    )
    assert shown(session, limits, verdict="kept") == np.flatnonzero(np.array(new.faces["kept"].to_pylist())).tolist()
    assert counts["failed"].keys() == {rule["measure"] for rule in rules}


def test_a_histogram_counts_kept_and_rejected_faces_of_the_other_filters(session: Session, out: Path) -> None:
    held = columns(out)
    query = Query(label="person 0000", ranges={"blur": (0.0, 1.0)})
    found = session.histograms(["blur", "yaw"], query, NONE)
    some = np.arange(1000) < 10 * PER_LABEL
    assert sum(found["blur"]["kept"]) == int((held["kept"] & some).sum())
    assert sum(found["blur"]["rejected"]) == int((~held["kept"] & some).sum())
    assert sum(found["yaw"]["kept"]) + sum(found["yaw"]["rejected"]) == int((some & (held["blur"] <= 1)).sum())
    edges = np.array(found["blur"]["edges"])
    bars = np.clip(np.searchsorted(edges, held["blur"][some], "right") - 1, 0, len(edges) - 2)
    counted = np.add(found["blur"]["kept"], found["blur"]["rejected"])
    assert (np.bincount(bars, minlength=len(edges) - 1) == counted).all()


def test_the_bars_of_confidences_near_one_grow_with_the_distance_from_one() -> None:
    chance = np.random.default_rng(3)
    sample = np.concatenate([1 - 10 ** -chance.uniform(2, 6, 950), chance.uniform(0.6, 1, 50)])
    scale = scale_of(measure_named("confidence"), sample, [0.9])
    assert scale and scale.top == scale.edges[-1] == 1 and not scale.growing
    widths = np.diff(scale.edges)
    assert (widths > 0).all() and (widths[1:-1] / widths[:-2] < 1.2).all() and 40 <= len(widths) <= 120
    bars = np.histogram(sample, scale.edges)[0]
    assert bars.max() < 0.1 * len(sample), "no bar holds most of the faces"
    assert 0.9 in scale.stops and 0.9999 in scale.stops
    even = scale_of(measure_named("confidence"), chance.random(1000), [])
    assert even and even.top is None


def test_the_numbers_of_a_face_are_those_of_its_row_whatever_its_row_group(out: Path) -> None:
    dataset = open_manifests(out)
    pq.write_table(dataset.faces.slice(0, 50), out / "faces.parquet", row_group_size=8)  # more than the reader keeps
    reader, rows = NumbersReader(dataset), dataset.faces.to_pylist()
    assert len(dataset.face_groups()) == 7
    for row in (0, 7, 8, 49, 31, 24, 16, 0):
        held = reader.of(row)
        assert held.measures == {name: rows[row][name] for name in dataset.names}
        assert held.box == tuple(rows[row][name] for name in BOX)
        assert reader.picture_id(row) == rows[row]["picture_id"]


def test_near_hashes_are_those_that_comparing_all_bits_finds() -> None:
    chance = np.random.default_rng(5)
    hashes = chance.integers(0, 256, (300, 32)).astype(np.uint8)
    mirrored = mirrored_bits()
    hashes[1], hashes[2], hashes[3] = hashes[0], hashes[0] ^ mirrored, 0
    hashes[4] = hashes[0] ^ np.packbits(np.arange(256) % 6 == 1)  # 43 bits
    hashes[5] = hashes[0] ^ np.packbits(np.arange(256) % 4 == 1)  # 64 bits
    found = HashColumns(hashes, mirrored).near(0, 0.2)
    assert found.tolist() == [1, 2, 4]
    far = distances(hashes[0], hashes, mirrored)
    assert set(np.flatnonzero(far <= 0.2)) == {0, 1, 2, 4}
    assert HashColumns(hashes, mirrored).near(3, 0.2).tolist() == []


def test_a_decision_is_stored_and_changes_verdict_label_and_counts(session: Session, out: Path) -> None:
    row = int(np.flatnonzero(~columns(out)["kept"])[0])
    before = session.counts(NONE)["kept"]
    answer = session.decide([(row, Effect("keep", "Mary"), 0)], "", "clear enough")
    assert answer["versions"] == [1]
    assert session.counts(NONE)["kept"] == before + 1
    assert shown(session, verdict="by_hand") == shown(session, label="=Mary") == [row]
    face = session.face(row, NONE)
    assert (face["kept"], face["label"], face["found"]) == (True, "Mary", "person 00000")
    assert (face["decision"]["who"], face["decision"]["why"]) == ("Ada", "clear enough")
    held = read_decisions(Layout(out)).of(face["face"])
    assert held and (held["verdict"], held["label"]) == ("keep", "Mary")
    assert session.labels("mary") == {"labels": [("Mary", 1)], "more": 0}


def test_the_order_stays_after_a_decision_until_the_selection_is_made_anew(session: Session) -> None:
    rows = session.window(Query(verdict="kept"), NONE, 0, 9, "first")["rows"]
    session.decide([(rows[3], Effect("reject"), 0)], "", "")
    again = session.window(Query(verdict="kept"), NONE, 0, 9, "first")
    assert (again["rows"], again["kept"][3], again["hand"][3]) == (rows, 0, -1)
    assert rows[3] not in session.window(Query(verdict="kept"), NONE, 0, 9, "second")["rows"]


def test_a_decision_of_another_process_is_seen_and_a_stale_one_is_refused(session: Session, out: Path) -> None:
    change_decisions(Layout(out), [Change(face_id(3), Effect("reject"), "Bob")])
    version = session.changes()["version"]
    session.refresh(1)
    assert session.changes()["version"] == version + 1
    assert shown(session, verdict="by_hand") == [3]
    with pytest.raises(DecidedMeanwhileError):
        session.decide([(3, Effect("keep"), 0)], "", "")
    assert session.decided([3, 4]) == [
        {"verdict": "reject", "label": None, "version": 1},
        {"verdict": None, "label": None, "version": 0},
    ]


def test_a_dataset_that_is_written_again_is_loaded_anew(session: Session, out: Path) -> None:
    shutil.rmtree(out)
    many(out, 20)
    with pytest.raises(DatasetError) as caught:
        session.refresh(1)
    assert caught.value.code == "dataset_changed"
    session.refresh(2)
    assert session.facts()["faces"] == 20


def test_limits_become_a_policy_file_that_keeps_the_same_faces(session: Session, out: Path, tmp_path: Path) -> None:
    limits: Any = {"blur": (50.0, None), "yaw": (None, None), "fitness": (10.0, None)}
    file = tmp_path / "mine.toml"
    file.write_text(session.policy(limits, 'my "own" rules'), encoding="utf-8")
    policy = Policy.load(str(file))
    assert policy.name == 'my "own" rules'
    assert open_dataset(out).rejudge(policy).after.kept == session.counts(limits)["kept"]


def test_a_policy_file_can_hold_any_text() -> None:
    name = 'a "b" \\ c\n\t\x7f 名 ‮'
    import tomllib

    assert tomllib.loads(policy_toml(Policy.preset("strict"), name, ""))["name"] == name


def test_writing_a_dataset_applies_limits_and_decisions(session: Session, out: Path, tmp_path: Path) -> None:
    session.decide([(0, Effect("keep", "Mary"), 0)], "", "")
    answer = session.write("new", {"blur": (90.0, None)})
    assert answer["folder"] == str(out.resolve().parent / "new")
    new = open_dataset(tmp_path / "new")
    assert new.about.counts.kept == answer["kept"] == session.counts({"blur": (90.0, None)})["kept"]
    assert new.faces["label"][0].as_py() == "Mary"
    with pytest.raises(DatasetError, match="name a new folder"):
        session.write("new", NONE)
    with pytest.raises(UsageError, match="Name a new folder"):
        session.write(" ", NONE)


def test_what_cannot_be_is_refused_in_one_sentence(session: Session) -> None:
    with pytest.raises(UsageError, match="no measure 'beauty'"):
        session.counts({"beauty": (1.0, None)})
    with pytest.raises(UsageError, match="no measure 'beauty'"):
        session.window(Query(sort="beauty"), NONE, 0, 1)
    with pytest.raises(UsageError, match="no such face"):
        session.face(1000, NONE)
    with pytest.raises(PolicyError, match="low 2 above high 1"):
        session.counts({"blur": (2.0, 1.0)})


def test_a_dataset_without_faces_is_shown(tmp_path: Path) -> None:
    session = Session(many(tmp_path / "none", 0), Settings())
    assert session.facts()["faces"] == 0
    assert session.window(Query(sort="blur"), NONE, 0, 10)["total"] == 0
    assert session.counts(NONE)["kept"] == 0
    assert session.histograms(["blur"], Query(), NONE)["blur"]["missing"] == 0


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, hopper: Path) -> Path:
    """Real faces: two portraits, one of them also mirrored, in a group picture, and blurred."""
    root = tmp_path_factory.mktemp("portraits")
    face = cv2.imread(str(astronaut))[:300, 80:380]
    other = cv2.resize(cv2.imread(str(hopper)), (256, 300))
    made = {
        "ada/1.png": face,
        "ada/2 mirrored.png": face[:, ::-1],
        "ada/3 blurred.png": cv2.GaussianBlur(face, (0, 0), 6),
        "grace/4.png": other,
        "grace/5 both.png": np.hstack([face, other]),
    }
    for name, pixels in made.items():
        (root / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "photos" / name), pixels)
    settings = Settings.load(workers=1, pose="geometric")
    policy = Policy.preset("lenient").adjusted(["min_blur=60", "max_rank_among_duplicates=1"])
    facesieve.build(root / "photos", root / "d", settings=settings, policy=policy, label_from="folder")
    return root


def by_name(session: Session, part: str) -> int:
    return shown(session, source=part)[0]


def test_a_real_face_has_its_crop_or_thumbnail_its_source_picture_and_its_neighbours(portraits: Path) -> None:
    session = Session(portraits / "d", Settings())
    ada, mirrored, both = (by_name(session, part) for part in ("1.png", "mirrored", "both"))
    face = session.face(ada, NONE)
    assert mirrored in face["neighbours"]["duplicates"]
    assert session.face(both, NONE)["neighbours"]["picture"] == [both + 1]
    assert all(one.startswith((b"\x89PNG", b"\xff\xd8")) for one in session.crops(shown(session)))
    rejected = next(row for row in shown(session, verdict="rejected"))
    assert session.face(rejected, NONE)["kept"] is False
    picture = cv2.imdecode(np.frombuffer(session.picture(ada), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (300, 300, 3)
    x, y, _, h = face["box"]
    blue, green, red = picture[y + h // 2, x].tolist()
    assert min(blue, green) > 150 > red, "the box is drawn"


def test_moved_limits_say_how_many_faces_have_no_rank_yet(portraits: Path) -> None:
    session = Session(portraits / "d", Settings())
    assert session.counts(NONE)["unknown"] == 0
    loose = session.counts({"blur": (None, None)})
    assert loose["relations"] and loose["unknown"] == loose["newly_kept"] > 0


def test_a_source_that_is_gone_or_changed_is_one_sentence(portraits: Path, tmp_path: Path) -> None:
    root = shutil.copytree(portraits, tmp_path / "copy")
    session = Session(root / "d", Settings())
    row = by_name(session, "1.png")
    source = Path(session.face(row, NONE)["source"])
    data = source.read_bytes()
    try:
        source.write_bytes(data + b" ")
        with pytest.raises(UsageError, match="has changed since"):
            session.picture(row)
        source.unlink()
        with pytest.raises(UsageError, match="no such file here"):
            session.picture(row)
    finally:
        source.write_bytes(data)


def test_a_crop_that_was_deleted_is_replaced_by_the_thumbnail(portraits: Path, tmp_path: Path) -> None:
    root = shutil.copytree(portraits / "d", tmp_path / "d")
    for folder in ("kept", "rejected"):
        shutil.rmtree(root / folder)
    session = Session(root, Settings())
    assert all(one.startswith(b"\xff\xd8") for one in session.crops(shown(session)))
    shutil.rmtree(root / ".facesieve" / "thumbs")
    assert set(Session(root, Settings()).crops(shown(session))) == {b""}
