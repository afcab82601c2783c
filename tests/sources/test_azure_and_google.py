"""Pictures in real servers of Azure Blob Storage and Google Cloud Storage, found and fetched with their exact keys."""

from __future__ import annotations

from typing import Any

import pytest
from azure_server import AzureServer
from google_server import GoogleServer

from facesieve.errors import UsageError
from facesieve.records import Source
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, find_sources
from facesieve.sources.openers import RefusedOpener
from facesieve.sources.remote.prefetch import UrlPrefetch
from facesieve.sources.remote.remote import from_url

KEYS = [
    "%20.jpg",
    "/lead.jpg",
    "100%.jpg",
    "a b+c.jpg",
    "a&b<c>\"'.jpg",
    "a//b.jpg",
    "new\nline.jpg",
    "é.jpg",
    "😀?#.jpg",
]

Server = AzureServer | GoogleServer


@pytest.fixture(params=["azure", "google"])
def server(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    return server


def found(*arguments: str, **given: Any) -> list[Source]:
    return find_sources(arguments, Settings(fetch_tries=1), SourceOptions(**given)).sources


def fetched(sources: list[Source]) -> list[bytes]:
    read = []
    for source in UrlPrefetch(Settings(fetch_tries=1))(sources):
        assert source.open
        with source.open() as stream:
            read.append(stream.read())
    return read


def test_a_folder_has_all_objects_with_their_exact_keys_and_bytes(server: Server) -> None:
    folder = server.folder()
    for key in KEYS:
        server.put(folder + key, key.encode())
    sources = found(folder)
    keys = [source.identity.decode().removeprefix(folder) for source in sources]
    assert sorted(keys) == sorted(KEYS)
    assert fetched(sources) == [key.encode() for key in keys]
    assert all(source.fingerprint.partition("-")[2] for source in sources), "the fingerprint has the tag of the object"


def test_the_fingerprint_of_a_listed_object_is_that_of_the_same_object_alone(server: Server) -> None:
    folder = server.folder()
    server.put(f"{folder}ada/1.jpg", b"one")
    [listed], [named] = found(folder, label_from="folder"), found(f"{folder}ada/1.jpg", label_from="folder")
    assert (listed, listed.label) == (named, "ada")
    server.put(f"{folder}ada/1.jpg", b"two")
    assert found(folder)[0].fingerprint != listed.fingerprint


def test_what_is_not_there_is_one_sentence(server: Server) -> None:
    folder = server.folder()
    for url, said in (
        (f"{folder}none.jpg", f"There is no object or folder '{folder}none.jpg'; buckets take no globs."),
        (folder, f"There are no pictures in '{folder}'."),
        (folder.replace("photos", "no-such-place"), "cannot be read: The host answered with status "),
    ):
        with pytest.raises(UsageError) as caught:
            found(url)
        assert said in caught.value.message


def test_an_object_that_is_gone_when_it_is_fetched_is_refused(server: Server) -> None:
    gone = from_url(f"{server.folder()}gone.jpg", "", Settings())
    [source] = UrlPrefetch(Settings(fetch_tries=1))([gone])
    assert isinstance(source.open, RefusedOpener)
    assert source.open.message.startswith("The host answered with status 404 (Not Found")
