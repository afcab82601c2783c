"""Whether every file of a dataset is whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import pyarrow.parquet as pq

from handmade import files_in


def assert_whole(dataset: Path) -> None:
    for name in files_in(dataset):
        path = dataset / name
        if path.suffix == ".parquet":
            pq.read_table(path)
        elif path.suffix in (".png", ".jpg"):
            assert cv2.imread(str(path)) is not None, f"{name} is half a file"
