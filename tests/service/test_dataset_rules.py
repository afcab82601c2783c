"""The service answers one picture, so a rule that compares the faces of a dataset is an option that it refuses."""

from __future__ import annotations

import pytest

from facesieve.service.api_errors import ApiError
from facesieve.service.options import options_of
from facesieve.sieve import Policy


def test_a_limit_on_a_relation_among_all_faces_is_a_bad_option() -> None:
    with pytest.raises(ApiError) as caught:
        options_of({"max_rank_among_duplicates": "1"}, Policy.preset())
    assert caught.value.code == "bad_option"
    assert "compares the faces of a whole dataset" in caught.value.message


def test_a_limit_on_a_relation_in_one_picture_is_an_option() -> None:
    options = options_of({"max_rank_in_picture": "1"}, Policy.preset())
    assert options.policy.rules[-1].measure == "rank_in_picture"
