"""Links, deep folders and folders without permission: one row each, and nothing is visited twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drawn import look, outcome, outcomes, put

from facesieve.settings import Settings
from facesieve.sources import find_sources


def test_a_link_to_a_name_that_no_file_system_takes_costs_one_row(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1)
    for at, target in enumerate(("a" * 300, "b/" * 1500 + "x", "c" * 300 + "/x")):
        (tmp_path / f"l{at}.png").symlink_to(target)
    results = outcomes(tmp_path)
    assert results.pop("a.png") == 1
    assert list(results) == ["l0.png", "l1.png", "l2.png"]
    assert set(results.values()) <= {"unreadable", "outside_tree"}


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Callable[[str, int], Path]]:
    """Folders within folders, and a picture in the innermost. Python cannot remove them again, `rm` can."""

    def make(name: str, levels: int) -> Path:
        put(tmp_path / "p" / "top.png", 1)
        start = Path.cwd()
        os.chdir(tmp_path / "p")
        try:
            for _ in range(levels):
                os.mkdir(name)  # noqa: PTH102
                os.chdir(name)
            put(Path("deep.png"), 7)
        finally:
            os.chdir(start)
        return tmp_path / "p"

    yield make
    subprocess.run(["rm", "-rf", tmp_path / "p"], check=True)


def test_folders_nested_deeper_than_calls_may_be_are_searched_to_the_end(deep: Callable[[str, int], Path]) -> None:
    root = deep("d", 1_100)
    assert outcomes(root) == {"deep.png": 7, "top.png": 1}
    assert outcomes(str(root / "**" / "*.png")) == {"deep.png": 7, "top.png": 1}


def test_a_path_longer_than_the_system_takes_costs_one_row(deep: Callable[[str, int], Path]) -> None:
    root = deep("d" * 250, 20)
    assert [outcome(source) for source in look(root).sources] == ["unreadable", 1]


LOOK = """
import sys
from drawn import look, outcome
found = look(sys.argv[1])
for source in found.sources:
    print(source.name.rpartition("/")[2], outcome(source))
print(*found.notes, sep="\\n", end="")
"""


def as_nobody_special(*arguments: str | Path) -> str:
    """What the code prints where closed folders are closed, which they are not for root."""
    command = [sys.executable, "-c", LOOK, *map(str, arguments)]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may enter every folder, and there is no setpriv to give that up")
        rights = "-dac_override,-dac_read_search"
        command = ["setpriv", "--bounding-set", rights, "--inh-caps", rights, *command]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def test_folders_that_one_may_not_enter_cost_one_row_each(tmp_path: Path) -> None:
    put(tmp_path / "p" / "a.png", 1)
    put(tmp_path / "p" / "closed" / "b.png", 2)
    put(tmp_path / "secret" / "c.png", 3)
    (tmp_path / "p" / "l.png").symlink_to(tmp_path / "secret" / "c.png")
    (tmp_path / "p" / "in.png").symlink_to("closed/b.png")
    (tmp_path / "p" / "m").symlink_to(tmp_path / "secret" / "deeper")
    closed = (tmp_path / "p" / "closed", tmp_path / "secret")
    for folder in closed:
        folder.chmod(0)
    try:
        said = as_nobody_special(tmp_path / "p")
        by_glob = as_nobody_special(str(tmp_path / "p" / "**" / "*.png"))
    finally:
        for folder in closed:
            folder.chmod(0o755)
    rows = ["a.png 1", "closed unreadable", "in.png unreadable", "l.png outside_tree", "m outside_tree"]
    assert said.splitlines() == rows
    assert f"{tmp_path}/p/closed cannot be listed; nothing in it was read" in by_glob.splitlines()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A folder of links into a store, as Hugging Face and DVC caches have them."""
    put(tmp_path / "blobs" / "aaa", 1)
    put(tmp_path / "blobs" / "bbb", 2)
    (tmp_path / "rev" / "anna").mkdir(parents=True)
    (tmp_path / "rev" / "anna" / "1.png").symlink_to("../../blobs/aaa")
    (tmp_path / "rev" / "ben").symlink_to(tmp_path / "store")
    put(tmp_path / "store" / "2.png", 3)
    return tmp_path / "rev"


