"""The command line, called as a user calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from facesieve.cli import main

Answer = tuple[int, str, str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """`run("build", ...)` gives exit status, stdout and stderr."""

    def facesieve(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["facesieve", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return facesieve
