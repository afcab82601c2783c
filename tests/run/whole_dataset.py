"""A dataset of four shards with every kind of file, for tests that damage it."""

from __future__ import annotations

from pathlib import Path

from facesieve.dataset.disk.outputs import Outputs
from facesieve.run.build import build_dataset
from handmade import Handmade, build_spec, sources_in

EVERYTHING = Outputs(keep_rejected=True, cuts=("face",), marked=True)


def again(heap: Path, root: Path) -> list[str]:
    """The same build again. Returns the names of the pictures that it did."""
    pipeline = Handmade()
    build_dataset(sources_in(heap), root, lambda: pipeline, build_spec(EVERYTHING, shard_size=5))
    return pipeline.seen
