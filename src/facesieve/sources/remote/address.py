"""Which addresses a URL may lead to: public ones, and those of networks that the user allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Python's tables count these as public, or did in some versions: protocol assignments, 6to4 relays, documentation.
_NOT_PUBLIC = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
_UNICAST = IPv6Network("2000::/3")  # the only IPv6 space that is assigned for hosts (RFC 3513)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_ISATAP = (0x00005EFE, 0x02005EFE)  # upper half of the interface identifier, RFC 5214


def is_allowed(text: str, admitted: Iterable[Network] = ()) -> bool:
    """Whether a connection to this address may be opened.

    text: an IPv4 or IPv6 address, as a resolver returns it. IPv4 addresses that are embedded in an IPv6
    address (mapped, NAT64, 6to4, ISATAP) are checked too, because a gateway would forward to them.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    inner = list(_embedded(address))
    if any(one in network for one in (address, *inner) for network in admitted if one.version == network.version):
        return True
    mapped = isinstance(address, IPv6Address) and (address.ipv4_mapped is not None or address in _NAT64)
    return all(map(_is_public, inner if mapped else (address, *inner)))


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and (address not in _UNICAST or address.teredo or address.scope_id):
        return False
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that are embedded in an IPv6 address."""
    if not isinstance(address, IPv6Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    number = int(address)
    if address in _NAT64 or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
