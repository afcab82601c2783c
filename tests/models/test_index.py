"""Which package indexes the user has set, for uv or for pip, in variables or files."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesieve.models import index as index_module
from facesieve.models.index import PUBLIC, PackageIndexes, package_indexes


@pytest.fixture(autouse=True)
def no_files_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only files below the test's own folders are there."""
    read = index_module._text
    monkeypatch.setattr(index_module, "_text", lambda file: read(file) if file.is_relative_to(tmp_path) else None)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("uv", "pip"):
        (tmp_path / folder).mkdir()
    return tmp_path


def test_without_a_setting_it_is_the_public_index() -> None:
    assert package_indexes({}) == PackageIndexes((PUBLIC,))


@pytest.mark.parametrize(
    ("variables", "indexes"),
    [
        ({"PIP_INDEX_URL": "https://a/simple"}, ("https://a/simple",)),
        ({"UV_INDEX_URL": "https://u/s", "PIP_INDEX_URL": "https://a/s"}, ("https://u/s",)),
        ({"UV_DEFAULT_INDEX": "mine=https://d/s", "UV_INDEX_URL": "https://u/s"}, ("https://d/s",)),
        ({"UV_INDEX": "one=https://1 https://2"}, (PUBLIC, "https://1", "https://2")),
        ({"PIP_EXTRA_INDEX_URL": "https://1\nhttps://2"}, (PUBLIC, "https://1", "https://2")),
        ({"PIP_NO_INDEX": "true", "PIP_INDEX_URL": "https://a"}, ()),
        ({"UV_NO_INDEX": "1", "PIP_NO_INDEX": "0"}, ()),
        ({"PIP_NO_INDEX": "0"}, (PUBLIC,)),
    ],
)
def test_variables_of_uv_come_before_those_of_pip(variables: dict[str, str], indexes: tuple[str, ...]) -> None:
    assert package_indexes(variables).indexes == indexes


def test_settings_files_are_read_and_variables_come_before_them(home: Path) -> None:
    (home / "uv" / "uv.toml").write_text(
        '[[index]]\nurl = "https://first"\n[[index]]\nname = "d"\nurl = "https://uv"\ndefault = true\n'
        '[pip]\nfind-links = ["https://wheels"]\n'
    )
    (home / "pip" / "pip.conf").write_text(
        "[global]\nindex-url = https://pip\nextra-index-url =\n    https://x\n    https://y\ncert = /my/ca.pem\n"
        "[install]\nindex-url = https://not-for-downloads\n[download]\nno-index = false\n"
    )
    found = package_indexes({"XDG_CONFIG_HOME": str(home)})
    assert found == PackageIndexes(
        ("https://uv", "https://first", "https://x", "https://y"), ("https://wheels",), "/my/ca.pem", False
    )
    assert package_indexes({"XDG_CONFIG_HOME": str(home), "PIP_INDEX_URL": "https://v"}).indexes[0] == "https://v"
    only_pip = package_indexes({"XDG_CONFIG_HOME": str(home), "UV_NO_CONFIG": "1"})
    assert only_pip.indexes == ("https://pip", "https://x", "https://y")
    assert package_indexes(
        {"XDG_CONFIG_HOME": str(home), "UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": "/dev/null"}
    ) == PackageIndexes((PUBLIC,))


def test_folders_may_be_given_as_paths(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    assert package_indexes({"PIP_FIND_LINKS": f"wheels {home} ~/uv https://w"}).find_links == (
        (home / "wheels").as_uri(),
        home.as_uri(),
        (home / "uv").as_uri(),
        "https://w",
    )


@pytest.mark.parametrize(("file", "text"), [("uv/uv.toml", "index = ["), ("pip/pip.conf", "index-url = x")])
def test_a_settings_file_that_cannot_be_read_is_named(home: Path, file: str, text: str) -> None:
    (home / file).write_text(text)
    with pytest.raises(ValueError, match=str(home / file)):
        package_indexes({"XDG_CONFIG_HOME": str(home)})


def test_a_certificate_and_the_wish_to_stay_offline_are_heard() -> None:
    assert package_indexes({"PIP_CERT": "/a.pem"}).certificate == "/a.pem"
    assert package_indexes({"PIP_CERT": "/a.pem", "SSL_CERT_FILE": "/b.pem"}).certificate == "/b.pem"
    assert package_indexes({"UV_OFFLINE": "1"}).local_only
