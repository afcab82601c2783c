"""What a real S3 server holds, found as sources."""

from __future__ import annotations

import time

import pytest
from s3_server import S3Server

from facesieve.errors import UsageError
from facesieve.settings import Settings
from facesieve.sources import Found, SourceOptions, find_sources
from facesieve.sources.remote.prefetch import UrlPrefetch


def found(*arguments: str, label_from: str = "none", include_hidden: bool = False) -> Found:
    return find_sources(arguments, Settings(), SourceOptions(label_from=label_from, include_hidden=include_hidden))


def labels(folder: str, result: Found) -> dict[str, str]:
    return {source.identity.decode().removeprefix(folder): source.label for source in result.sources}


def error(*arguments: str, label_from: str = "none") -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        found(*arguments, label_from=label_from)
    return caught.value.code, caught.value.message


PEOPLE = ["a.jpg", "ada/1.jpg", "ada/day 1/2.jpg", "grace/100%.jpg", "grace/new\nline 😀.jpg"]


def test_a_folder_has_all_objects_below_it_in_the_order_of_their_keys(s3: S3Server) -> None:
    folder = s3.folder(dict.fromkeys(reversed(PEOPLE), b"1"))
    sources = found(folder).sources
    assert [source.identity.decode() for source in sources] == [folder + key for key in PEOPLE]
    assert sources[-1].name == f"{folder}grace/new\\nline 😀.jpg"
    assert {source.fingerprint for source in sources} == {"1-c4ca4238a0b923820dcc509a6f75849b"}
    for source in UrlPrefetch(Settings())(sources):
        assert source.open
        with source.open() as stream:
            assert stream.read() == b"1"


def test_a_name_that_only_begins_like_the_folder_is_not_in_it(s3: S3Server) -> None:
    folder = s3.folder({"ada/1.jpg": b"1", "adams/1.jpg": b"1"})
    assert labels(folder, found(f"{folder}ada/")) == labels(folder, found(f"{folder}ada")) == {"ada/1.jpg": ""}


def test_a_url_without_a_slash_at_its_end_is_an_object_if_there_is_one(s3: S3Server) -> None:
    folder = s3.folder({"ada.jpg": b"1"})
    assert labels(folder, found(f"{folder}ada.jpg")) == {"ada.jpg": ""}
    assert found(f"{folder}ada.jpg").sources == found(folder).sources


def test_labels_are_folders_of_keys(s3: S3Server) -> None:
    folder = s3.folder(dict.fromkeys(PEOPLE, b"1"))
    inner = dict(zip(PEOPLE, ["", "ada", "day 1", "grace", "grace"], strict=True))
    assert labels(folder, found(folder, label_from="folder")) == inner
    top = dict(zip(PEOPLE, ["", "ada", "ada", "grace", "grace"], strict=True))
    assert labels(folder, found(folder, label_from="top-folder")) == top
    two = found(f"{folder}ada/", f"{folder}grace", label_from="folder")
    assert labels(folder, two) == {key: label for key, label in inner.items() if label}
    assert labels(folder, found(f"{folder}ada/1.jpg", label_from="folder")) == {"ada/1.jpg": "ada"}
    assert error(f"{folder}ada/1.jpg", label_from="top-folder")[0] == "no_top_folder"


def test_depth_and_patterns_label_objects_as_they_label_files(s3: S3Server) -> None:
    folder = s3.folder(dict.fromkeys(PEOPLE, b"1"))
    depths = {
        "parent": ["", "ada", "day 1", "grace", "grace"],
        "folder:1": ["", "ada", "ada", "grace", "grace"],
        "folder:2": ["", "", "day 1", "", ""],
        "folder:3": ["", "", "", "", ""],
        r"name:/(?P<label>[a-z]+)/[^/]*\.jpg$": ["", "ada", "", "grace", "grace"],
        r"name:(?P<label>\d+%?)\.jpg$": ["", "1", "2", "100%", ""],
    }
    for label_from, expected in depths.items():
        result = found(folder, label_from=label_from)
        assert labels(folder, result) == dict(zip(PEOPLE, expected, strict=True)), label_from
        without = expected.count("")
        assert any(f"{without} pictures have no label" in note for note in result.notes) == (1 < without < 5)
        assert any("but no picture has one" in note for note in result.notes) == (without == 5)
    two = found(f"{folder}ada/", f"{folder}grace", label_from="folder:1")
    assert labels(folder, two) == dict(zip(PEOPLE[1:], ["ada", "day 1", "grace", "grace"], strict=True))
    one = f"{folder}ada/1.jpg"
    assert labels(folder, found(one, label_from="parent")) == {"ada/1.jpg": "ada"}
    assert labels(folder, found(one, label_from="name:(?P<label>[a-z]+)/1")) == {"ada/1.jpg": "ada"}
    code, message = error(one, label_from="folder:2")
    assert code == "no_top_folder" and message.startswith("--label-from folder:2 needs folders or archives")
    assert error(folder, label_from="name:[")[0] == "bad_label_pattern"


