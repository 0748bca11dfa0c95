"""The sockets of the page, bound before an engine is started.

Gradio would try the port differently: as an IPv4 address, at the GRADIO_SERVER_NAME that was set when it
was imported. It is given these sockets instead (ui/gradio_fixes/own_sockets.py).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import BadSettings
from backend.settings import listen_address
from backend.settings.listen_address import EVERYWHERE

UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""An address that this machine does not have, or a kind of address."""


@dataclass(frozen=True)
class Listening:
    """host: as it was given, without brackets. port_name: the variable that sets the port.

    The sockets are bound and do not accept connections yet.
    """

    host: str
    port: int
    port_name: str
    sockets: tuple[socket.socket, ...]

    @property
    def url(self) -> str:
        """The page's address for this machine, with a slash at the end."""
        return f"http://{listen_address.in_url(listen_address.from_here(self.host))}:{self.port}/"

    def refusal(self, error: OSError) -> BadSettings:
        """What to say of an error from serving on these sockets."""
        if error.errno == errno.EADDRINUSE:  # another program took the port since it was bound
            return _taken(self.port, self.port_name)
        return BadSettings.of("page_not_served", url=self.url, said=str(error))

    def close(self) -> None:
        for one in self.sockets:
            one.close()


def bind(environ: Mapping[str, str]) -> Listening:
    """Binds the address and port of the environment. Raises BadSettings with the cause.

    `::` means every address, IPv4 too. A name is bound at each of its addresses that this machine has.
    """
    host, port = listen_address.host(environ), listen_address.port(environ)
    name = listen_address.port_name(environ)
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for address in _addresses(host, port):
            try:
                sockets.append(_bound(*address))
            except OSError as error:
                if error.errno not in ABSENT:
                    raise
                missing = missing or error
        if not sockets:
            raise missing or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    except OSError as error:
        for one in sockets:
            one.close()
        raise _refusal(error, host, port, name) from error
    return Listening(host, port, name, tuple(sockets))


def _addresses(host: str, port: int) -> list[tuple[int, Any]]:
    """(family, address) of each address that is listened on."""
    hosts = [host, EVERYWHERE] if listen_address.is_everywhere(host) and ":" in host else [host]
    found: list[tuple[int, Any]] = []
    for one in hosts:
        for family, _, _, _, address in socket.getaddrinfo(one, port, type=socket.SOCK_STREAM):
            if family in (socket.AF_INET, socket.AF_INET6):
                found.append((family, address))
    return list(dict.fromkeys(found))


def _bound(family: int, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # IPv4 has a socket of its own
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made


def _refusal(error: OSError, host: str, port: int, name: str) -> BadSettings:
    """Why a port cannot be used, and what to do. name: the variable that sets the port."""
    if error.errno == errno.EADDRINUSE:
        return _taken(port, name)
    if error.errno in (errno.EACCES, errno.EPERM):
        least = _unprivileged()
        if port < least:
            return BadSettings.of("port_for_root", port=port, name=name, least=least)
        return BadSettings.of("port_denied", port=port, name=name)
    if isinstance(error, socket.gaierror):
        return BadSettings.of("host_without_address", host=host)
    if error.errno in ABSENT and ":" in host and not _has_ipv6():
        return BadSettings.of("host_needs_ipv6", host=host)
    if error.errno in ABSENT:
        return BadSettings.of("host_of_other_machine", host=host)
    return BadSettings.of("host_unusable", host=host, port=port, reason=error.strerror or str(error))


def _taken(port: int, name: str) -> BadSettings:
    return BadSettings.of("page_port_taken", port=port, name=name)


def _unprivileged(file: Path = UNPRIVILEGED) -> int:
    """The lowest port that every user may use."""
    with contextlib.suppress(OSError, ValueError):
        return int(file.read_text())
    return 1024


def _has_ipv6() -> bool:
    try:
        _bound(socket.AF_INET6, ("::1", 0)).close()
    except OSError:
        return False
    return True
