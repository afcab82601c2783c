"""`--one-per-picture` is short for a limit, in `build` and in `sieve`."""

from __future__ import annotations

from facesieve.cli.choices import choose_policy, limits_of


def test_it_limits_the_rank_in_the_picture_and_set_has_the_last_word() -> None:
    [*_, rule] = choose_policy("lenient", limits_of(None, True)).rules
    assert (rule.measure, rule.low, rule.high) == ("rank_in_picture", None, 1)
    assert choose_policy("lenient", limits_of(["max_rank_in_picture=2"], True)).rules[-1].high == 2
    assert choose_policy("lenient", limits_of(None, False)) == choose_policy("lenient")