def test_what_is_no_picture_is_left_out_and_counted_as_in_a_folder(s3: S3Server) -> None:
    keys = [".hidden/a.jpg", ".hidden/b.jpg", "@eaDir/c.jpg", "notes.txt", "Thumbs.db", "old.zip", "d.jpg", "marker/"]
    folder = s3.folder({key: b"" if key == "marker/" else b"1" for key in keys})
    dataset = s3.folder({"kept/e.jpg": b"1", "dataset.json": b"{}", "faces.parquet": b"1"})
    result = found(folder)
    assert labels(folder, result) == {"d.jpg": ""}
    assert result.left_out.plain() == {"datasets": 0, "system_folders": 1, "hidden": 1, "other_files": 2, "archives": 1}
    assert result.notes == []
    assert len(found(folder, include_hidden=True).sources) == 4
    assert error(dataset) == (
        "empty_source",
        f"There are no pictures in '{dataset}'; left out: 1 dataset made by FaceSieve.",
    )


def test_more_objects_than_one_page_holds_are_all_found(s3: S3Server) -> None:
    folder = s3.folder({f"{number:04}.jpg": b"1" for number in range(1001)})
    sources = found(folder).sources
    assert len(sources) == len({source.identity for source in sources}) == 1001


@pytest.mark.slow
def test_ten_thousand_objects_are_found_in_order(s3: S3Server) -> None:
    keys = [f"{number % 100:02}/{number:05}.jpg" for number in range(10_000)]
    folder = s3.folder(dict.fromkeys(keys, b"1"))
    begun = time.monotonic()
    sources = found(folder, label_from="folder").sources
    print(f"10,000 objects were listed in {time.monotonic() - begun:.2f} s")
    assert [source.identity.decode() for source in sources] == sorted(folder + key for key in keys)
    assert {source.label for source in sources} == {f"{number:02}" for number in range(100)}


def test_what_is_not_there_is_one_sentence(s3: S3Server) -> None:
    folder = s3.folder()
    assert error(folder) == ("empty_source", f"There are no pictures in '{folder}'.")
    missing = f"There is no object or folder '{folder}a*.jpg'; buckets take no globs."
    assert error(f"{folder}a*.jpg") == ("missing_source", missing)
    for url in ("s3://no-such-bucket/people/", "s3://no-such-bucket", "s3://no-such-bucket/people"):
        said = f"{url} cannot be read: The host answered with status 404 (Not Found, NoSuchBucket)."
        assert error(url) == ("unreadable_source", said.replace("bucket cannot", "bucket/ cannot"))
    assert error("s3://")[1] == "s3:// cannot be read: The URL names no bucket."


def test_lists_and_archives_in_a_bucket_are_one_sentence(s3: S3Server) -> None:
    folder = s3.folder({"list.csv": b"path", "old.tar.gz": b"1"})
    for name, kind in (("list.csv", "a list"), ("old.tar.gz", "an archive")):
        message = (
            f"{folder}{name} is named like {kind}, which is not opened in a bucket; download it and name the file."
        )
        assert error(f"{folder}{name}") == ("unreadable_source", message)


def test_a_user_who_may_not_list_is_told_so_and_may_still_name_an_object(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = s3.folder({"a.jpg": b"1"})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    said = "The host answered with status 403 (Forbidden, AccessDenied)."
    assert error(folder) == ("unreadable_source", f"{folder} cannot be read: {said}")
    assert labels(folder, found(f"{folder}a.jpg")) == {"a.jpg": ""}


def test_wrong_and_missing_credentials_are_one_sentence(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = s3.folder({"a.jpg": b"1"})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    said = "The host answered with status 403 (Forbidden, SignatureDoesNotMatch)."
    assert error(folder) == ("unreadable_source", f"{folder} cannot be read: {said}")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "No credentials were found; set AWS_ACCESS_KEY_ID" in error(folder)[1]
