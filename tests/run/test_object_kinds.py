"""Which objects of a bucket become files of a dataset: those that a build writes, and none that leads elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesieve.run.object_kinds import Kind, kind_of, stamps_below


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("shards/0123456789abcdef0123456789abcdef.tar", Kind.PICTURES),
        ("marked/Ada Lovelace 😀/a.b.0123abcd.jpg", Kind.PICTURES),
        (".facesieve/crops/00000001.tar", Kind.PICTURES),
        (".facesieve/lists.parquet", Kind.RECORDS),
        (".facesieve/clips.json", Kind.RECORDS),
        (".facesieve/parts/123456789.parquet", Kind.SHARD),
        (".facesieve/sums/00000001.txt", Kind.SHARD),
        ("embeddings.parquet/part-00001.parquet", Kind.MANIFEST),
        ("contact_sheet.html", Kind.MANIFEST),
        (".facesieve/sums/published.txt", Kind.PUBLISHED),
        ("dataset.json", Kind.ABOUT),
        (".facesieve/merging", Kind.MERGING),
    ],
)
def test_an_object_that_a_build_writes_has_its_kind(name: str, kind: Kind) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/dataset.json",
        "../dataset.json",
        "marked/../a.jpg",
        "marked/../../a.jpg",
        "marked/a/../../b.jpg",
        "marked/a/.jpg",
        "marked/a\\..\\..\\b/c.jpg",
        "marked/C:/a.jpg",
        "marked/a.jpg",
        "marked/a\0/b.jpg",
        "shards/x.tar",
        ".facesieve/lock",
        ".facesieve/lease.json",
        ".facesieve/mirror/owner",
        ".facesieve/scratch/a",
        ".facesieve/parts/../parts/00000001.parquet",
        "faces.parquet/part-1.parquet",
        "dataset.json\n",
        "x/dataset.json",
    ],
)
def test_any_other_name_is_no_part_of_a_dataset(name: str) -> None:
    assert kind_of(name) is None


def test_links_in_the_working_folder_are_not_copied(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text("{}")
    (tmp_path / "contact_sheet.html").symlink_to("/etc/passwd")
    (tmp_path / "shards").symlink_to(tmp_path)
    assert set(stamps_below(tmp_path)) == {"dataset.json"}
