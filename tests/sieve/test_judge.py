"""Verdicts."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest

from facesieve.errors import PolicyError
from facesieve.records import Measures
from facesieve.sieve import Policy, Reason, Rule, judge, judge_columns

GOOD = {"confidence": 0.999, "blur": 150.0, "yaw": 3.0, "pitch": -4.0, "roll": 2.0}
NAN = float("nan")


def measures(*faces: dict[str, float]) -> Measures:
    """Good faces, each with some values changed."""
    return Measures({name: np.array([{**GOOD, **face}[name] for face in faces], float) for name in GOOD})


def reasons(**face: float) -> tuple[str, ...]:
    return judge(Policy.preset(), measures(face))[0].reasons


def test_a_good_face_is_kept_without_reasons() -> None:
    (verdict,) = judge(Policy.preset(), measures({}))
    assert verdict.kept is True
    assert verdict.reasons == ()


@pytest.mark.parametrize(
    ("name", "inside", "beyond", "reason"),
    [
        ("confidence", 0.995, np.nextafter(0.995, 0), Reason.LOW_CONFIDENCE),
        ("blur", 100.0, np.nextafter(100.0, 0), Reason.BLURRED),
        ("yaw", 45.0, np.nextafter(45.0, 90), Reason.TURNED),
        ("yaw", -45.0, np.nextafter(-45.0, -90), Reason.TURNED),
        ("pitch", 20.0, np.nextafter(20.0, 90), Reason.PITCHED),
        ("pitch", -20.0, np.nextafter(-20.0, -90), Reason.PITCHED),
        ("roll", 25.0, np.nextafter(25.0, 90), Reason.TILTED),
        ("roll", -25.0, np.nextafter(-25.0, -90), Reason.TILTED),
    ],
)
def test_the_reference_keeps_a_face_on_its_limit_and_none_beyond(
    name: str, inside: float, beyond: float, reason: Reason
) -> None:
    assert reasons(**{name: inside}) == ()
    assert reasons(**{name: float(beyond)}) == (reason,)


def test_a_verdict_has_all_reasons_in_rule_order() -> None:
    everything = reasons(roll=99, pitch=99, yaw=99, blur=0, confidence=0)
    assert everything == ("low_confidence", "blurred", "turned", "pitched", "tilted")
    turned_round = Policy(name="backwards", rules=Policy.preset().rules[::-1])
    assert judge(turned_round, measures({"blur": 0.0, "roll": 99.0}))[0].reasons == ("tilted", "blurred")


def test_a_pose_that_was_not_measured_is_said_once() -> None:
    assert reasons(yaw=NAN, pitch=NAN, roll=NAN, confidence=0.5) == ("low_confidence", "pose_not_measured")


def test_another_missing_number_is_not_blamed_on_the_pose() -> None:
    assert reasons(blur=NAN) == ("not_measured",)


def test_a_reason_that_two_rules_share_is_given_once() -> None:
    policy = Policy(name="p", rules=(Rule(measure="blur", low=200), Rule(measure="yaw", high=0, reason="blurred")))
    assert judge(policy, measures({}))[0].reasons == ("blurred",)


def test_no_faces_get_no_verdicts_and_no_rules_keep_all() -> None:
    assert judge(Policy.preset(), measures()) == []
    assert judge_columns(Policy.preset(), measures()).kept.shape == (0,)
    assert [verdict.kept for verdict in judge(Policy(name="all", rules=()), measures({}, {"blur": 0.0}))] == [
        True,
        True,
    ]


def test_a_policy_that_asks_for_what_was_not_measured_says_so() -> None:
    with pytest.raises(PolicyError, match=r"'reference' asks for 'confidence'"):
        judge(Policy.preset(), Measures({"blur": np.ones(3)}))


def random_faces(count: int) -> Measures:
    random = np.random.default_rng(7)
    columns = {
        "confidence": random.uniform(0.98, 1, count),
        "blur": random.uniform(0, 300, count),
        "yaw": random.normal(0, 40, count),
        "pitch": random.normal(0, 15, count),
        "roll": random.normal(0, 15, count),
    }
    for angle in ("yaw", "pitch", "roll"):
        columns[angle][::7] = np.nan
    return Measures(columns)


def test_many_faces_get_the_verdicts_they_would_get_alone() -> None:
    faces = random_faces(400)
    together = judge(Policy.preset(), faces)
    alone = [
        judge(Policy.preset(), Measures({name: column[index : index + 1] for name, column in faces.columns.items()}))[0]
        for index in range(400)
    ]
    assert together == alone
    assert len({verdict.reasons for verdict in together}) > 15


def test_columns_say_the_same_as_verdicts_and_fit_into_a_table() -> None:
    faces = random_faces(400)
    judgement = judge_columns(Policy.preset(), faces)
    verdicts = judge(Policy.preset(), faces)
    assert judgement.kept.tolist() == [verdict.kept for verdict in verdicts]
    column = pa.array(judgement.reasons(), pa.list_(pa.string()))
    assert column.to_pylist() == [list(verdict.reasons) for verdict in verdicts]


def test_a_hundred_thousand_faces_are_judged_in_a_second() -> None:
    faces = random_faces(100_000)
    start = time.process_time()
    judge(Policy.preset(), faces)
    judge_columns(Policy.preset(), faces).reasons()
    assert time.process_time() - start < 1.0
