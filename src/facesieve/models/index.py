"""The package indexes of the user, from the environment variables and settings files of uv and pip."""

from __future__ import annotations

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PUBLIC = "https://pypi.org/simple"

_TRUE = ("1", "true", "yes", "on", "y", "t")


@dataclass(frozen=True, slots=True)
class PackageIndexes:
    """Where to look for packages, in this order.

    indexes: base URLs of package indexes. find_links: URLs of pages or folders with links to files of any package.
    certificate: a file of certificates to trust instead of the system's. local_only: whether the network is forbidden.
    """

    indexes: tuple[str, ...]
    find_links: tuple[str, ...] = ()
    certificate: str | None = None
    local_only: bool = False


def package_indexes(variables: Mapping[str, str]) -> PackageIndexes:
    """The indexes in the environment variables and settings files of uv and pip.

    variables: the environment. Settings of uv take precedence over those of pip. If none names an index, PyPI is used.
    Raises ValueError that names a file which cannot be read.
    """
    layers = [_uv_variables(variables), _pip_variables(variables), *_uv_files(variables), *_pip_files(variables)]
    default = next((layer["index"][0] for layer in layers if layer["index"]), PUBLIC)
    no_index = next((layer["no_index"] for layer in layers if layer["no_index"] is not None), False)
    certificates = [variables.get("SSL_CERT_FILE"), *(layer["certificate"] for layer in layers)]
    return PackageIndexes(
        () if no_index else _once([default, *(url for layer in layers for url in layer["extra"])]),
        _once([url for layer in layers for url in layer["find_links"]]),
        next((file for file in certificates if file), None),
        _flag(variables.get("UV_OFFLINE")) or False,
    )


def _layer(
    index: Any = None, extra: Any = None, find_links: Any = None, no_index: Any = None, certificate: Any = None
) -> dict[str, Any]:
    """The settings of one file or one group of variables. A list may also be text with spaces between its items."""
    return {
        "index": _urls(index),
        "extra": _urls(extra),
        "find_links": _urls(find_links),
        "no_index": _flag(no_index),
        "certificate": certificate,
    }


def _uv_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    def named(variable: str) -> list[str]:
        """URLs, each of which may have a name in front of it: `internal=https://...`."""
        return [re.sub(r"^[\w.-]+=", "", url) for url in variables.get(variable, "").split()]

    return _layer(
        named("UV_DEFAULT_INDEX") or variables.get("UV_INDEX_URL"),
        [*named("UV_INDEX"), *variables.get("UV_EXTRA_INDEX_URL", "").split()],
        variables.get("UV_FIND_LINKS", "").replace(",", " "),
        variables.get("UV_NO_INDEX"),
    )


def _pip_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    names = ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CERT")
    return _layer(*(variables.get(f"PIP_{name}") for name in names))


def _uv_files(variables: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    if _flag(variables.get("UV_NO_CONFIG")):
        return
    given = variables.get("UV_CONFIG_FILE")
    for file in [Path(given)] if given else [*_config(variables, "uv", "uv.toml"), Path("/etc/uv/uv.toml")]:
        text = _text(file)
        if text is None:
            continue
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{file} is not TOML") from error
        pip = values.get("pip", {})
        urls = {name: values.get(name, pip.get(name)) for name in ("index-url", "extra-index-url", "find-links")}
        indexes = [index for index in values.get("index", []) if "url" in index]
        default = [index["url"] for index in indexes if index.get("default")]
        others = [index["url"] for index in indexes if not index.get("default")]
        no_index = values.get("no-index", pip.get("no-index"))
        yield _layer(
            default or urls["index-url"], [*others, *_items(urls["extra-index-url"])], urls["find-links"], no_index
        )


def _pip_files(variables: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    given = variables.get("PIP_CONFIG_FILE")
    if given == os.devnull:
        return
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    homes = [*_config(variables, "pip", name), *_home("pip" if os.name == "nt" else ".pip", name)]
    usual = [Path(sys.prefix, name), *homes, Path("/etc", name), Path("/etc/xdg/pip", name)]
    for file in [*([Path(given)] if given else []), *usual]:
        text = _text(file)
        if text is None:
            continue
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text)
        except configparser.Error as error:
            raise ValueError(f"{file} is not a settings file of pip") from error
        values: dict[str, str] = {}
        for section in ("global", "download"):
            if parser.has_section(section):
                values |= {name.replace("_", "-"): value for name, value in parser.items(section)}
        yield _layer(*(values.get(name) for name in ("index-url", "extra-index-url", "find-links", "no-index", "cert")))


def _config(variables: Mapping[str, str], *parts: str) -> list[Path]:
    """A file in the user's folder of settings, if there is such a folder."""
    if os.name == "nt":
        return [Path(variables["APPDATA"], *parts)] if variables.get("APPDATA") else []
    given = variables.get("XDG_CONFIG_HOME")
    return [Path(given, *parts)] if given else _home(".config", *parts)


def _home(*parts: str) -> list[Path]:
    file = Path(os.path.expanduser("~"), *parts)  # noqa: PTH111 - Path raises where there is no home
    return [file] if file.is_absolute() else []


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8") if os.path.isfile(file) else None  # noqa: PTH113 - never raises
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read") from error


def _urls(given: Any) -> list[str]:
    return [_url(item) for item in _items(given)]


def _items(given: Any) -> list[str]:
    return given.split() if isinstance(given, str) else list(given or [])


def _url(given: str) -> str:
    """A URL; a path becomes a `file` URL."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", given):
        return given
    return Path(os.path.abspath(os.path.expanduser(given))).as_uri()  # noqa: PTH100, PTH111 - links stay links


def _flag(given: Any) -> bool | None:
    if given in (None, ""):
        return None
    return str(given).lower() in _TRUE


def _once(urls: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(urls))
