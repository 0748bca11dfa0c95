"""Whether this machine has IPv6: containers often have none."""

from __future__ import annotations

import socket


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
