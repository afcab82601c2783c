from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from facesieve.cli import progress
from facesieve.run.progress import Progress


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_display(quiet=True) as watch:
        watch(Progress(total=2, done=2))
    assert capsys.readouterr() == ("", "")


def test_away_from_a_terminal_the_first_the_last_and_one_line_every_few_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.progress_display(quiet=False) as watch:
        for done in range(13):
            now[0] = 2.0 * done
            watch(Progress(total=12, already=3, done=done, refused=1, kept=done, rejected=2))
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(",")[0] for line in err.splitlines()] == [f"{done}/12 pictures" for done in (0, 3, 6, 9, 12)]
    assert err.splitlines()[1] == ("3/12 pictures, 3 already there, 0.5/s, 0:00:18 left, 3 kept, 2 rejected, 1 refused")
    assert err.splitlines()[-1].endswith(", 12 kept, 2 rejected, 1 refused (before pictures and faces are compared)")


def test_on_a_terminal_a_bar_shows_rate_and_running_counts() -> None:
    code = (
        "from facesieve.cli.progress import progress_display; from facesieve.run.progress import Progress\n"
        "with progress_display(False) as watch: [watch(Progress(8, done=n, kept=n, refused=1)) for n in range(9)]"
    )
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True, env=env)
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    assert "8/8" in seen and "/s" in seen and "8 kept, 0 rejected, 1 refused" in seen


def test_a_long_clip_shows_its_frames_and_the_time_left() -> None:
    reading = Progress(total=2, frames=300, share=0.5)
    assert progress.line(reading, 0.01) == (
        "0/2 pictures, 0.0/s, 0:02:30 left, 0 kept, 0 rejected, 0 refused, 300 frames of clips"
    )
