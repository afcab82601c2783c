"""A copy of the picture with every face's box, points and numbers drawn: kept in blue, rejected in magenta."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from facesieve.records import Face, Pixels

BLUE = (0, 0, 255)
MAGENTA = (255, 0, 255)
WHITE = (255, 255, 255)
LINE = 1.6  # height of one line of text, in heights of a capital letter


def mark(pixels: Pixels, faces: Sequence[Face]) -> Pixels:
    """A (H, W, 3) uint8 RGB copy with the faces drawn on it; the input is left as it is."""
    canvas = np.ascontiguousarray(pixels).copy()
    thick = max(1, round(max(canvas.shape[:2]) / 400))
    for face in faces:
        _draw(canvas, face, thick)
    return canvas


def _draw(canvas: Pixels, face: Face, thick: int) -> None:
    colour = BLUE if face.verdict.kept else MAGENTA
    x, y, w, h = (round(value) for value in face.box)
    # A box may reach beyond the picture; clipped to it, all four sides show.
    left, right = (min(max(at, 0), canvas.shape[1] - 1) for at in (x, x + w))
    top, bottom = (min(max(at, 0), canvas.shape[0] - 1) for at in (y, y + h))
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, thick)
    for point in np.rint(face.landmarks).astype(int):
        cv2.circle(canvas, (int(point[0]), int(point[1])), thick, colour, -1)
    _write(canvas, _numbers(face), left, top, bottom, colour, thick)


def _numbers(face: Face) -> list[str]:
    measures = face.measures
    lines = [f"{face.confidence:.3f}"]
    if not np.isnan(measures.get("blur", np.nan)):
        lines[0] += f" blur {measures['blur']:.0f}"
    angles = [measures.get(name, np.nan) for name in ("pitch", "yaw", "roll")]
    if not np.isnan(angles).any():
        lines.append("p{:+.0f} y{:+.0f} r{:+.0f}".format(*angles))
    return lines


def _write(
    canvas: Pixels, lines: list[str], x: int, top: int, bottom: int, colour: tuple[int, int, int], thick: int
) -> None:
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick
    sizes = [cv2.getTextSize(line, font, scale, thick)[0] for line in lines]
    step = round(max(size[1] for size in sizes) * LINE)
    width, height = max(size[0] for size in sizes), step * len(lines)
    above = top - height >= 0
    y = top - height if above else min(bottom, canvas.shape[0] - height)
    x = int(np.clip(x, 0, max(0, canvas.shape[1] - width)))
    cv2.rectangle(canvas, (x, y), (x + width, y + height), colour, -1)
    for index, line in enumerate(lines):
        baseline = y + step * (index + 1) - round(step * 0.25)
        cv2.putText(canvas, line, (x, baseline), font, scale, WHITE, thick, cv2.LINE_AA)
