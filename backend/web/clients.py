"""From which address a request comes, with and without proxies in between.

Every proxy adds the address that it was called from to X-Forwarded-For. The header is believed only when a
trusted proxy sent it (WAN_TRUSTED_PROXIES), and then only from the right to the first address that is not a
proxy's: whatever stands before that, the client may have made up.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

UNKNOWN = "unknown"
ENTRIES = 32
"""Entries of X-Forwarded-For that are looked at, from the right."""
SIX_PREFIX = 64
"""Bits of an IPv6 address that count as its holder: a home or a server gets at least this network."""
TELLING = (b"user-agent", b"accept-language", b"cf-connecting-ip")
"""Headers that distinguish clients behind one proxy when none of them shows a cookie or a token. Of
X-Forwarded-For it is the first entry: later ones are proxies, which may change from request to request."""

Headers = Iterable[tuple[bytes, bytes]]


class Proxies:
    """The proxies whose headers are believed."""

    def __init__(self, networks: Iterable[str] = ("127.0.0.1", "::1")) -> None:
        given = tuple(networks)
        self._all = "*" in given
        self._networks = [ipaddress.ip_network(one, strict=False) for one in given if one != "*"]

    def trusts(self, address: str) -> bool:
        """Whether the sender of a request at this address is one of them."""
        if self._all:
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


@dataclass(frozen=True)
class Client:
    """address: whom limits and the log count; checked text. neighbour: with whom places are shared, which may
    rest on a header that was not checked. through_trusted: a trusted proxy sent the request."""

    address: str
    neighbour: str
    through_trusted: bool


def plain_address(text: str) -> str:
    """An IP address in its usual form, without a port or a zone; "" for anything else."""
    given = text.strip().strip('"')
    if given.startswith("["):
        given = given[1:].partition("]")[0]
    elif given.count(":") == 1:
        given = given.partition(":")[0]
    try:
        found = ipaddress.ip_address(given.partition("%")[0])
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def client_of(peer: str, headers: Headers, proxies: Proxies) -> Client:
    """Who sends a request. peer: the address of the connection."""
    given = plain_address(peer) or UNKNOWN
    forwarded = forwarded_for(headers)
    if not forwarded:
        return Client(given, holder(given), False)
    if not proxies.trusts(given):
        behind_proxy = given != UNKNOWN and not ipaddress.ip_address(given).is_global
        return Client(given, holder(forwarded[-1] if behind_proxy and forwarded[-1] else given), False)
    address = given
    for entry in reversed(forwarded):
        if not entry:  # no address: nothing before it can be relied on
            break
        address = entry
        if not proxies.trusts(entry):
            break
    return Client(address, holder(address), True)


def forwarded_for(headers: Headers) -> list[str]:
    """The last addresses of X-Forwarded-For, "" for an entry that is none; [] without the header."""
    texts = [value.decode("latin-1") for name, value in headers if name.lower() == b"x-forwarded-for"]
    entries = [entry for text in texts for entry in text.split(",")][-ENTRIES:]
    return [plain_address(entry) for entry in entries]


def forwarded_hosts(headers: Headers) -> list[str]:
    """The entries of X-Forwarded-Host."""
    texts = [value.decode("latin-1") for name, value in headers if name.lower() == b"x-forwarded-host"]
    return [entry.strip() for text in texts for entry in text.split(",")]


def holder(address: str) -> str:
    """The address, or of an IPv6 address the network of its holder."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/{SIX_PREFIX}", strict=False))


def fingerprint(address: str, headers: Headers) -> str:
    """Distinguishes clients of one address that show neither token nor cookie. A client may change it at
    will, so one with a new fingerprint counts as new."""
    digest = hashlib.sha256(address.encode())
    for name, value in headers:
        if name.lower() in TELLING:
            digest.update(b"\0" + name.lower() + b"\0" + value)
        elif name.lower() == b"x-forwarded-for":
            digest.update(b"\0" + plain_address(value.decode("latin-1").partition(",")[0]).encode())
    return digest.hexdigest()[:32]
