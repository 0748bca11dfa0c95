"""Errors of serving the page."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.settings import LISTEN_HINT
from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    "page_not_served": ErrorText("The page cannot be served at {url}.", "{said}"),
    "page_not_started": ErrorText("The server did not start; the log says why."),
    "page_port_taken": ErrorText("Port {port} is taken.", "Stop what uses it, or set {name} to another."),
    "port_for_root": ErrorText(
        "Only root may use port {port} on this machine.",
        "Set {name} to {least} or higher. A container can publish it as {port}: -p {port}:7860.",
    ),
    "port_denied": ErrorText(
        "The system does not let this user use port {port}.", "Set {name} to another port."
    ),
    "host_without_address": ErrorText(
        "GRADIO_SERVER_NAME is {host!r}, a name without an address.", LISTEN_HINT
    ),
    "host_needs_ipv6": ErrorText(
        "The page cannot be served at {host}: this machine has no IPv6.",
        "Set GRADIO_SERVER_NAME to 127.0.0.1, or to 0.0.0.0 for every address.",
    ),
    "host_of_other_machine": ErrorText(
        "The page cannot be served at {host}: this machine has no such address.", LISTEN_HINT
    ),
    "host_unusable": ErrorText("The page cannot be served at {host}:{port}: {reason}.", LISTEN_HINT),
}
