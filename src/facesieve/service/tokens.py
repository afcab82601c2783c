"""Who may ask: whole tokens, compared in constant time, and never kept as they are."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from facesieve.errors import SettingsError, UsageError
from facesieve.settings import ServiceSettings

_HASHED = "sha256:"


class Tokens:
    """The accepted tokens, as sha256 digests. Raises SettingsError `bad_token` for a digest that is none."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = tuple(_digest(token) for token in tokens)

    def accept(self, token: str) -> bool:
        """Whether it is one of them. The time it takes tells neither which nor how much of it is right."""
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        return any([hmac.compare_digest(given, digest) for digest in self._digests])  # noqa: C419 - all of them, always


def token_of(headers: Mapping[str, str]) -> str:
    """The token that a request carries in `Authorization: TOKEN`, `Authorization: Bearer TOKEN` or `X-API-Key: TOKEN`.

    >>> token_of({"Authorization": "bearer abc"}), token_of({"X-API-Key": "abc"}), token_of({})
    ('abc', 'abc', '')
    """
    given = headers.get("Authorization", "").strip()
    scheme, _, token = given.partition(" ")
    if scheme.lower() == "bearer":
        given = token.strip()
    return given or headers.get("X-API-Key", "").strip()


def tokens_of(settings: ServiceSettings) -> tuple[Tokens, str]:
    """The tokens of the settings, and a new one ("" when some are set) that the operator has to be shown once.

    Raises UsageError `token_required` when none is set and the address is beyond loopback; SettingsError.
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


def _digest(token: str) -> bytes:
    if not token.startswith(_HASHED):
        return hashlib.sha256(token.encode()).digest()
    try:
        digest = bytes.fromhex(token.removeprefix(_HASHED))
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise SettingsError("bad_token", "A token that begins with sha256: is not followed by 64 hex digits.")
    return digest


def _lines(file: Path) -> list[str]:
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise SettingsError("unreadable_tokens", f"Cannot read token file {file}: {error.strerror}.") from error
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise SettingsError("no_tokens", f"Token file {file} holds no token.")
    return tokens


def _loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
