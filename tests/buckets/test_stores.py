"""Requests to stores: exact keys, and the credentials and endpoints of the user. Nothing is sent."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from facesieve.buckets import ABSENT, BucketUrl, Store, Stores, check_installed
from facesieve.errors import Refused, UsageError

ODD_KEYS = [
    "plain.jpg",
    "a//b.jpg",
    "/lead.jpg",
    "../up.jpg",
    "100%.jpg",
    "%20.jpg",
    "a b+c.jpg",
    "n\nl.jpg",
    "😀?#\\.jpg",
]


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable, file or metadata service of this machine has credentials."""
    import os

    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "STORAGE_EMULATOR", "CLOUDSDK_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def store(text: str) -> Store:
    return Stores().of(BucketUrl.parse(text))


def refused(text: str) -> str:
    with pytest.raises(Refused) as caught:
        store(text).request("key.jpg")
    assert caught.value.code.value == "fetch_failed"
    return caught.value.message


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_request_to_s3_asks_for_exactly_the_key_and_is_signed(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    url = urlsplit(store("s3://bucket/").request(key).url)
    assert (url.netloc, unquote(url.path)) == ("127.0.0.1:9000", f"/bucket/{key}")
    assert parse_qs(url.query)["X-Amz-Credential"][0].startswith("key/")


@pytest.mark.usefixtures("aws")
def test_s3_is_asked_in_the_users_region_until_it_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    s3 = store("s3://bucket/")
    assert "%2Feu-central-1%2Fs3%2F" in s3.request("k").url
    assert s3.learn({"x-amz-bucket-region": "ap-south-1"})
    assert "%2Fap-south-1%2Fs3%2F" in s3.request("k").url
    assert not s3.learn({"x-amz-bucket-region": "ap-south-1"})
    assert not s3.learn({})


def test_s3_takes_credentials_and_endpoint_of_a_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[work]\naws_access_key_id = mine\naws_secret_access_key = s\n")
    (tmp_path / ".aws" / "config").write_text("[profile work]\nendpoint_url = http://minio:9000\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    url = store("s3://bucket/").request("k").url
    assert url.startswith("http://minio:9000/bucket/k?") and "Credential=mine%2F" in url and "%2Feu-west-3%2F" in url


def test_without_credentials_requests_to_s3_are_not_signed_and_a_hint_says_what_to_set() -> None:
    s3 = store("s3://bucket/")
    assert "?" not in s3.request("k").url
    assert "AWS_ACCESS_KEY_ID" in s3.hint


def test_wrong_settings_for_s3_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert refused("s3://bucket/") == (
        "The settings or credentials for S3 cannot be used: The config profile (nobody) could not be found."
    )
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no url")
    assert refused("s3://bucket/") == "The settings or credentials for S3 cannot be used: Invalid endpoint: no url."


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_request_to_google_asks_for_exactly_the_key(key: str) -> None:
    url = urlsplit(store("gs://bucket/").request(key).url)
    assert (url.netloc, unquote(url.path), url.query) == ("storage.googleapis.com", f"/bucket/{key}", "")


def test_google_without_credentials_is_asked_anonymously_and_a_hint_says_what_to_set() -> None:
    gs = store("gs://bucket/")
    assert not gs.request("k").headers
    assert "GOOGLE_APPLICATION_CREDENTIALS" in gs.hint


def test_a_key_file_of_google_that_is_missing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json")
    assert refused("gs://bucket/") == (
        "The credentials for Google Cloud Storage cannot be used: File /no/such/file.json was not found."
    )


@pytest.mark.parametrize("host", ["localhost:4443", "http://localhost:4443"])
def test_an_emulator_of_google_is_asked_instead(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
    gs = store("gs://bucket/")
    asked = urlsplit(gs.list_request("a b/", "next").url)
    assert (asked.netloc, asked.path) == ("localhost:4443", "/bucket")
    assert parse_qs(asked.query) == {
        "list-type": ["2"],
        "prefix": ["a b/"],
        "encoding-type": ["url"],
        "continuation-token": ["next"],
    }


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_request_to_azure_asks_for_exactly_the_key_and_is_signed(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "mine")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(b"key").decode())
    asked = store("az://container/").request(key)
    url = urlsplit(asked.url)
    assert (url.netloc, unquote(url.path)) == ("mine.blob.core.windows.net", f"/container/{key}")
    assert parse_qs(url.query)["sp"] == ["rl"] and "Authorization" not in asked.headers


def test_azure_takes_a_connection_string_and_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        f"AccountName=dev;AccountKey={base64.b64encode(b'key').decode()};BlobEndpoint=http://127.0.0.1:10000/dev;",
    )
    assert store("az://c/").request("k").url.startswith("http://127.0.0.1:10000/dev/c/k?")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=dev;SharedAccessSignature=?sig=1")
    asked = urlsplit(store("az://c/").list_request("p/", "m").url)
    assert asked.netloc == "dev.blob.core.windows.net"
    assert parse_qs(asked.query) == {
        "restype": ["container"],
        "comp": ["list"],
        "prefix": ["p/"],
        "marker": ["m"],
        "sig": ["1"],
    }


def test_azure_without_an_account_or_with_a_wrong_key_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused("az://c/").startswith("No storage account is named; set AZURE_STORAGE_CONNECTION_STRING")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "mine")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "not base64!")
    assert refused("az://c/").startswith("The credentials for Azure Blob Storage cannot be used: ")


CONDITIONS = [
    (None, {}, {}),
    (ABSENT, {"If-None-Match": "*"}, {"x-goog-if-generation-match": "0"}),
    ("0a-1", {"If-Match": '"0a-1"'}, {"x-goog-if-generation-match": "0a-1"}),
    ("0x8D", {"If-Match": '"0x8D"'}, {"x-goog-if-generation-match": "0x8D"}),
]


