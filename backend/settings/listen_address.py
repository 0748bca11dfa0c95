"""Where the page listens, as the environment says. The app, its health check and its links use the same
functions.

Standard library only: the image's health check imports it every few seconds. Binding is in web/listening.py.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from backend.errors import BadSettings

PORT = 7860
PORT_NAMES = ("GRADIO_SERVER_PORT", "PORT")
"""The variables that set the port; the first that is set counts. Gradio has the one, platforms the other."""
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104
LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*\.?")
"""A host name: labels of up to 63 characters."""


def port_name(environ: Mapping[str, str]) -> str:
    """The variable that sets the port, or the one that could."""
    return next((name for name in PORT_NAMES if environ.get(name, "").strip()), PORT_NAMES[0])


def port(environ: Mapping[str, str]) -> int:
    """The port of the page. Raises BadSettings."""
    name = port_name(environ)
    text = environ.get(name, "").strip() or str(PORT)
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        raise BadSettings.of("port_unusable", name=name, given=text)
    return int(text)


def host(environ: Mapping[str, str]) -> str:
    """The address or name that the page listens on, without brackets. Raises BadSettings.

    RunPod's proxy reaches a pod by its network address only, so a pod listens on every address.
    """
    text = environ.get("GRADIO_SERVER_NAME", "").strip()
    if not text:
        return EVERYWHERE if environ.get("RUNPOD_POD_ID", "").strip() else LOOPBACK
    found = normal(text)
    if "%" in found:
        raise BadSettings.of("listen_on_interface", given=text)
    if not _is_address(found) and not NAME.fullmatch(found):
        raise BadSettings.of("listen_not_address", given=text)
    return found


def normal(text: str) -> str:
    """A host as it is compared: no brackets, the short form of an IPv6 address, the IPv4 address in one."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_loopback(text: str) -> bool:
    """Whether a page that listens there is reached from this machine only. Looks up no name."""
    text = normal(text)
    if _is_address(text):
        return ipaddress.ip_address(text).is_loopback
    name = text.lower().rstrip(".")
    return name in LOOPBACK_NAMES or re.fullmatch(r"127(\.\d{1,8}){1,2}", name) is not None


def is_everywhere(text: str) -> bool:
    """Whether it means every address of the machine."""
    text = normal(text)
    return _is_address(text) and ipaddress.ip_address(text).is_unspecified


def from_here(text: str) -> str:
    """The host by which this machine reaches a page that listens there."""
    return LOOPBACK if is_everywhere(text) else normal(text)


def in_url(text: str) -> str:
    """The host as a URL has it: an IPv6 address in brackets."""
    text = normal(text)
    return f"[{text}]" if ":" in text else text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
