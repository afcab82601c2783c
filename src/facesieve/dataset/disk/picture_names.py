"""The names of the picture files that a build writes: crops, marked pictures, and members of tar files."""

from __future__ import annotations

import re

from facesieve.dataset.disk.names import label_folder, normalized_text, safe_name


def crop_name(label: str, face_id: str, kept: bool) -> str:
    """The name of the aligned crop of a face, relative to the root."""
    return f"{'kept' if kept else 'rejected'}/{label_folder(label)}/{face_id}.png"


def cut_name(what: str, label: str, face_id: str) -> str:
    """The name of an unaligned crop of a face, relative to the root. what: `face` or `head`."""
    return f"crops/{what}/{label_folder(label)}/{face_id}.jpg"


def member_name(label: str, face_id: str, what: str = "") -> str:
    """The name of a crop in a tar file. what: `face` or `head` for an unaligned crop, "" for the aligned one."""
    return f"{label_folder(label)}/{face_id}{f'.{what}.jpg' if what else '.png'}"


def member_beside(crop: str, what: str) -> str:
    """The name of another crop of the same face in a tar file. crop: the name of the aligned one.

    >>> member_beside("Ada/00.png", ""), member_beside("Ada/00.png", "head")
    ('Ada/00.png', 'Ada/00.head.jpg')
    """
    return f"{crop.removesuffix('.png')}.{what}.jpg" if what else crop


def marked_name(label: str, source: str, picture_id: str) -> str:
    """The name of the marked copy of a picture, relative to the root.

    It has the file name of the picture and eight digits of its sha256.
    """
    return f"{_marked_stem(label, source, picture_id)}.jpg"


def marked_clip_name(label: str, source: str, picture_id: str) -> str:
    """The name of the marked copy of a clip, relative to the root; like `marked_name`."""
    return f"{_marked_stem(label, source, picture_id)}.webm"


def _marked_stem(label: str, source: str, picture_id: str) -> str:
    stem = safe_name(re.split(r"[/\\!]", normalized_text(source))[-1].rpartition(".")[0] or "picture")
    return f"marked/{label_folder(label)}/{stem}.{picture_id[:8]}"
