"""Limits bound the work of one picture: a dataset is continued with others, and what they refused is tried again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.origin import difference
from facesieve.decode import decode_one
from facesieve.records import Photo, Record, Source
from facesieve.run.build import build_dataset
from facesieve.run.upgrade import upgrade
from facesieve.settings import LIMITS, Settings, default_clip_limits
from handmade import build_spec, sources_in
from unnumbered import without_number


class Decodes:
    """A pipeline that decodes and finds no faces; it remembers which sources it was asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.seen: list[str] = []

    def stream(self, sources: Iterable[Source]) -> Iterator[Record]:
        for source in sources:
            self.seen.append(source.name)
            answer = decode_one(source, self.settings)
            yield Record(source, photo=answer) if isinstance(answer, Photo) else Record(source, refusal=answer)


def built(photos: Path, root: Path, **limits: int) -> tuple[list[str], dict[str, str | None]]:
    """The sources that were looked at, and every source's refusal."""
    how = build_spec(**limits)
    pipeline = Decodes(how.settings)
    build_dataset(
        sources_in(photos), root, lambda: pipeline, how, allow_mixed_engines=True
    )  # of an upgraded one it is not known
    rows = pq.read_table(root / "pictures.parquet").to_pylist()
    return pipeline.seen, {row["source"]: row["refusal"] for row in rows}


def photos_of(folder: Path) -> Path:
    folder.mkdir()
    for side in (10, 20, 30):
        cv2.imwrite(str(folder / f"{side}.png"), np.full((side, side, 3), side, np.uint8))
    return folder


def test_another_limit_continues_the_dataset_and_tries_again_what_the_limit_refused(tmp_path: Path) -> None:
    photos, root = photos_of(tmp_path / "photos"), tmp_path / "out"
    _, refusals = built(photos, root, max_pixels=500)
    assert refusals == {"10.png": None, "20.png": None, "30.png": "too_many_pixels"}
    assert built(photos, root, max_pixels=500)[0] == []
    seen, refusals = built(photos, root, max_pixels=1000)
    assert (seen, refusals) == (["30.png"], {"10.png": None, "20.png": None, "30.png": None})
    assert built(photos, root, max_pixels=100)[1] == {"10.png": None, "20.png": None, "30.png": None}


def test_a_dataset_that_recorded_limits_among_its_settings_is_continued(tmp_path: Path) -> None:
    """The version before did, and had no colour profiles and no sums."""
    photos, layout = photos_of(tmp_path / "photos"), Layout(tmp_path / "out")
    built(photos, layout.root, max_pixels=500, colour_profiles=False)

    def about(old: dict[str, Any]) -> None:
        old["settings"] |= old.pop("limits")
        del old["settings"]["colour_profiles"]

    assert upgrade(without_number(layout.root, about=about, sums=False))
    seen, refusals = built(photos, layout.root, max_pixels=1000, colour_profiles=False)
    assert (seen, refusals["30.png"]) == (["30.png"], None)


def test_colour_profiles_shape_a_dataset_and_its_limits_do_not() -> None:
    ours = build_spec(max_side=100, max_file_bytes=5).origin()
    assert difference(build_spec().origin(), ours) == []
    assert set(ours.limits) == LIMITS - default_clip_limits().keys(), "a dataset without clips does not mention theirs"
    assert build_spec(max_clip_bytes=5).origin().limits["max_clip_bytes"] == 5
    made = build_spec().origin()
    recorded = {name: value for name, value in made.settings.items() if name != "colour_profiles"}
    old = made.model_copy(update={"settings": recorded})
    assert difference(old, ours) == ["settings.colour_profiles: False -> True"]


class StopsAfter(Decodes):
    """Is interrupted when it has decoded this many pictures."""

    def __init__(self, settings: Settings, count: int) -> None:
        super().__init__(settings)
        self.count = count

    def stream(self, sources: Iterable[Source]) -> Iterator[Record]:
        for record in super().stream(sources):
            if len(self.seen) > self.count:
                raise KeyboardInterrupt
            yield record


def interrupted(photos: Path, root: Path, count: int, **limits: int) -> None:
    how = build_spec(shard_size=1, **limits)
    with pytest.raises(KeyboardInterrupt):
        build_dataset(sources_in(photos), root, lambda: StopsAfter(how.settings, count), how)


def test_a_build_that_never_published_is_continued_with_a_larger_limit(tmp_path: Path) -> None:
    photos, root = photos_of(tmp_path / "photos"), tmp_path / "out"
    interrupted(photos, root, 2, max_pixels=200)
    assert not (root / "pictures.parquet").exists()
    seen, refusals = built(photos, root, max_pixels=1000)
    assert (sorted(seen), refusals) == (["20.png", "30.png"], {"10.png": None, "20.png": None, "30.png": None})


def test_what_an_interrupted_build_with_a_smaller_limit_refused_is_tried_again(tmp_path: Path) -> None:
    photos, root = photos_of(tmp_path / "photos"), tmp_path / "out"
    built(photos, root, max_pixels=500)
    for side in (40, 50, 60):
        cv2.imwrite(str(photos / f"{side}.png"), np.full((side, side, 3), side, np.uint8))
    interrupted(photos, root, 2, max_pixels=200)  # it refuses 40.png
    interrupted(photos, root, 0, max_pixels=9000)  # it does nothing
    seen, refusals = built(photos, root, max_pixels=9000)
    assert set(refusals.values()) == {None}
    assert sorted(seen) == ["30.png", "40.png", "50.png", "60.png"]
