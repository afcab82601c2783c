"""Log lines to descriptors of every kind: lines that cannot be written are dropped and counted, and nothing waits."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from facesieve.service.line_writer import LineWriter


def test_lines_are_written_in_order_and_whole(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        lines = LineWriter(file.fileno())
        for number in range(1000):
            lines.write(f"{number} é\n")
        lines.close(5)
    assert (tmp_path / "log").read_text(encoding="utf-8").splitlines() == [f"{number} é" for number in range(1000)]
    assert lines.dropped == 0


def test_a_pipe_that_nobody_reads_makes_nobody_wait_and_what_does_not_fit_is_counted() -> None:
    reader, writer = os.pipe()
    lines = LineWriter(writer)
    started = time.monotonic()
    for _ in range(10_000):
        lines.write("x" * 999 + "\n")
    assert time.monotonic() - started < 5
    # 64 KiB are in the pipe and 4 MiB in the queue.
    assert 5_000 < lines.dropped < 6_000
    started = time.monotonic()
    lines.close(0.2)
    assert time.monotonic() - started < 2
    os.close(reader)  # ends the write that hangs


def test_a_reader_that_comes_late_gets_what_was_kept() -> None:
    reader, writer = os.pipe()
    lines = LineWriter(writer)
    for _ in range(200):
        lines.write("x" * 999 + "\n")
    time.sleep(0.1)
    received = b""
    while len(received) < 200_000:
        received += os.read(reader, 1 << 16)
    lines.close(5)
    assert (len(received), lines.dropped) == (200_000, 0)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("kind", ["gone", "full", "closed"])
def test_a_line_that_cannot_be_written_is_dropped_and_counted(kind: str) -> None:
    if kind == "full":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    lines = LineWriter(os.dup(descriptor))
    if kind == "closed":
        os.close(lines._descriptor)
    for _ in range(10):
        lines.write("a line\n")
    lines.close(5)
    assert lines.dropped == 10
    lines.write("after the end\n")
    assert lines.dropped == 11
    os.close(descriptor)


def test_a_descriptor_that_another_program_made_non_blocking_loses_no_line() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    lines = LineWriter(writer)
    for _ in range(300):
        lines.write("x" * 999 + "\n")
    received = b""
    while len(received) < 300_000:
        received += os.read(reader, 1 << 16)
    lines.close(5)
    assert lines.dropped == 0
    os.close(reader)
    os.close(writer)


def test_after_a_part_of_a_line_the_next_begins_on_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, room = os.write, [5]

    def write(descriptor: int, data: bytes) -> int:
        """A disk with room for five bytes more, and then with enough."""
        if room[0] == 0:
            room[0] = 1000
            raise OSError(28, "No space left on device")
        count = real(descriptor, bytes(data[: room[0]]))
        room[0] -= count
        return count

    with (tmp_path / "log").open("wb") as file:
        monkeypatch.setattr("facesieve.service.line_writer.os.write", write)
        lines = LineWriter(file.fileno())
        lines.write("the first line\n")
        lines.write("the second line\n")
        lines.close(5)
    assert ((tmp_path / "log").read_text(), lines.dropped) == ("the f\nthe second line\n", 1)