@pytest.mark.parametrize(("only_if", "by_tag", "by_generation"), CONDITIONS)
def test_a_store_is_asked_to_change_exactly_the_key_on_a_condition(
    monkeypatch: pytest.MonkeyPatch, only_if: str | None, by_tag: dict[str, str], by_generation: dict[str, str]
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=dev;SharedAccessSignature=sig=1")
    for scheme in ("s3", "gs", "az"):
        one = Stores(writing=True).of(BucketUrl.parse(f"{scheme}://bucket/"))
        put, delete = (one.change_request("a b/😀", method, only_if) for method in ("PUT", "DELETE"))
        assert (put.method, delete.method) == ("PUT", "DELETE")
        assert urlsplit(put.url).path.endswith("/a%20b/%F0%9F%98%80") and put.url == delete.url
        headers = {name: put.headers[name] for name in put.headers if "match" in name.lower()}
        assert headers == (by_generation if scheme == "gs" else by_tag)
        assert put.headers.get("x-ms-blob-type") == ("BlockBlob" if scheme == "az" else None)


def test_the_version_of_an_object_is_its_etag_or_at_google_its_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=dev;SharedAccessSignature=sig=1")
    headers = {"etag": '"0a"', "x-goog-generation": "17"}
    found = [store(f"{scheme}://bucket/").version_of(headers) for scheme in ("s3", "gs", "az")]
    assert found == ["0a", "17", "0a"]
    assert store("s3://bucket/").version_of({}) == ""


@pytest.mark.parametrize(("writing", "may"), [(False, "rl"), (True, "rcwdl")])
def test_only_a_store_that_writes_asks_for_the_right_to_write(
    monkeypatch: pytest.MonkeyPatch, writing: bool, may: str
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "mine")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(b"key").decode())
    url = Stores(writing).of(BucketUrl.parse("az://c/")).request("key").url
    assert parse_qs(urlsplit(url).query)["sp"] == [may]
    asked: list[list[str]] = []
    monkeypatch.setattr("google.auth.default", lambda scopes: (asked.append(scopes), (None, None))[1])
    Stores(writing).of(BucketUrl.parse("gs://c/"))
    assert asked == [[f"https://www.googleapis.com/auth/devstorage.read_{'write' if writing else 'only'}"]]


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_page_of_s3_or_google_has_exact_keys_sizes_and_tags(scheme: str) -> None:
    page = store(f"{scheme}://b/").page(
        b'<?xml version="1.0"?><ListBucketResult xmlns="x"><EncodingType>url</EncodingType>'
        b"<IsTruncated>true</IsTruncated><NextContinuationToken>a%2B</NextContinuationToken>"
        b'<Contents><Key>a+b%0A%2B%2520</Key><Size>7</Size><ETag>"0a-1"</ETag></Contents>'
        b"<Contents><Key>c//d</Key><Size>0</Size><Generation>5</Generation></Contents></ListBucketResult>"
    )
    assert [(one.key, one.size, one.tag) for one in page.objects] == [("a b\n+%20", 7, "0a-1"), ("c//d", 0, "")]
    assert [one.version for one in page.objects] == ["0a-1", "5"]
    assert page.after == "a%2B"


def test_a_page_of_azure_has_exact_keys_sizes_and_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=dev;SharedAccessSignature=sig=1")
    page = store("az://c/").page(
        '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>'
        '<Blob><Name Encoded="true">a%0Ab%25</Name>'
        "<Properties><Content-Length>7</Content-Length><Etag>0x8D</Etag></Properties></Blob>"
        "<Blob><Name>100%25.jpg</Name><Properties/></Blob></Blobs><NextMarker>2!</NextMarker>"
        "</EnumerationResults>".encode()
    )
    assert [(one.key, one.size, one.tag) for one in page.objects] == [("a\nb%", 7, "0x8D"), ("100%25.jpg", 0, "")]
    assert page.after == "2!"


@pytest.mark.parametrize("blob", ["<Properties/>", "<Name/>", '<Name Encoded="true"></Name>'])
def test_a_page_of_azure_with_a_blob_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch, blob: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=dev;SharedAccessSignature=sig=1")
    body = f"<EnumerationResults><Blobs><Blob>{blob}</Blob></Blobs></EnumerationResults>"
    with pytest.raises(Refused, match=r"The answer of the host lists a blob without a name\.") as caught:
        store("az://c/").page(body.encode())
    assert caught.value.code.value == "fetch_failed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"\xff\xfe<\0",
        b'<!DOCTYPE a [<!ENTITY b "cc">]><ListBucketResult>&b;</ListBucketResult>',
        b"<ListBucketResult>",
    ],
)
def test_an_answer_that_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match=r"The answer of the host is not a list of objects\."):
        store("s3://b/").page(body)


@pytest.mark.parametrize(("scheme", "package"), [("s3", "botocore"), ("gs", "google.auth"), ("az", "azure.identity")])
def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch, scheme: str, package: str) -> None:
    from facesieve.buckets import store as module

    module._is_installed.cache_clear()
    monkeypatch.setitem(sys.modules, package.split(".")[0], None)
    monkeypatch.setitem(sys.modules, package, None)
    try:
        with pytest.raises(UsageError) as caught:
            check_installed(scheme)
    finally:
        module._is_installed.cache_clear()
    assert caught.value.code == "no_cloud"
    assert caught.value.message == f"Buckets of {scheme}:// need the extra `cloud`: pip install 'facesieve[cloud]'."
