"""Checks tokens: whole tokens, compared in constant time, and kept only as digests."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import select
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from facesieve.errors import SettingsError, UsageError
from facesieve.settings import ServiceSettings

_HASHED = "sha256:"
_ENCODINGS = ("utf-8", "cp1252", "latin-1")  # encodings in which clients send a token, and editors save it
_SPACE = " \t"  # HTTP strips these from a header; other white space is part of the token
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_PATIENCE = 5.0  # seconds to wait for what is written into a pipe
_MAX_FILE = 1 << 20  # bytes of a token file


class Tokens:
    """The accepted tokens, as sha256 digests of the bytes that a client sends.

    A token that is not ASCII is accepted as UTF-8, Windows-1252 and Latin-1. Raises SettingsError `bad_token` for a
    token that no client can send, and for `sha256:` without 64 hex digits.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = tuple(digest for token in tokens for digest in _digests(token.strip()))

    def accept(self, token: str) -> bool:
        """Whether a token is accepted. The time that this takes does not depend on the token.

        token: as Tornado passes it, one character for each byte of the header.
        """
        try:
            sent = token.encode("latin-1")
        except UnicodeEncodeError:
            sent = token.encode("utf-8", "surrogateescape")
        given = hashlib.sha256(sent).digest()
        return any([hmac.compare_digest(given, digest) for digest in self._digests])  # noqa: C419 - compares with every digest, to take constant time


def token_of(headers: Mapping[str, str]) -> str:
    """The token that a request carries in `Authorization: TOKEN`, `Authorization: Bearer TOKEN` or `X-API-Key: TOKEN`.

    >>> token_of({"Authorization": "bearer abc"}), token_of({"X-API-Key": "abc"}), token_of({})
    ('abc', 'abc', '')
    """
    given, key = headers.get("Authorization", "").strip(_SPACE), headers.get("X-API-Key", "").strip(_SPACE)
    scheme, _, token = given.partition(" ")
    if scheme.lower() == "bearer":
        given = token.strip(_SPACE)
    elif key and scheme.lower() == "basic":  # the password of a proxy, which browsers send with every request
        given = key
    return given or key


def tokens_of(settings: ServiceSettings) -> tuple[Tokens, str]:
    """The tokens of the settings, and a new token that is to be shown to the operator; "" if tokens are set.

    Raises UsageError `token_required` if none is set and other machines can reach the address; SettingsError.
    """
    tokens = [*settings.tokens, *(_lines(settings.token_file) if settings.token_file else [])]
    if tokens:
        return Tokens(tokens), ""
    if not _loopback(settings.address):
        raise UsageError(
            "token_required", f"To listen on {settings.address}, set a token first: FACESIEVE_SERVICE_TOKEN_FILE=FILE."
        )
    made = secrets.token_urlsafe(24)
    return Tokens([made]), made


def _digests(token: str) -> set[bytes]:
    """The digests of all byte strings that a client may send for a token."""
    if not token:
        raise SettingsError("bad_token", "A token is empty: set a long random one, or none.")
    if re.search(r"[\x00-\x1f\x7f]", token):
        raise SettingsError("bad_token", "A token has a control character, which no header can carry.")
    if token.lower().startswith("bearer "):
        raise SettingsError("bad_token", "A token begins with the word Bearer: set the token without that word.")
    if token.lower() == "null":
        raise SettingsError("bad_token", "A token is the word null: set a long random one, or none.")
    if not token.lower().startswith(_HASHED):
        digests = {hashlib.sha256(sent).digest() for sent in _encoded(token)}
        if not digests:
            raise SettingsError("bad_token", "A token has a character that no encoding can carry.")
        return digests
    try:
        digest = bytes.fromhex(token[len(_HASHED) :])
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise SettingsError("bad_token", "A token that begins with sha256: is not followed by 64 hex digits.")
    return {digest}


def _encoded(token: str) -> Iterator[bytes]:
    for encoding in _ENCODINGS:
        with contextlib.suppress(UnicodeEncodeError):
            yield token.encode(encoding)


def _lines(file: Path) -> list[str]:
    """The tokens of a file, without empty lines and comments."""
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as opened:
            if stat.S_ISFIFO(os.fstat(opened.fileno()).st_mode):
                select.select([opened], [], [], _PATIENCE)  # a pipe without a writer must not block the start
            os.set_blocking(opened.fileno(), True)
            data = opened.read(_MAX_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError("unreadable_tokens", f"Cannot read token file {file}: {reason}.") from error
    text = _text(data)
    if len(data) > _MAX_FILE or text is None or "\0" in text:
        raise SettingsError(
            "unreadable_tokens", f"Token file {file} is not text: save it as UTF-8, one token per line."
        )
    # Files that were put together may have byte order marks inside.
    lines = [line.strip().strip("\ufeff") for line in re.split(r"[\r\n]+", text)]
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise SettingsError("no_tokens", f"Token file {file} holds no token.")
    return tokens


def _text(data: bytes) -> str | None:
    """The text of a file in any encoding that editors save; None if it is not text."""
    marked = [encoding for mark, encoding in _MARKS.items() if data.startswith(mark)]
    for encoding in marked or _ENCODINGS:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(encoding)
    return None


def _loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
