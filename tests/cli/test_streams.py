"""Standard streams that are closed, gone, full, unread or of a small encoding: the work is done all the same."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

FACESIEVE = f"{shlex.quote(sys.executable)} -m facesieve"
PERSON = "山田 é"


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a command in which `facesieve` is ours."""
    script = f'facesieve() {{ {FACESIEVE} "$@"; }}; {command}'
    return subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        cwd=folder,
        env=os.environ | environment,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """A folder with one photo of one person, and the dataset made of it."""
    folder = tmp_path_factory.mktemp("streams")
    (folder / "photos" / PERSON).mkdir(parents=True)
    (folder / "photos" / PERSON / "1.png").write_bytes(astronaut.read_bytes())
    done = shell("facesieve build photos -o dataset --label-from folder --setting pose=geometric -q", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("streams", "status", "said"),
    [
        ("2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        ("2> >(true)", 0, ""),
        (">&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        ("> >(true)", 0, ""),
        (">/dev/full", 2, "error: Cannot write to standard output: No space left on device. [cannot_write]"),
        (">/dev/full 2>/dev/full", 2, ""),
        (">/dev/full 2>&-", 2, ""),
    ],
)
def test_a_build_ends_well_whatever_its_streams_are(
    folder: Path, tmp_path: Path, streams: str, status: int, said: str
) -> None:
    done = shell(f"facesieve build photos -o {tmp_path}/out --setting pose=none {streams}", folder)
    assert done.returncode == status
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert (done.stderr.splitlines() or [""])[-1].startswith(said)
    about = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert about["counts"]["pictures"] == 1
    assert pq.read_table(tmp_path / "out" / "faces.parquet").num_rows > 0
    assert (tmp_path / "out" / "contact_sheet.html").is_file()


def test_a_build_without_standard_error_writes_nothing_of_it_into_its_files(folder: Path, tmp_path: Path) -> None:
    shell(f"facesieve build photos -o {tmp_path}/with --setting pose=none", folder)
    shell(f"facesieve build photos -o {tmp_path}/without --setting pose=none <&- >&- 2>&-", folder)
    for name in ("faces.parquet", "pictures.parquet", "contact_sheet.html"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


@pytest.mark.parametrize(
    "command", ["settings", "doctor", "models list", "--version", "--help", "explain dataset {face}", "sieve dataset"]
)
def test_no_command_ends_in_a_traceback_whatever_its_streams_are(folder: Path, command: str) -> None:
    (face, *_) = pq.read_table(folder / "dataset" / "faces.parquet")["face_id"].to_pylist()
    command = command.format(face=face)
    for streams, status in ((">&-", 0), ("> >(true)", 0), (">/dev/full", 2), ("2>&-", 0)):
        done = shell(f"facesieve {command} {streams}", folder)
        assert (done.returncode, done.stderr.count("\n")) == (status, int(status > 0)), (streams, done.stderr)
        assert done.stderr.endswith("[cannot_write]\n" if status else "")


def test_an_error_keeps_its_exit_status_without_a_standard_error(folder: Path) -> None:
    assert shell("facesieve explain nowhere ab 2>&-", folder).returncode == 2
    assert shell("facesieve explain nowhere ab 2>/dev/full", folder).returncode == 2
    assert shell("facesieve --nope 2>&-", folder).returncode == 2


def test_a_build_whose_messages_nobody_reads_is_not_held_up(folder: Path, tmp_path: Path) -> None:
    """The pipe is full from the start, as after hours of progress lines."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    command = [sys.executable, "-m", "facesieve", "build", "photos", "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--setting", "pose=none"], cwd=folder, stdout=subprocess.PIPE, stderr=writer, timeout=60, check=False
    )
    os.close(reader)
    os.close(writer)
    assert done.returncode == 0 and done.stdout.startswith(b"look at ")


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"PYTHONIOENCODING": "cp1252"}, "\\u5c71\\u7530 \udce9"),
        ({"PYTHONIOENCODING": "utf-16-le"}, None),
        ({"PYTHONIOENCODING": "ascii"}, None),
        ({"PYTHONUTF8": "0", "LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, None),
        ({"PYTHONUTF8": "0", "LC_ALL": "C.utf8"}, PERSON),
    ],
)
def test_what_the_encoding_of_the_output_lacks_is_escaped(
    folder: Path, environment: dict[str, str], name: str | None
) -> None:
    (face, *_) = pq.read_table(folder / "dataset" / "faces.parquet")["face_id"].to_pylist()
    done = shell(f"facesieve explain dataset {face}", folder, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert name is None or name in done.stdout
    done = shell(f"facesieve explain dataset {face} --json", folder, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    if "16" not in environment.get("PYTHONIOENCODING", ""):
        assert PERSON in json.dumps(json.loads(done.stdout), ensure_ascii=False)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_build_of_names_that_the_encoding_lacks_says_what_it_did(folder: Path, tmp_path: Path, encoding: str) -> None:
    done = shell(f"facesieve build photos -o '{tmp_path}/山田' --setting pose=none", folder, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1].startswith("pictures: 1 = 1 read")
    done = shell("facesieve explain 山田 ab", folder, PYTHONIOENCODING=encoding)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
