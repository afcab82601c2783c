"""Engines of a build are interchangeable: whatever does the shards, the dataset is the same, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from facesieve.dataset.disk.outputs import Outputs
from facesieve.errors import DatasetError
from facesieve.run.build import build_dataset
from facesieve.run.engines import choose
from facesieve.run.engines.alone import Alone
from facesieve.run.engines.choose import engine_for
from facesieve.run.engines.engine import BuildEngine, MakePipeline
from facesieve.run.engines.pool import Pool
from facesieve.run.plan import Shard
from facesieve.run.progress import Progress, Tally
from facesieve.run.shard import ShardRunner
from facesieve.settings import Settings
from handmade import Handmade, build_spec, files_in, sources_in

EVERYTHING = Outputs(keep_rejected=True, cuts=("face", "head"), marked=True)


class InReverse:
    """Does the last shard first. Each shard is begun once before, and that work is lost and taken back."""

    workers = 3

    def prepare(self) -> None: ...

    def run(self, shards: Sequence[Shard], runner: ShardRunner, make_pipeline: MakePipeline) -> Iterator[Tally]:
        for shard in reversed(shards):
            lost = next(iter(runner.run(shard, make_pipeline())))
            yield lost
            yield -lost
            yield from runner.run(shard, make_pipeline())


@dataclass(frozen=True)
class InThreads:
    """Does several shards at the same time, in threads of this process."""

    workers: int

    def prepare(self) -> None: ...

    def run(self, shards: Sequence[Shard], runner: ShardRunner, make_pipeline: MakePipeline) -> Iterator[Tally]:
        def tallies(shard: Shard) -> list[Tally]:
            return list(runner.run(shard, make_pipeline()))

        with ThreadPoolExecutor(self.workers) as threads:
            for done in threads.map(tallies, shards):
                yield from done


class Forgetful(Alone):
    """Leaves out the last shard."""

    def run(self, shards: Sequence[Shard], runner: ShardRunner, make_pipeline: MakePipeline) -> Iterator[Tally]:
        return super().run(shards[:-1], runner, make_pipeline)


@pytest.fixture(scope="module")
def expected(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dataset that this process makes alone, in one shard."""
    out = tmp_path_factory.mktemp("expected")
    build_dataset(sources_in(heap), out, Handmade, build_spec(EVERYTHING))
    return files_in(out)


@pytest.mark.parametrize(
    "engine", [Alone(), Pool(2), InReverse(), InThreads(3)], ids=lambda engine: type(engine).__name__
)
def test_every_engine_makes_the_same_dataset_and_counts_every_picture_once(
    engine: BuildEngine, heap: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    seen = list[Progress]()
    built = build_dataset(
        sources_in(heap), tmp_path, Handmade, build_spec(EVERYTHING, shard_size=4), seen.append, engine=engine
    )
    assert files_in(tmp_path) == expected
    assert built.progress == seen[-1]
    assert seen[-1].done == seen[-1].total == 16
    assert (seen[-1].refused, seen[-1].kept) == (2, built.counts.kept + 1), "the duplicate is found afterwards"


@pytest.mark.parametrize(
    "engine", [Alone(), Pool(2), InReverse(), InThreads(3)], ids=lambda engine: type(engine).__name__
)
def test_an_engine_without_shards_builds_no_pipeline(engine: BuildEngine, tmp_path: Path) -> None:
    def make_pipeline() -> Handmade:
        raise AssertionError("there is nothing to do")

    assert build_dataset([], tmp_path, make_pipeline, build_spec(), engine=engine).counts.pictures == 0


def test_a_dataset_that_an_engine_did_not_finish_is_not_published(heap: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Run the same build again") as caught:
        build_dataset(sources_in(heap), tmp_path, Handmade, build_spec(shard_size=4), engine=Forgetful())
    assert caught.value.code == "ledger_changed"
    assert not (tmp_path / "faces.parquet").exists()


@pytest.mark.parametrize(
    ("workers", "pictures", "engine"),
    [
        (1, 1000, Alone()),
        (4, 0, Alone()),
        (4, 8, Alone()),
        (4, 9, Pool(2)),
        (4, 1000, Pool(4)),
        ("auto", 1000, Pool(3)),
    ],
)
def test_the_settings_and_the_number_of_pictures_choose_the_engine(
    workers: int | str, pictures: int, engine: BuildEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "cores", lambda: 3)
    assert engine_for(Settings(workers=workers), pictures) == engine
