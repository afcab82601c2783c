"""Policies: presets, files, changes, and what is wrong with those that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facesieve.errors import PolicyError
from facesieve.quality import ALL_MEASURES, is_relation, measure_named
from facesieve.sieve import Policy, Reason, Rule
from facesieve.sieve.reasons import REASON_OF


def limits(policy: Policy) -> dict[str, tuple[float | None, float | None]]:
    return {rule.measure: (rule.low, rule.high) for rule in policy.rules}


def test_the_default_is_the_reference_with_its_published_limits() -> None:
    policy = Policy.preset()
    assert policy.name == "reference"
    assert list(limits(policy).items()) == [
        ("confidence", (0.995, None)),
        ("blur", (100, None)),
        ("yaw", (-45, 45)),
        ("pitch", (-20, 20)),
        ("roll", (-25, 25)),
    ]


def test_presets_have_a_sentence_and_every_limit_can_be_met_and_failed() -> None:
    assert Policy.presets() == ("reference", "strict", "lenient", "gallery", "training", "footage")
    assert Policy.presets_for_pictures() == ("reference", "strict", "lenient")
    for name in Policy.presets():
        policy = Policy.preset(name)
        assert policy.sentence.endswith(".")
        for rule in policy.rules:
            measure = measure_named(rule.measure)
            assert measure is not None
            for limit in (rule.low, rule.high):
                assert limit is None or measure.low < limit < measure.high or rule.measure.startswith("rank_"), (
                    name,
                    rule,
                )


def test_strict_asks_more_and_lenient_less_than_the_reference() -> None:
    strict, reference, lenient = (limits(Policy.preset(name)) for name in ("strict", "reference", "lenient"))
    for low, high in ((reference, strict), (lenient, reference)):
        assert low["confidence"][0] < high["confidence"][0]
        for angle in ("yaw", "pitch", "roll"):
            assert low[angle][1] > high[angle][1]
    assert {"sharpness", "over_exposure_prevention", "inter_eye_distance", "outside", "upsampling"} <= set(strict)


def test_gallery_is_strict_and_training_is_lenient_with_the_same_relations() -> None:
    for name, base in (("gallery", "strict"), ("training", "lenient")):
        ours, theirs = limits(Policy.preset(name)), limits(Policy.preset(base))
        relations = {measure: limit for measure, limit in ours.items() if is_relation(measure)}
        assert {measure: limit for measure, limit in ours.items() if measure not in relations} == theirs
        assert relations["rank_in_picture"] == relations["rank_among_duplicates"] == (None, 1)
        names = list(ours)
        assert names[:4] == ["confidence", "rank_in_picture", "label_distance", "label_margin"]
        assert names[-1] == "rank_among_duplicates"
        optional = [rule.measure for rule in Policy.preset(name).rules if rule.optional]
        assert optional == ["label_distance", "label_margin"]
    gallery, training = limits(Policy.preset("gallery")), limits(Policy.preset("training"))
    assert gallery["label_distance"][1] < training["label_distance"][1]
    assert gallery["label_margin"][0] > training["label_margin"][0]


def test_every_measure_has_a_usual_reason_and_every_reason_a_sentence() -> None:
    assert set(REASON_OF) == {measure.name for measure in ALL_MEASURES}
    assert all(reason.sentence.endswith(".") for reason in Reason)
    assert {*REASON_OF.values(), Reason.POSE_NOT_MEASURED, Reason.NOT_MEASURED, Reason.BY_HAND} == set(Reason)


def test_changes_set_limits_and_leave_the_rest() -> None:
    policy = Policy.preset().adjusted(["max_yaw=30", "min_blur=80.5", "min_confidence=0.99"])
    assert limits(policy) == limits(Policy.preset()) | {
        "yaw": (-30, 30),
        "blur": (80.5, None),
        "confidence": (0.99, None),
    }
    assert [rule.measure for rule in policy.rules] == [rule.measure for rule in Policy.preset().rules]
    assert policy.name == "reference, adjusted"


def test_none_removes_a_limit_and_a_rule_without_limits_goes() -> None:
    assert "yaw" not in limits(Policy.preset().adjusted(["max_yaw=none"]))
    both = Policy.preset().adjusted(["max_blur=500", "min_blur=NONE"])
    assert limits(both)["blur"] == (None, 500)


def test_a_new_rule_comes_last_with_its_usual_reason() -> None:
    rule = Policy.preset().adjusted(["max_outside=0.2"]).rules[-1]
    assert rule == Rule(measure="outside", high=0.2, reason=Reason.CUT_OFF)


def test_no_change_is_the_same_policy() -> None:
    assert Policy.preset().adjusted([]) == Policy.preset()
    assert Policy.preset().adjusted(["max_yaw=45"]).name == "reference"


def test_limits_of_one_measure_are_changed_together_in_any_order() -> None:
    changes = ["min_yaw=50", "min_blur=300", "max_yaw=60", "max_blur=400"]
    for some in (changes, changes[::-1]):
        policy = Policy.preset().adjusted(some)
        limits_of = {rule.measure: (rule.low, rule.high) for rule in policy.rules}
        assert (limits_of["blur"], limits_of["yaw"]) == ((300, 400), (50, 60))


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ("max_yav=3", "unknown_measure", "There is no measure 'yav'; did you mean 'yaw'?"),
        ("max_sharpnes=3", "unknown_measure", "There is no measure 'sharpnes'; did you mean 'sharpness'?"),
        ("yaw=3", "bad_change", "Cannot read 'yaw=3': write min_NAME=NUMBER, max_NAME=NUMBER or max_NAME=none."),
        ("max_yaw", "bad_change", "Cannot read 'max_yaw': write min_NAME=NUMBER, max_NAME=NUMBER or max_NAME=none."),
        ("max_yaw=wide", "bad_number", "'max_yaw=wide': 'wide' is not a number."),
        ("min_blur=nan", "bad_number", "'min_blur=nan': 'nan' is not a number."),
        ("min_blur=inf", "bad_number", "'min_blur=inf': 'inf' is not a number."),
        ("max_yaw=-5", "bad_number", "'max_yaw=-5': an angle's limit is its size, so it cannot be negative."),
        ("max_blur=50", "bad_limits", "The limits of blur leave nothing: at least 100 and at most 50."),
    ],
)
def test_a_change_that_cannot_be_made_says_why(change: str, code: str, sentence: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.preset().adjusted([change])
    assert (caught.value.code, caught.value.message) == (code, sentence)


def test_an_unknown_preset_names_the_near_one_or_all() -> None:
    with pytest.raises(PolicyError, match=r"no policy 'srtict'; did you mean 'strict'\?"):
        Policy.preset("srtict")
    with pytest.raises(
        PolicyError, match=r"no policy 'xyz'; there are reference, strict, lenient, gallery, training, footage\."
    ):
        Policy.load("xyz")


FILE = """
sentence = "Mine."
[[rules]]
measure = "yaw"
low = -10
high = 20
[[rules]]
measure = "face_size"
low = 40
reason = "blurred"
"""


def test_a_file_gives_a_policy_named_after_it(tmp_path: Path) -> None:
    file = tmp_path / "gallery.toml"
    file.write_text(FILE)
    policy = Policy.load(str(file))
    assert policy.name == "gallery"
    assert policy.rules == (
        Rule(measure="yaw", low=-10, high=20, reason=Reason.TURNED),
        Rule(measure="face_size", low=40, reason=Reason.BLURRED),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules = 3", "rules: Input should be a valid tuple."),
        ("rules = ['yaw']", "rules.0: "),
        ("", "rules: Field required."),
        ("rulez = []\nrules = []", "unknown key 'rulez'; did you mean 'rules'?"),
        ("[[rules]]\nmeasure = 'yawn'\nlow = 1", "rules.0.measure: there is no measure 'yawn'; did you mean 'yaw'?"),
        ("[[rules]]\nmeasure = 'yaw'\nhgih = 1", "unknown key 'rules.0.hgih'; did you mean 'high'?"),
        ("[[rules]]\nmeasure = 'yaw'", "rules.0: the rule on yaw has neither low nor high."),
        ("[[rules]]\nmeasure = 'yaw'\nhigh = nan", "rules.0.high: Input should be a finite number."),
        ("[[rules]]\nmeasure = 'yaw'\nlow = 2\nhigh = 1", "rules.0: the rule on yaw has low 2 above high 1."),
        ("[[rules]]\nmeasure = 'yaw'\nhigh = 1\nreason = 'ugly'", "rules.0.reason: Input should be 'low_confidence'"),
        (
            "[[rules]]\nmeasure='yaw'\nhigh=1\n[[rules]]\nmeasure='yaw'\nlow=1",
            "the measure yaw has more than one rule.",
        ),
        ("rules = [", "is not TOML"),
    ],
)
def test_a_file_that_is_no_policy_says_why_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(PolicyError) as caught:
        Policy.load(str(file))
    assert caught.value.message.startswith("Policy file ")
    assert says in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"Cannot read policy file .*none\.toml: No such file or directory\."):
        Policy.load(str(tmp_path / "none.toml"))


def test_a_description_reads_back_as_the_same_policy() -> None:
    for name in Policy.presets():
        policy = Policy.preset(name)
        described: dict[str, Any] = policy.describe()
        assert Policy.parse(described) == policy
        assert described["rules"][0]["reason"] == "low_confidence"


def test_the_digest_follows_the_rules_and_nothing_else() -> None:
    policy = Policy.preset()
    renamed = Policy(name="other", sentence="Other.", rules=policy.rules)
    assert renamed.digest() == policy.digest()
    assert policy.adjusted(["max_yaw=44"]).digest() != policy.digest()
    assert Policy(name="p", rules=policy.rules[::-1]).digest() != policy.digest()
    assert policy.digest() == "454d53e79378b7f231241b6679ca1c169aca43a8094067803d47c8f6095c0309"


def test_a_clip_that_goes_on_is_judged_by_the_rules_before_the_first_one_on_tracks() -> None:
    footage = Policy.preset("footage")
    assert [rule.measure for rule in footage.before_tracks().rules] == [rule.measure for rule in footage.rules[:-1]]
    assert footage.adjusted(["min_blur=1"]).before_tracks().rules == footage.rules[:-1]
    assert Policy.preset("strict").before_tracks() == Policy.preset("strict")
    assert (footage.ranks_tracks, Policy.preset("strict").ranks_tracks) == (True, False)


@pytest.mark.parametrize("name", ["/etc/passwd", "./mine", "mine.yaml", "C:\\mine"])
def test_a_file_whose_name_does_not_end_in_toml_is_told_so(name: str) -> None:
    with pytest.raises(PolicyError, match=r"the name of a policy file has to end in \.toml"):
        Policy.load(name)
