"""TCP ports of this machine: which are free, and which process listens on one."""

from __future__ import annotations

import socket

import psutil


def port_is_free(port: int, listen: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port; `listen`: one address or several, separated by commas."""
    for host in (part.strip() for part in listen.split(",")):
        try:
            family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0][0]
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A TCP port of the loopback address that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listener(port: int) -> int | None:
    """The PID of the process that listens on this TCP port; None when there is none or it is not visible."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return None
    return next(
        (
            connection.pid
            for connection in connections
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid
        ),
        None,
    )


def listener_environment(port: int) -> dict[str, str] | None:
    """The environment of the process that listens on this TCP port; None when it cannot be read."""
    pid = listener(port)
    if pid is None:
        return None
    try:
        return dict(psutil.Process(pid).environ())
    except (psutil.Error, OSError):
        return None
