"""Rules on relations: computed among the faces that passed every rule before, and silent about the others."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.errors import PolicyError
from facesieve.quality import MEASURES, RELATIONS
from facesieve.records import Measures
from facesieve.relate import picture_relations
from facesieve.sieve import Policy, check_rules, judge, judge_columns, passing_before

MAIN = {"measure": "rank_in_picture", "high": 1}
SHARP = {"measure": "blur", "low": 100}
FRONTAL = {"measure": "yaw", "low": -45, "high": 45}

# One picture of three faces: the largest is blurred, the second is turned.
PROMINENCE = np.array([0.6, 0.4, 0.2])
FACES = Measures({"blur": np.array([10.0, 200, 200]), "yaw": np.array([0.0, 60, 0]), "prominence": PROMINENCE})
RELATIONS_OF = picture_relations(np.zeros(3, np.intp), PROMINENCE)


def reasons(*rules: object) -> list[tuple[str, ...]]:
    policy = Policy.parse({"name": "x", "rules": list(rules)})
    return [verdict.reasons for verdict in judge(policy, FACES, RELATIONS_OF)]


def test_the_order_of_rules_decides_among_whom_the_main_face_is_chosen() -> None:
    second = ("not_the_main_face",)
    assert reasons(MAIN) == [(), second, second]
    assert reasons(SHARP, MAIN) == [("blurred",), (), second]
    assert reasons(SHARP, FRONTAL, MAIN) == [("blurred",), ("turned",), ()]
    assert reasons(SHARP, MAIN, FRONTAL) == [("blurred",), ("turned",), second]
    assert reasons(MAIN, SHARP, FRONTAL) == [("blurred",), ("not_the_main_face", "turned"), second]


def test_columns_are_null_for_faces_that_failed_before() -> None:
    policy = Policy.parse({"name": "x", "rules": [SHARP, MAIN, FRONTAL]})
    related = judge_columns(policy, FACES, RELATIONS_OF).relations
    np.testing.assert_array_equal(related["rank_in_picture"], [np.nan, 1, 2])
    np.testing.assert_array_equal(related["faces_in_picture"], [np.nan] * 3, "no rule: among the kept faces, if any")
    np.testing.assert_array_equal(passing_before(policy, "rank_in_picture", FACES, RELATIONS_OF), [False, True, True])
    np.testing.assert_array_equal(passing_before(policy, "faces_in_picture", FACES, RELATIONS_OF), [False] * 3)


def test_numbers_that_were_sent_are_used_where_nothing_can_be_computed() -> None:
    sent = Measures({**FACES.columns, "rank_in_picture": np.array([np.nan, 1, np.nan])})
    policy = Policy.parse({"name": "x", "rules": [SHARP, MAIN]})
    assert [verdict.reasons for verdict in judge(policy, sent)] == [("blurred",), (), ("not_measured",)]


def test_a_relation_that_cannot_be_computed_is_an_error() -> None:
    with pytest.raises(PolicyError, match="'rank_in_picture', which was not measured"):
        judge(Policy.parse({"name": "x", "rules": [MAIN]}), FACES)


def test_findings_agree_with_verdicts_and_say_why_a_rule_is_silent() -> None:
    policy = Policy.parse({"name": "x", "rules": [SHARP, MAIN, FRONTAL]})
    judgement = judge_columns(policy, FACES, RELATIONS_OF)
    columns = {**FACES.columns, **judgement.relations}
    for face, verdict in enumerate(judgement.verdicts()):
        findings = check_rules(policy, {name: float(column[face]) for name, column in columns.items()})
        assert tuple(finding.reason for finding in findings if not finding.passed) == verdict.reasons
    silent = check_rules(policy, {"blur": 10.0, "yaw": 0.0, "rank_in_picture": None})[1]
    assert (silent.passed, silent.value) == (True, None)
    assert silent.text == "rank_in_picture was not computed for this face, because it failed an earlier rule."


def test_a_limit_on_a_relation_is_added_at_the_end() -> None:
    policy = Policy.preset().adjusted(["max_rank_in_picture=1"])
    assert [rule.measure for rule in policy.rules][-1] == "rank_in_picture"
    assert policy.rules[:-1] == Policy.preset().rules
    assert not {relation.name for relation in RELATIONS} & {measure.name for measure in MEASURES}
