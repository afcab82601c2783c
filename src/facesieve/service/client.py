"""The address of the client: the other end of the connection, or what a trusted proxy says in a header."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from facesieve.settings import ServiceSettings


def address_of(headers: Mapping[str, str], peer: str, settings: ServiceSettings) -> str:
    """The client's address. `peer` is the other end of the connection. Headers count only if the settings say so."""
    if not settings.behind_proxy or not _is_proxy(peer, settings):
        return peer
    sent = [value.strip() for value in headers.get(settings.client_header, "").split(",")]
    # Each proxy appends the address that it sees. The client may have invented everything before that.
    position = settings.proxies if settings.client_header == "x-forwarded-for" else 1
    return _plain(sent[-position]) or peer if len(sent) >= position else peer


def _is_proxy(peer: str, settings: ServiceSettings) -> bool:
    if not settings.trusted_proxies:
        return True
    address = _plain(peer)
    return bool(address) and any(ipaddress.ip_address(address) in network for network in settings.trusted_proxies)


def _plain(text: str) -> str:
    """An address without port, brackets or zone; "" if it is not an address."""
    host = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def network_of(address: str) -> str:
    """The network that counts as one client: an IPv4 address, or the /64 network of an IPv6 address; "" if neither."""
    try:
        host = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(host, ipaddress.IPv4Address):
        return str(host)
    if host.ipv4_mapped:
        return str(host.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(host), 64), strict=False))