def test_links_that_point_outside_are_refused_with_the_way_to_follow_them(cache: Path) -> None:
    found = look(cache).sources
    assert [outcome(source) for source in found] == ["outside_tree", "outside_tree"]
    with pytest.raises(Exception, match="use --follow-links to follow it"):
        found[0].open()  # type: ignore[misc]


def test_links_that_point_outside_are_followed_on_request(cache: Path) -> None:
    found = look(cache, follow_links=True, label_from="folder").sources
    assert {(outcome(source), source.label) for source in found} == {(1, "anna"), (3, "ben")}


def test_followed_links_enter_every_folder_once(tmp_path: Path) -> None:
    put(tmp_path / "p" / "z" / "1.png", 1)
    put(tmp_path / "other" / "2.png", 2)
    (tmp_path / "p" / "a").symlink_to(tmp_path / "p" / "z")
    (tmp_path / "p" / "up").symlink_to(tmp_path / "p")
    (tmp_path / "p" / "higher").symlink_to(tmp_path)
    (tmp_path / "other" / "back").symlink_to(tmp_path / "p")
    found = look(tmp_path / "p", follow_links=True).sources
    assert [(os.path.relpath(source.name, tmp_path / "p"), outcome(source)) for source in found] == [
        ("z/1.png", 1),
        ("higher/other/2.png", 2),
    ]


@pytest.mark.parametrize("loops", [1, 2, 3])
def test_a_glob_enters_every_folder_once_whatever_links_lead_back(tmp_path: Path, loops: int) -> None:
    for at in range(3):
        put(tmp_path / "p" / f"f{at}" / "1.png", at)
    for at in range(loops):
        (tmp_path / "p" / f"f{at}" / "loop").symlink_to(tmp_path / "p")
        (tmp_path / "p" / f"a{at}").symlink_to(".")
    names = [os.path.relpath(source.name, tmp_path / "p") for source in look(str(tmp_path / "p/**/*.png")).sources]
    assert names == ["f0/1.png", "f1/1.png", "f2/1.png"]
    again = [source.name for source in look(str(tmp_path / "p/**/f*/**/*.png")).sources]
    assert [os.path.relpath(name, tmp_path / "p") for name in again] == names


def test_a_glob_of_many_levels_enters_every_folder_once_at_each_level(tmp_path: Path) -> None:
    for level in range(25):
        (tmp_path / f"{level}").mkdir()
        for name in ("a", "b"):
            (tmp_path / f"{level}" / name).symlink_to(tmp_path / f"{level + 1}")
    put(tmp_path / "25" / "1.png", 5)
    found = look(f"{tmp_path}/0/{'*/' * 25}*.png")
    assert [outcome(source) for source in found.sources] == [5]
    assert found.notes == ["folders that several links lead to were read once"]


def test_a_glob_follows_a_link_to_a_folder_once(tmp_path: Path) -> None:
    put(tmp_path / "other" / "1.png", 5)
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "more").symlink_to(tmp_path / "other")
    (tmp_path / "p" / "more2").symlink_to(tmp_path / "other")
    assert [outcome(source) for source in look(str(tmp_path / "p/**/*.png")).sources] == [5]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["1.png"]),
        ("*/*.png", ["a/2.png", "b/3.png"]),
        ("**/*.png", ["1.png", "a/2.png", "a/c/4.png", "b/3.png"]),
        ("**/**/*.png", ["1.png", "a/2.png", "a/c/4.png", "b/3.png"]),
        ("a/**", ["a/2.png", "a/c/4.png"]),
        ("**/c/*", ["a/c/4.png"]),
        ("[ab]/?.png", ["a/2.png", "b/3.png"]),
        (".h/*", [".h/5.png"]),
        ("**/a/../b/*", ["b/3.png"]),
    ],
)
def test_globs_match_as_in_a_shell(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    for name in ("1.png", "a/2.png", "b/3.png", "a/c/4.png", ".h/5.png"):
        put(tmp_path / name)
    found = sorted(
        os.path.normpath(source.name) for source in find_sources([str(tmp_path / pattern)], Settings()).sources
    )
    assert [os.path.relpath(name, tmp_path) for name in found] == expected


def test_a_relative_glob_yields_relative_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a" / "1.png")
    monkeypatch.chdir(tmp_path)
    for pattern in ("*/*.png", "**/*.png", "./*/1.png"):
        assert [source.name for source in look(pattern).sources] == ["a/1.png"]
