"""Explanations of verdicts."""

from __future__ import annotations

import numpy as np

from facesieve.records import Measures
from facesieve.sieve import Policy, check_rules, judge

FACE = {"confidence": 0.99949, "blur": 99.999999, "yaw": -50.25, "pitch": 3.0, "roll": None}


def test_every_rule_says_measure_value_limits_and_outcome() -> None:
    findings = check_rules(Policy.preset(), FACE)
    assert [finding.measure for finding in findings] == ["confidence", "blur", "yaw", "pitch", "roll"]
    assert [finding.passed for finding in findings] == [True, False, False, True, False]
    assert [finding.reason for finding in findings] == ["", "blurred", "turned", "", "pose_not_measured"]
    assert findings[2].value == -50.25
    assert (findings[2].low, findings[2].high, findings[2].limits) == (-45, 45, "-45 to 45")
    assert findings[2].text == "yaw is -50.25, but has to be -45 to 45. The head is turned too far to a side."
    assert findings[3].text == "pitch is 3, within the limit: -20 to 20."
    assert findings[4].value is None
    assert findings[4].text.startswith("roll was not measured, and has to be -25 to 25. ")


def test_a_value_just_beyond_a_limit_is_not_shown_as_the_limit() -> None:
    text = check_rules(Policy.preset(), FACE)[1].text
    assert text.startswith("blur is 99.999999, but has to be at least 100.")


def test_an_absent_measure_counts_as_not_measured() -> None:
    assert check_rules(Policy.preset(), {})[1].reason == "not_measured"


def test_an_explanation_gives_the_reasons_of_the_verdict() -> None:
    random = np.random.default_rng(3)
    names = [rule.measure for rule in Policy.preset().rules]
    columns = {name: random.uniform(-100, 200, 50) for name in names} | {"confidence": random.uniform(0.99, 1, 50)}
    columns["yaw"][::3] = np.nan
    faces = Measures(columns)
    for index, verdict in enumerate(judge(Policy.preset(), faces)):
        said = [finding.reason for finding in check_rules(Policy.preset(), faces.row(index)) if not finding.passed]
        assert tuple(dict.fromkeys(said)) == verdict.reasons
