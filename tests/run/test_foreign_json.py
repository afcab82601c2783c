"""Whatever a dataset says about its build_spec: it is read as that, or an error of ours says what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facesieve.dataset.tables.counts import Counts
from facesieve.errors import FacesieveError
from facesieve.run.build import build_dataset
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.run.open_dataset import open_dataset
from facesieve.run.upgrade import upgrade
from facesieve.settings import Settings
from handmade import Handmade, build_spec, photos, sources_in

TEXT = st.text(st.characters(), max_size=8)  # halves of characters too
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
ANYTHING = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("foreign") / "heap", astronaut, count=2)


@pytest.fixture(scope="module")
def out(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("foreign") / "out"
    build_dataset(sources_in(heap), root, Handmade, build_spec())
    shutil.rmtree(root / ".facesieve" / "sums")
    return root


GOOD = json.loads(json.dumps({"format": 1, **build_spec().origin().as_json()}))
COUNTS = Counts(1, 1, 0, {}, 0, 0, 0, {}).as_json()


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """What a build writes, with something taken out, put in or replaced at any depth; or anything at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ANYTHING)
    values = json.loads(json.dumps(GOOD | {"counts": COUNTS}))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = values
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            match draw(st.sampled_from(("remove", "replace", "add"))):
                case "remove":
                    del place[key]
                case "replace":
                    place[key] = draw(ANYTHING)
                case "add" if isinstance(place, dict):
                    place[draw(TEXT | st.sampled_from([*GOOD, "turn", "kept"]))] = draw(ANYTHING)
                case "add":
                    place.append(draw(ANYTHING))
            break
    return values


def holds(values: Any, *paths: Path) -> None:
    text = json.dumps(values)
    for path in paths:
        path.write_text(text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed())
def test_a_foreign_dataset_json_is_never_a_traceback(out: Path, values: Any) -> None:
    holds(values, out / "dataset.json")
    for read in (lambda: explained(out), lambda: open_dataset(out).rejudge(), lambda: check_dataset(out)):
        try:
            read()
        except FacesieveError as error:
            assert "\n" not in error.message
            error.message.encode()


def explained(root: Path) -> None:
    dataset = open_dataset(root)
    for face_id in dataset.faces["face_id"].to_pylist()[:1]:
        list(dataset.explain(face_id).lines())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed())
def test_what_is_written_nowhere_in_its_place_is_never_a_traceback(out: Path, heap: Path, values: Any) -> None:
    for call in (
        lambda: check_dataset(out),
        lambda: build_dataset(sources_in(heap), out, Handmade, build_spec()),
        lambda: forget(out, ["Ada/nothing.png"], Settings(sheet_faces=10)),
        lambda: upgrade(out),
    ):
        holds(values, out / "dataset.json", out / ".facesieve" / "made.json")
        shutil.rmtree(out / ".facesieve" / "sums", ignore_errors=True)
        try:
            call()
        except FacesieveError as error:
            error.message.encode()
