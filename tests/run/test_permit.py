"""Permits to write: a worker that outlives its build, or was given up as lost, writes nothing any more."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from facesieve.dataset.disk.layout import Layout
from facesieve.errors import DatasetError
from facesieve.run.claim import lock_dataset
from facesieve.run.ledger import Ledger
from facesieve.run.permit import Permit, grant, revoke_all
from facesieve.run.plan import Shard
from facesieve.run.shard import ShardRunner
from handmade import Handmade, build_spec, photos, sources_in

pytest.importorskip("fcntl", reason="Windows has no shared locks on files")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "out")


def test_a_permit_can_be_held_again_and_again_until_it_is_revoked(layout: Layout) -> None:
    permit, other = grant(layout), grant(layout)
    for _ in range(2):
        with permit.held(), other.held():
            pass
    permit.revoke()
    permit.revoke()
    with pytest.raises(DatasetError) as caught, permit.held():
        raise AssertionError("it is not valid any more")
    assert caught.value.code == "revoked"
    with other.held():
        pass
    revoke_all(layout)
    assert not layout.permits.exists()
    revoke_all(layout)


def test_a_permit_that_a_process_holds_is_revoked_when_the_process_is_dead(layout: Layout) -> None:
    permit = grant(layout)
    code = (
        "import sys, time; from pathlib import Path; from facesieve.run.permit import Permit\n"
        f"with Permit(Path({str(permit.path)!r})).held(): print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(DatasetError, match="still writing") as caught:
            permit.revoke(patience=0.1)
        assert caught.value.code == "in_use"
        holder.kill()
        permit.revoke()
    assert not permit.path.exists()


def test_a_worker_without_a_valid_permit_writes_no_crop_and_commits_nothing(
    layout: Layout, tmp_path: Path, astronaut: Path
) -> None:
    heap, spec = photos(tmp_path / "heap", astronaut, count=6), build_spec()
    permit = grant(layout)
    runner = ShardRunner(layout, spec.settings, spec.measures, spec.outputs, permit)
    shard = Shard(0, tuple(sources_in(heap)))
    with lock_dataset(layout):  # the next build
        before = sorted(layout.root.rglob("*"))
        with pytest.raises(DatasetError) as caught:
            list(runner.run(shard, Handmade()))
        assert caught.value.code == "revoked"
        assert sorted(layout.root.rglob("*")) == before
        fresh = replace(runner, permit=grant(layout))
        assert fresh.committed(shard) is None
        tallies = list(fresh.run(shard, Handmade()))
        assert fresh.committed(shard) == sum(tallies[1:], tallies[0])
        assert Ledger(layout).numbers() == [0]


def test_a_permit_revoked_between_two_pictures_stops_the_shard(layout: Layout, tmp_path: Path, astronaut: Path) -> None:
    heap, spec, permit = photos(tmp_path / "heap", astronaut, count=6), build_spec(), grant(layout)
    runner = ShardRunner(layout, spec.settings, spec.measures, spec.outputs, permit)
    tallies = runner.run(Shard(0, tuple(sources_in(heap))), Handmade())
    assert next(tallies).done == 1
    permit.revoke()
    with pytest.raises(DatasetError):
        list(tallies)
    assert Ledger(layout).numbers() == []


def test_a_permit_in_a_folder_that_is_not_there_is_revoked(tmp_path: Path) -> None:
    with pytest.raises(DatasetError), Permit(tmp_path / "out" / ".facesieve" / "permits" / "x").held():
        raise AssertionError("there is no such file")
