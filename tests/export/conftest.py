"""One dataset of ten people for all tests that only read it, in both forms of crops."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pytest

from facesieve.dataset.disk.outputs import Outputs
from facesieve.run.build import build_dataset
from handmade import Handmade, build_spec, sources_in

# Names that formats find hard: a separator, a tab, emoji, two that differ in case alone, a reserved word, spaces.
PEOPLE = ("Ada", "ada", "Gr\tace", "J. R. Smith", "Zoë 😀", "train", "unlabelled", "a,b", '"q"', "Linus")


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """Nine pictures of each person, all different."""
    root, pixels = tmp_path_factory.mktemp("album"), cv2.imread(str(astronaut))
    for person, name in enumerate(PEOPLE):
        (root / name).mkdir()
        for index in range(9):
            top, left = 7 * index + 3 * person, 31 * person + index
            cut = pixels[top : top + 160, left : left + 120]
            (root / name / f"{index}.png").write_bytes(cv2.imencode(".png", cut)[1].tobytes())
    return root


@pytest.fixture(scope="session")
def people(album: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset, with a file for each crop. Tests export it and change nothing else."""
    root = tmp_path_factory.mktemp("people") / "dataset"
    build_dataset(sources_in(album), root, Handmade, build_spec(Outputs(keep_rejected=True)))
    return root


@pytest.fixture(scope="session")
def in_tars(album: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its crops in tar files."""
    root = tmp_path_factory.mktemp("tars") / "dataset"
    build_dataset(sources_in(album), root, Handmade, build_spec(Outputs(keep_rejected=True, tar_bytes=100_000)))
    return root


@pytest.fixture
def copy(people: Path, tmp_path: Path) -> Path:
    """A dataset that a test may change."""
    return shutil.copytree(people, tmp_path / "copy", ignore=shutil.ignore_patterns("exports"))
