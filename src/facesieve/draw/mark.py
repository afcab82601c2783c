"""Draws the box, landmarks and numbers of every face on a copy of the picture: kept in blue, rejected in magenta."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facesieve.draw.text_positions import Rectangle, text_positions
from facesieve.records import ANGLES, Face, Pixels

BLUE = (0, 0, 255)
MAGENTA = (255, 0, 255)
WHITE = (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
LINE = 1.6  # height of a line of text, in heights of a capital letter
SMALLEST = 0.3  # font scale at which digits can still be read


def mark(pixels: Pixels, faces: Sequence[Face], lines: Callable[[Face], list[str]] | None = None) -> Pixels:
    """Return a (H, W, 3) uint8 RGB copy with the faces drawn on it.

    lines: what is written beside a face; None writes its numbers. The text of a face is as wide as the face, unless it
    would be too small to read. It is placed where it covers no other face and no other text, as far as there is room.
    """
    canvas = np.ascontiguousarray(pixels).copy()
    height, width = canvas.shape[:2]
    boxes = [_clipped(face.box, width, height) for face in faces]
    texts = [_text((lines or _numbers)(face), box, max(height, width)) for face, box in zip(faces, boxes, strict=True)]
    for face, box, text in zip(faces, boxes, texts, strict=True):
        _outline(canvas, face, box, text.thick)
    positions = text_positions(boxes, [text.size for text in texts], (width, height))
    for face, text, position in zip(faces, texts, positions, strict=True):
        _write(canvas, text, position, _colour(face))
    return canvas


@dataclass(frozen=True, slots=True)
class _Text:
    """The numbers of a face as lines of text.

    scale: of the font. stroke: width of its strokes. step: height of a line. size: width and height of the text.
    thick: width of the lines around the face. All but the scale are in pixels.
    """

    lines: list[str]
    scale: float
    stroke: int
    step: int
    size: tuple[int, int]
    thick: int


def _clipped(box: tuple[float, float, float, float], width: int, height: int) -> Rectangle:
    """The box clipped to the picture, so that all four sides are visible."""
    x, y, w, h = (round(value) for value in box)
    left, right = (min(max(at, 0), width - 1) for at in (x, x + w))
    top, bottom = (min(max(at, 0), height - 1) for at in (y, y + h))
    return left, top, right, bottom


def _colour(face: Face) -> tuple[int, int, int]:
    return BLUE if face.verdict.kept else MAGENTA


def _outline(canvas: Pixels, face: Face, box: Rectangle, thick: int) -> None:
    left, top, right, bottom = box
    cv2.rectangle(canvas, (left, top), (right, bottom), _colour(face), thick)
    for point in np.rint(face.landmarks).astype(int):
        cv2.circle(canvas, (int(point[0]), int(point[1])), thick, _colour(face), -1)


def _numbers(face: Face) -> list[str]:
    measures = face.measures
    lines = [f"{face.confidence:.3f}"]
    if not np.isnan(measures.get("blur", np.nan)):
        lines[0] += f" blur {measures['blur']:.0f}"
    angles = [measures.get(name, np.nan) for name in ANGLES]
    if not np.isnan(angles).any():
        lines.append("p{:+.0f} y{:+.0f} r{:+.0f}".format(*angles))
    return lines


def _text(lines: list[str], box: Rectangle, side: int) -> _Text:
    """The text of a face, scaled to its width. side: the longer side of the picture, which limits the scale."""
    wide = box[2] - box[0]
    widest = max(cv2.getTextSize(line, FONT, 1.0, 1)[0][0] for line in lines)
    scale = min(max(wide / widest, SMALLEST), max(SMALLEST, side / 1000))
    stroke = max(1, round(scale * 1.5))
    sizes = [cv2.getTextSize(line, FONT, scale, stroke)[0] for line in lines]
    step = round(max(size[1] for size in sizes) * LINE)
    thick = max(1, round(min(side / 400, wide / 40)))
    return _Text(lines, scale, stroke, step, (max(size[0] for size in sizes) + 2, step * len(lines)), thick)


def _write(canvas: Pixels, text: _Text, position: Rectangle, colour: tuple[int, int, int]) -> None:
    left, top, right, bottom = position
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, -1)
    for index, line in enumerate(text.lines):
        baseline = top + text.step * (index + 1) - round(text.step * 0.25)
        cv2.putText(canvas, line, (left + 1, baseline), FONT, text.scale, WHITE, text.stroke, cv2.LINE_AA)
