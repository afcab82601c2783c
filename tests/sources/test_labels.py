"""Which folder is a picture's label."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from drawn import SETTINGS, look, png, put

from facesieve.errors import UsageError
from facesieve.records import Source
from facesieve.sources import LabelFrom, SourceOptions, find_sources


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """person/session/frame.png, and pictures that lie higher."""
    for at, name in enumerate(("anna/2023/1.png", "anna/2024/1.png", "ben/2024/1.png", "ben/portrait.png", "all.png")):
        put(tmp_path / "people" / name, at)
    return tmp_path / "people"


def by_name(root: Path, *arguments: str | Path, **options: object) -> dict[str, str]:
    return {str(Path(s.name).relative_to(root)): s.label for s in look(*arguments, **options).sources}


def test_folder_is_the_folder_that_the_picture_lies_in(people: Path) -> None:
    assert by_name(people, people, label_from="folder") == {
        "all.png": "",
        "anna/2023/1.png": "2023",
        "anna/2024/1.png": "2024",
        "ben/2024/1.png": "2024",
        "ben/portrait.png": "ben",
    }


def test_a_label_that_is_the_name_of_several_folders_is_told(people: Path) -> None:
    told = (
        f"1 label is the name of several folders, such as '2024': {people}/anna/2024, {people}/ben/2024; if these are"
        " not the same people, take the label from a folder above, with --label-from top-folder or folder:2"
    )
    notes = look(people, label_from="folder").notes
    assert [note for note in notes if "several folders" in note] == [told]
    assert look(people / "anna", label_from="folder").notes == []
    assert look(people / "anna" / "2024", people / "ben" / "2024", label_from="folder").notes == [told]
    assert not any("several" in note for note in look(people, label_from="top-folder").notes)
    with zipfile.ZipFile(people.parent / "p.zip", "w") as archive:
        for name in ("x/0/1.png", "y/0/1.png", "y/1/1.png", "z/0/1.png", "z/1/1.png"):
            archive.writestr(name, png(3))
    path = people.parent / "p.zip"
    [note] = look(path, label_from="folder").notes
    assert note.startswith(f"2 labels are the name of several folders, such as '0': {path}!x/0, {path}!y/0, ...; if ")


TOP = {
    "all.png": "",
    "anna/2023/1.png": "anna",
    "anna/2024/1.png": "anna",
    "ben/2024/1.png": "ben",
    "ben/portrait.png": "ben",
}


def test_top_folder_is_the_first_folder_below_the_named_one(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert by_name(people, people, label_from="top-folder") == TOP
    monkeypatch.chdir(people.parent)
    assert list({s.name: s.label for s in look("people", label_from="top-folder").sources}.values()) == list(
        TOP.values()
    )
    monkeypatch.chdir(people)
    assert list({s.name: s.label for s in look(".", label_from="top-folder").sources}.values()) == list(TOP.values())


def test_top_folder_of_a_glob_is_the_folder_that_it_matches(people: Path) -> None:
    assert by_name(people, str(people / "*"), label_from="top-folder") == TOP


def test_top_folder_in_an_archive_is_the_first_folder(people: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in TOP:
            archive.writestr(name, png(0))
    found = look(tmp_path / "a.zip", label_from="top-folder").sources
    assert {s.name.rpartition("!")[2]: s.label for s in found} == TOP


def test_top_folder_of_a_single_file_is_an_error(people: Path) -> None:
    with pytest.raises(UsageError, match="name the folder that holds the labelled folders") as caught:
        look(people / "anna" / "2023" / "1.png", label_from="folder:1")
    assert caught.value.code == "no_top_folder" and caught.value.message.startswith("--label-from folder:1 needs")


@pytest.mark.parametrize("label_from", ["folder", "top-folder"])
@pytest.mark.parametrize("names", [["anna"], ["anna", "ben"], ["anna/", "ben/."], ["*"], ["[ab]*"]])
def test_person_folders_as_arguments_are_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], label_from: str
) -> None:
    put(tmp_path / "anna" / "1.png")
    put(tmp_path / "ben" / "1.png")
    monkeypatch.chdir(tmp_path)
    found = look(*names, label_from=label_from)
    expected = ["anna"] if names == ["anna"] else ["anna", "ben"]
    assert [source.label for source in found.sources] == expected
    assert found.notes == []


def test_a_person_folder_is_a_label_from_within_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(put(tmp_path / "anna" / "1.png").parent)
    assert [source.label for source in look(".", label_from="folder").sources] == ["anna"]


def test_the_dataset_among_the_pictures_does_not_change_a_label(tmp_path: Path) -> None:
    put(tmp_path / "anna" / "1.png")
    (tmp_path / "anna" / "ds" / ".facesieve").mkdir(parents=True)
    (tmp_path / "anna" / "@eaDir").mkdir()
    assert [source.label for source in look(tmp_path / "anna", label_from="folder").sources] == ["anna"]


def test_pictures_without_a_label_are_reported(people: Path) -> None:
    for label_from in ("folder", "top-folder"):
        assert look(people, label_from=label_from).notes[-1] == (
            "1 picture has no label: not in a folder below the named one, or without a label in a list"
        )
    assert look(people).notes == []


def test_pictures_that_a_build_does_not_take_are_not_counted_as_without_a_label(people: Path) -> None:
    def counted(sources: list[Source]) -> list[Source]:
        return [source for source in sources if "all" not in source.name]

    options = SourceOptions("top-folder")
    assert find_sources([people], SETTINGS, options, counted=counted).notes == []


def test_top_folders_that_several_arguments_share_are_reported(people: Path) -> None:
    found = look(people / "anna", people / "ben", label_from="top-folder")
    assert [source.label for source in found.sources] == ["2023", "2024", "2024", "ben"]
    assert found.notes == [
        "labels that several arguments have in common: 2024; if these are not the same people,"
        " name the folder that holds the people's folders instead"
    ]


def test_depth_counts_folders_below_the_named_one(people: Path) -> None:
    assert by_name(people, people, label_from="folder:1") == TOP
    assert by_name(people, people, label_from="folder:2") == {
        "all.png": "",
        "anna/2023/1.png": "2023",
        "anna/2024/1.png": "2024",
        "ben/2024/1.png": "2024",
        "ben/portrait.png": "",
    }
    assert set(by_name(people, people, label_from="folder:9").values()) == {""}


def test_parent_is_another_word_for_folder_and_both_are_recorded_alike(people: Path) -> None:
    assert by_name(people, people, label_from="parent") == by_name(people, people, label_from="folder")
    recorded = {text: LabelFrom.parse(text).text for text in ("none", "parent", "folder", "folder:1", "folder:2")}
    assert recorded == {
        "none": "none",
        "parent": "folder",
        "folder": "folder",
        "folder:1": "top-folder",
        "folder:2": "folder:2",
    }


def test_folders_that_a_shell_made_from_a_star_are_labels_themselves(people: Path) -> None:
    arguments = sorted(people.iterdir())
    assert by_name(people, *arguments, label_from="folder:1") == TOP
    found = look(*arguments, label_from="folder:2")
    assert found.sources[1].label == "2023"
    assert found.notes[0] == (
        f"the arguments are everything in {people}, so depth is counted from there, and 'anna' is the first folder;"
        " for one folder deeper use --label-from folder:3"
    )
    assert sum("depth is counted" in note for note in found.notes) == 1, "once, however many folders there are"


def test_a_pattern_finds_the_label_in_the_path(people: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("carla_1.png", png(0))
    found = look(people, tmp_path / "a.zip", label_from=r"name:(?P<label>[a-z]+)[/_](?:\d+/)?\d\.png$")
    assert [source.label for source in found.sources] == ["", "anna", "anna", "ben", "", "carla"]
    assert found.notes == [f"2 pictures have no label: the pattern does not match the path, such as '{people}/all.png'"]


def test_a_pattern_does_not_change_the_label_of_a_list(people: Path) -> None:
    (people / "l.csv").write_text("path,label\nben/portrait.png,Benedict\nanna/2023/1.png,\n")
    found = look(people / "l.csv", label_from="name:(?P<label>ben|anna)")
    assert [source.label for source in found.sources] == ["Benedict", "anna"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?P<label>[a-z]+", "missing )"),
        ("[a-z]+", "has no group `label`"),
        (r"([a-z])_(?P<label>\d)", "write (?:...) for them"),
        ("(?=a)(?P<label>b)", "invalid perl operator"),
        ("(?P<label>a){1000}" * 60, "more than 1000 characters"),
        ("", "has no group `label`"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_one_sentence(people: Path, pattern: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        look(people, label_from=f"name:{pattern}")
    assert caught.value.code == "bad_label_pattern"
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_pattern_that_backtracks_for_ever_elsewhere_ends_at_once(tmp_path: Path) -> None:
    put(tmp_path / "p" / ("a" * 200 + ".png"))
    [source] = look(tmp_path / "p", label_from="name:(?P<label>(?:a+)+)b$").sources
    assert source.label == ""


def test_labels_that_were_asked_for_and_not_found_are_reported(tmp_path: Path) -> None:
    put(tmp_path / "p" / "1.png")
    (tmp_path / "l.csv").write_text("path,who\np/1.png,\n")
    path = f"{tmp_path}/p/1.png"
    assert look(tmp_path / "p", label_from="name:(?P<label>[|])").notes == [
        "labels were asked for (name:(?P<label>[|])), but no picture has one:"
        f" the pattern does not match the path, such as '{path}'"
    ]
    assert look(tmp_path / "p", label_from="folder:2").notes == [
        "labels were asked for (folder:2), but no picture has one:"
        " not in a folder below the named one, or without a label in a list"
    ]
    assert look(tmp_path / "l.csv", label_column="who").notes == [
        "labels were asked for (who), but no picture has one: the column 'who' of the list is empty there"
    ]


def test_labels_that_differ_only_in_case_are_reported(tmp_path: Path) -> None:
    for name in ("Anna", "anna", "Zoe", "Élan", "e\u0301lan"):
        put(tmp_path / name / "1.png")
    assert look(tmp_path, label_from="folder").notes == [
        "labels that differ only in upper and lower case: 'Anna', 'anna'; they are 2 labels",
        "labels that differ only in upper and lower case: 'élan', 'Élan'; they are 2 labels",
    ]
