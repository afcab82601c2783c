"""Single bits flip, files go away, memory is short: each is one sentence, and never other rows."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from whole_dataset import EVERYTHING, again

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_table
from facesieve.dataset.manifests import open_manifests
from facesieve.dataset.tables.merge import merge_parts
from facesieve.errors import DatasetError
from facesieve.records import Record, Source, Verdict
from facesieve.run.build import build_dataset
from facesieve.run.check import check_dataset
from facesieve.run.known import unfinished
from facesieve.run.ledger import Ledger
from facesieve.run.rejudge import rejudge
from handmade import MEASURES, Handmade, build_spec, by_hand, files_in, sources_in

PUBLISHED = ("faces.parquet", "pictures.parquet", "dataset.json")


def check(heap: Path, root: Path) -> None:
    """As the command: what is wrong is raised."""
    for fault in check_dataset(root).faults:
        raise DatasetError("damaged_dataset", fault.name)


def sieve(heap: Path, root: Path) -> None:
    dataset = open_manifests(root)
    rejudge(dataset, by_hand(lambda measures: [Verdict(True)] * len(dataset.faces)))


def flipped(files: list[Path], seed: int) -> tuple[Path, bytes]:
    """One of the files and its bytes with one bit the other way."""
    chance = random.Random(seed)
    path = chance.choice(files)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return path, bytes(data)


def all_told(heap: Path, root: Path, files: list[Path], commands: list[Callable[..., None]], seeds: range) -> None:
    for seed in seeds:
        path, bad = flipped(files, seed)
        good = path.read_bytes()
        path.write_bytes(bad)
        for command in commands:
            with pytest.raises(DatasetError) as caught:
                command(heap, root)
            assert caught.value.code == "damaged_dataset" and path.name in caught.value.message
        path.write_bytes(good)


def parts(root: Path) -> list[Path]:
    return sorted((root / ".facesieve" / "parts").iterdir())


def test_a_bit_that_flips_in_a_part_of_the_ledger_is_told_by_build_and_check(heap: Path, out: Path) -> None:
    before = files_in(out)
    all_told(heap, out, parts(out), [again, check], range(60))
    assert files_in(out) == before


@pytest.mark.slow
def test_600_bits_that_flip_in_parts_of_the_ledger_are_all_told(heap: Path, out: Path) -> None:
    all_told(heap, out, parts(out), [again, check], range(1000, 1600))


def test_a_bit_that_flips_in_what_readers_open_is_told_by_sieve_and_check(heap: Path, out: Path) -> None:
    all_told(heap, out, [out / name for name in PUBLISHED], [sieve, check], range(60))


@pytest.mark.slow
def test_600_bits_that_flip_in_what_readers_open_are_all_told(heap: Path, out: Path) -> None:
    all_told(heap, out, [out / name for name in PUBLISHED], [sieve, check], range(1000, 1600))


def test_a_bit_that_flips_in_what_the_build_remembers_besides_is_told(heap: Path, out: Path) -> None:
    hidden = out / ".facesieve"
    files = [hidden / "made.json", *(hidden / "sums").iterdir()]
    all_told(heap, out, files, [again, check], range(40))


def test_a_bit_that_flips_in_a_part_without_checksum_is_no_traceback(heap: Path, out: Path) -> None:
    """As far as Parquet and the columns can tell, it is told; other rows cannot be excluded without a checksum."""
    shutil.rmtree(out / ".facesieve" / "sums")
    told = 0
    for seed in range(60):
        path, bad = flipped(parts(out), seed)
        good = path.read_bytes()
        path.write_bytes(bad)
        try:
            ledger = Ledger(Layout(out))
            unfinished(sources_in(heap), ledger, 1 << 30)
            for _ in merge_parts(ledger.tables, MEASURES):
                pass
        except DatasetError:
            told += 1
        path.write_bytes(good)
    assert told > 10


def test_foreign_files_in_the_ledger_change_nothing(heap: Path, out: Path) -> None:
    before = files_in(out)
    for folder in ("parts", "thumbs", "sums"):
        for name in ("._00000000.parquet", "00000000 (conflicted copy).parquet", ".DS_Store", "x.parquet", "0.parquet"):
            (out / ".facesieve" / folder / name).write_bytes(b"not Parquet")
        (out / ".facesieve" / folder / "folder.parquet").mkdir()
    again(heap, out)
    assert files_in(out) == before
    assert (
        rejudge(
            open_manifests(out), by_hand(lambda measures: [Verdict(True)] * len(open_manifests(out).faces))
        ).after.pictures
        == 16
    )


@pytest.mark.parametrize("pattern", ["kept/*/*.png", "marked/*/*.jpg", ".facesieve/thumbs/00000000.parquet"])
def test_a_file_that_vanishes_while_a_build_runs_is_told_and_mended_by_the_next(
    heap: Path, good: Path, tmp_path: Path, pattern: str
) -> None:
    out = tmp_path / "out"

    class Vanishing(Handmade):
        def one(self, source: Source) -> Record:
            found = sorted(out.glob(pattern))
            if len(self.seen) == 12:
                found[0].unlink()
            return super().one(source)

    with pytest.raises(DatasetError) as caught:
        build_dataset(sources_in(heap), out, Vanishing, build_spec(EVERYTHING, shard_size=5))
    assert caught.value.code == "missing_files"
    again(heap, out)
    assert files_in(out) == files_in(good)
    assert check_dataset(out).faults == ()


def test_a_part_of_the_ledger_that_vanishes_while_a_build_runs_is_told_and_mended_by_the_next(
    heap: Path, good: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    class Vanishing(Handmade):
        def one(self, source: Source) -> Record:
            if len(self.seen) == 12:
                (out / ".facesieve" / "parts" / "00000000.parquet").unlink()
            return super().one(source)

    with pytest.raises(DatasetError) as caught:
        build_dataset(sources_in(heap), out, Vanishing, build_spec(EVERYTHING, shard_size=5))
    assert caught.value.code == "ledger_changed"
    assert not (out / "faces.parquet").exists()
    again(heap, out)
    assert files_in(out) == files_in(good)


def test_a_part_that_vanished_between_two_builds_is_told(heap: Path, good: Path, out: Path) -> None:
    parts(out)[1].unlink()
    built = build_dataset(sources_in(heap), out, Handmade, build_spec(EVERYTHING, shard_size=5))
    assert ".facesieve/parts/00000001.parquet" in built.damaged
    assert files_in(out) == files_in(good)


def test_files_whose_pictures_are_not_among_the_sources_stay_told_until_they_are(
    heap: Path, good: Path, out: Path
) -> None:
    crop = next((out / "kept" / "Ada").glob("*.png"))
    crop.unlink()
    some = [source for source in sources_in(heap) if source.label == "Grace"]
    for _ in range(2):
        with pytest.raises(DatasetError, match=crop.name) as caught:
            build_dataset(some, out, Handmade, build_spec(EVERYTHING, shard_size=5))
        assert caught.value.code == "missing_files"
    again(heap, out)
    assert files_in(out) == files_in(good)


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))])
def test_a_part_that_cannot_be_read_for_want_of_memory_is_not_called_damaged(
    heap: Path, out: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def short(self: object, *arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr("pyarrow.parquet.ParquetFile.read", short)
    for command in (again, check):
        with pytest.raises(DatasetError, match="not enough memory") as caught:
            command(heap, out)
        assert caught.value.code == "out_of_memory"


READ = """
import resource, sys
from pathlib import Path
from facesieve.dataset.disk.checksums import checksum_of_file
from facesieve.dataset.disk.parquet import read_table
from facesieve.errors import DatasetError
path = Path(sys.argv[1])
known = frozenset([checksum_of_file(path)])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 2**20,) * 2)
try:
    read_table(path, known=known)
