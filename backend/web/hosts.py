"""The names at which the page is served, against DNS rebinding.

A page of another site can let its own name point at this machine for a moment. The browser then takes this
server for a part of that site, and lets the page read and send everything here. Such a request carries the
other site's name in its Host header, so every name that is not known is refused.

An address in figures is always served: rebinding needs a name, and a page that a browser opened at an address
came from this server. So the machine's own addresses need no list, and a container or a forwarded port works.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlsplit

from backend.log_lines import bounded
from backend.settings.listen_address import is_loopback
from backend.web.address import root_path
from workflows.notice import Notice, made

HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{0,5})?")
"""What a Host header is: a name or an address, and perhaps a port. No user, path or blank."""
ALWAYS = ("localhost", "*.localhost")
SHOWN = 100
"""Characters of a refused name in the answer."""


class Hosts:
    """The names that are served. `*` serves all, `*.name` all names below one."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names: frozenset[str] = frozenset(ALWAYS)
        self.add(*names)

    def add(self, *names: str) -> None:
        """Serves these names, too: names, or addresses of which the host's name counts."""
        self._names |= {name for given in names if (name := _name(given))}

    def allows(self, header: str) -> bool:
        """Whether a Host header is an address, a known name, or missing, which no browser leaves out."""
        if not header:
            return True
        name = host_of(header)
        if name is None:
            return False
        return is_address(name) or _covers(self._names, name)


def host_of(header: str) -> str | None:
    """The name or address in a Host header, in lower case and without its port; None where it is neither."""
    found = HOST.fullmatch(header.strip())
    if found is None:
        return None
    return (found["six"] or found["name"]).lower().rstrip(".")


def is_address(name: str) -> bool:
    """Whether this is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def known(environ: Mapping[str, str], listens_on: str, allowed: Iterable[str] = ()) -> Hosts:
    """The names by which the settings say that this page is reached, apart from a share link's.

    listens_on: GRADIO_SERVER_NAME. allowed: WAN_ALLOWED_HOSTS.
    """
    names = [*allowed, environ.get("SPACE_HOST", "").strip()]
    root = root_path(environ)
    if "://" in root:
        names.append(root)
    if pod := environ.get("RUNPOD_POD_ID", "").strip().lower():
        names.append(f"{pod}-*.proxy.runpod.net")
    if not is_loopback(listens_on):
        own = socket.gethostname()
        names += [own, f"{own}.local", listens_on]
    return Hosts(names)


def unknown(header: str) -> Notice:
    """Why a request for an unknown name is refused."""
    name = host_of(header)
    return made("unknown_host", {"host_name": bounded(name, SHOWN) if name else ""})


def _covers(names: Collection[str], name: str) -> bool:
    if name in names or "*" in names:
        return True
    return any(_fits(pattern, name) for pattern in names if "*" in pattern)


def _fits(pattern: str, name: str) -> bool:
    """`*.a.example` covers b.a.example and c.b.a.example; `pod-*.a.example` the pod with any port."""
    head, _, tail = pattern.partition("*")
    middle = name[len(head) : len(name) - len(tail)]
    if not name.startswith(head) or not name.endswith(tail) or len(name) <= len(head) + len(tail):
        return False
    return middle.isdecimal() if head else True


def _name(given: str) -> str:
    """The host's name of a name or an address, "" without one."""
    text = given.strip().lower()
    if "://" not in text:
        return text.rstrip(".")
    try:
        return (urlsplit(text).hostname or "").rstrip(".")
    except ValueError:
        return ""
