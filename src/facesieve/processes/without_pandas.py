"""Keeps pandas out of the processes of the command: importing it takes 0.1 s, and nothing here uses it.

pyarrow imports pandas, if it is installed, when it makes its first array. Programs that use FaceSieve as a library must
not import this module, because their own tables may need pandas.
"""

from __future__ import annotations

import sys
from typing import Any


class _Refusal:
    """A finder of modules that makes `import pandas` fail as if it were not installed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("The command does not use pandas.", name=name)


sys.meta_path.insert(0, _Refusal())