except DatasetError as error:
    print(error.code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a limit on address space")
def test_a_part_larger_than_memory_allows_is_out_of_memory(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["x" * 1000] * 400_000}), tmp_path / "large.parquet", use_dictionary=False)
    done = subprocess.run(
        [sys.executable, "-c", READ, tmp_path / "large.parquet"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("out_of_memory\n", "")


def test_a_folder_where_a_file_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "faces.parquet").mkdir()
    with pytest.raises(DatasetError, match="this is a folder, not a file"):
        read_table(tmp_path / "faces.parquet")


def test_names_that_no_text_or_an_address_could_be_are_names(heap: Path, good: Path, tmp_path: Path) -> None:
    names = [b"faces-10:30", b"s3:bucket", b"d\xff", "Gesichter ü".encode(), b"a%20b?c=d#e"]
    for name in names:
        root = Path(os.fsdecode(name))
        shutil.rmtree(tmp_path / "here", ignore_errors=True)
        (tmp_path / "here").mkdir()
        with contextlib.chdir(tmp_path / "here"):
            again(heap, root)
            again(heap, root)
            sieve(heap, root)
            check(heap, root)
            assert files_in(root) == files_in(good)


def test_a_limit_on_open_files_is_no_damage(heap: Path, out: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, hard))
    try:
        with pytest.raises(DatasetError) as caught:
            open_manifests(out)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(taken[0])
    assert caught.value.code == "cannot_read"
