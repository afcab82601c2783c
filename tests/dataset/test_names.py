from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesieve.dataset.disk.names import MAX_NAME_BYTES, label_folder, normalized_text
from facesieve.dataset.disk.picture_names import marked_name


@pytest.mark.parametrize("label", ["Ada", "Ada Lovelace", "Зоя", "李明", "o'Neil", "v1.2", "Val Kilmer", "a-b_c"])
def test_an_ordinary_label_is_its_own_folder(label: str) -> None:
    assert label_folder(label) == label


@pytest.mark.parametrize(
    "label",
    [
        "..",
        ".",
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        ".hidden",
        "a\x00b",
        "a\nb",
        "CON",
        "nul.png",
        "com1",
        "x" * 101,
        "a.",
        "a ",
        " a",
        "a:b",
        "\u202egnp",
        "unlabelled",
        "Unlabelled",
        "metadata.parquet",
        "Metadata.Parquet",
        "metadata.csv",
        "metadata.jsonl",
        "train",
        "test_1",
        "my-val",
        "\udcff",
        "é" * 60,
    ],
)
def test_a_label_that_is_not_a_safe_name_gets_a_folder_with_a_digest(label: str) -> None:
    folder = label_folder(label)
    assert folder != label
    assert folder[-9] == "-"


def test_faces_without_a_label_share_one_folder() -> None:
    assert label_folder("") == "unlabelled"


def test_composed_and_decomposed_letters_are_one_label() -> None:
    assert label_folder(unicodedata.normalize("NFD", "Zoé")) == label_folder("Zoé") == "Zoé"


NAMES = st.text(st.characters(codec=None), max_size=120)


@given(NAMES)
def test_a_folder_is_always_one_safe_component(label: str) -> None:
    folder = label_folder(label)
    assert 0 < len(folder.encode()) <= MAX_NAME_BYTES
    assert not set(folder) & set('/\\\x00:*?"<>|\n\r\t')
    assert folder[0] not in ". " and folder[-1] not in ". "
    assert folder == label_folder(label)


@given(st.lists(NAMES, max_size=8), NAMES)
def test_two_labels_never_share_a_folder(labels: list[str], label: str) -> None:
    chosen = {
        normalized_text(one) for one in [*labels, label, label_folder(label), label.replace("/", "_"), label + "/"]
    }
    assert len({label_folder(one) for one in chosen}) == len(chosen)


def test_a_marked_picture_keeps_its_own_name() -> None:
    name = marked_name("Ada", "heap.zip!a/b/holiday photo.jpeg", "0123456789abcdef")
    assert name == "marked/Ada/holiday photo.01234567.jpg"
    assert marked_name("", "/x/.png", "0123456789abcdef") == "marked/unlabelled/picture.01234567.jpg"
