"""A portion of the sources: every source is in exactly one, on every machine and in every order."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from facesieve.errors import UsageError
from facesieve.records import Source
from facesieve.run.portion import EVERYTHING, Portion, checked_portion, parsed_shard

NAMES = sorted(f"photos/person_{number % 7}/{number:04d}.jpg" for number in range(500))


def named(names: list[str]) -> list[Source]:
    return [Source(name) for name in names]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 1000])
def test_every_source_is_in_exactly_one_portion(count: int) -> None:
    portions = [Portion(number, count).of(named(NAMES)) for number in range(1, count + 1)]
    assert sorted(source.name for portion in portions for source in portion) == NAMES
    if count <= 7:
        assert min(map(len, portions)) > 0.6 * len(NAMES) / count, "portions are about equal"


def test_the_portion_of_a_source_does_not_change() -> None:
    assert [source.name for source in Portion(3, 64).of(named(NAMES))][:4] == [
        "photos/person_1/0148.jpg",
        "photos/person_3/0346.jpg",
        "photos/person_4/0060.jpg",
        "photos/person_4/0403.jpg",
    ]


def test_neither_order_nor_other_sources_nor_the_process_change_a_portion() -> None:
    alone = {source.name for source in Portion(2, 5).of(named(NAMES))}
    mixed = random.Random(1).sample([*NAMES, *(f"new/{number}.jpg" for number in range(300))], 800)
    assert {source.name for source in Portion(2, 5).of(named(mixed))} - alone <= {
        name for name in mixed if name.startswith("new/")
    }
    assert alone <= {source.name for source in Portion(2, 5).of(named(mixed))}
    code = (
        "from facesieve.records import Source; from facesieve.run.portion import Portion; import sys;"
        "print('\\n'.join(one.name for one in Portion(2, 5).of([Source(name) for name in sys.argv[1:]])))"
    )
    said = subprocess.run([sys.executable, "-c", code, *NAMES], capture_output=True, text=True, check=True).stdout
    assert set(said.split()) == alone


def test_a_name_has_one_portion_in_both_unicode_forms_and_any_name_has_one() -> None:
    composed, decomposed, odd = "Jos\u00e9.jpg", "Jose\u0301.jpg", "a\udcff\n\ud800.jpg"
    for number in range(1, 65):
        assert len(Portion(number, 64).of(named([composed]))) == len(Portion(number, 64).of(named([decomposed])))
    assert sum(len(Portion(number, 64).of(named([odd]))) for number in range(1, 65)) == 1


def test_no_sources_have_empty_portions_and_the_only_portion_is_everything() -> None:
    assert Portion(2, 3).of([]) == []
    assert [source.name for source in EVERYTHING.of(named(NAMES))] == NAMES
    assert checked_portion(None) == checked_portion((1, 1)) == EVERYTHING


@pytest.mark.parametrize(
    "text", ["x/y", "3", "", "/", "3/", "/3", "3/64/2", "1.5/3", "-1/3", "3 of 64", "٣/٤", "1/9999999999"]
)
def test_text_that_is_no_shard_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="write K/N with K from 1 to N") as caught:
        parsed_shard(text)
    assert caught.value.code == "bad_shard"


@pytest.mark.parametrize(
    "shard", [(0, 64), (65, 64), (3, 0), (0, 0), (-1, 3), (1,), (1, 2, 3), (1.0, 2), (True, 2), "12", 5, ("1", "2")]
)
def test_numbers_that_are_no_shard_are_one_sentence(shard: object) -> None:
    with pytest.raises(UsageError, match="write K/N with K from 1 to N") as caught:
        checked_portion(shard)
    assert caught.value.code == "bad_shard"


def test_a_shard_is_read_as_it_is_written() -> None:
    assert parsed_shard("3/64") == parsed_shard(" 03/64 ") == (3, 64)
    assert checked_portion((64, 64)) == checked_portion([64, 64]) == Portion(64, 64)


def test_a_wrong_shard_of_the_python_interface_writes_nothing(hopper: Path, tmp_path: Path) -> None:
    from facesieve import build

    with pytest.raises(UsageError, match="65/64"):
        build(hopper, tmp_path / "out", shard=(65, 64))
    assert not (tmp_path / "out").exists()
