"""Which IP addresses are on the public internet. Pure.

`ipaddress.is_global` follows the registries of its Python version and counts deprecated and translated ranges
as global, so those are listed here. For IPv6, only 2000::/3 is assigned to the public internet at all.
"""

from __future__ import annotations

import ipaddress

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

NOT_PUBLIC: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "100.64.0.0/10",  # shared addresses of providers
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation, as the next two
        "198.51.100.0/24",
        "203.0.113.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, among them Teredo and ORCHID
        "2001:db8::/32",  # documentation, as the next one
        "3fff::/20",
        "2002::/16",  # 6to4: IPv4 in IPv6
        "3ffe::/16",  # the former 6bone
    )
)
"""Ranges that are not public, whatever `is_global` says."""


def is_public(text: str) -> bool:
    """Whether an IP address is on the public internet.

    An IPv4 address mapped into IPv6 counts as that address. Other addresses that are translated on the way
    (NAT64, 6to4, Teredo, IPv4-compatible) do not count: where they lead depends on the network.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if address not in _GLOBAL_UNICAST or _isatap(address):
            return False
    if any(address.version == network.version and address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _isatap(address: ipaddress.IPv6Address) -> bool:
    """Whether the address is that of a tunnel which ends at a private IPv4 address (RFC 5214)."""
    middle, inner = (int(address) >> 32) & 0xFFFFFFFF, int(address) & 0xFFFFFFFF
    return middle in (0x00005EFE, 0x02005EFE) and not is_public(str(ipaddress.IPv4Address(inner)))
