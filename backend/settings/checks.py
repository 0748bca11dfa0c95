"""Checks of single values: text of the environment in, the value or BadValue out."""

from __future__ import annotations

import ipaddress
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from backend.settings.env_file import QUOTES


class BadValue(ValueError):
    """A value that cannot be used: `message` names its variable, `hint` says what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def accounts(text: str) -> tuple[tuple[str, str], ...]:
    """ "ann:secret,bob:other" as (user, password) pairs; none for "". No message repeats a password."""
    example = "Example: WAN_AUTH=ann:a-long-password,bob:another. A password has no comma."
    pairs = [part.strip().partition(":") for part in text.split(",") if part.strip()]
    if text and not pairs:
        raise BadValue(
            "WAN_AUTH names no user.",
            "Write WAN_AUTH=user:password, or leave it out for a page without a login.",
        )
    for number, (user, colon, password) in enumerate(pairs, 1):
        if not user.strip() or not colon or not password:
            raise BadValue(f"Entry {number} of WAN_AUTH is not user:password.", example)
        if user[0] in QUOTES or user[0] == "=":
            raise BadValue(
                f"Entry {number} of WAN_AUTH begins with {'a quote' if user[0] in QUOTES else '='}.",
                "Put straight quotes around the whole value, and only in .env or a shell; elsewhere none.",
            )
        if not (user + password).isprintable():
            raise BadValue(
                f"Entry {number} of WAN_AUTH has a character that cannot be seen, such as a tab or a "
                "non-breaking space.",
                "Type it anew.",
            )
    users = [user.strip() for user, _, _ in pairs]
    if len(set(users)) < len(users):
        raise BadValue("WAN_AUTH names a user twice.", "Give every user one entry.")
    return tuple((user.strip(), password) for user, _, password in pairs)


def http_url(text: str, name: str, example: str) -> str:
    """The address without a slash at its end; http:// is added where there is no scheme."""
    url = text.strip()
    if "://" not in url:
        url = "http://" + url
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:  # a port out of range, an incomplete IPv6 address
        wrong = True
    if wrong:
        raise BadValue(
            f"{name} has {text.strip()!r}, which is not an http address.", f"Example: {name}={example}"
        )
    return url.rstrip("/")


def comfyui_args(text: str) -> tuple[str, ...]:
    """Start options, split as a shell splits them."""
    try:
        args = tuple(shlex.split(text))
    except ValueError as error:
        raise BadValue(f"COMFYUI_ARGS cannot be read: {error}.", "Check its quotes.") from error
    for taken in ("--port", "--listen"):
        if any(arg == taken or arg.startswith(taken + "=") for arg in args):
            raise BadValue(
                f"COMFYUI_ARGS has {taken}, which Wan Studio sets itself.",
                "Use COMFYUI_LISTEN for the address and COMFYUI_PORT for the first port.",
            )
    return args


def endpoint_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,100}", text):
        raise BadValue(
            f"RUNPOD_ENDPOINT_ID is {text!r}, which is not an endpoint's id.",
            "It is the short word in the endpoint's address: .../v2/THIS/run.",
        )
    return text


def api_key(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise BadValue("RUNPOD_API_KEY has characters that no key has.", "Copy it once more from RunPod.")
    return text


def comfyui_folder(folder: Path | None) -> Path | None:
    if folder is not None and not (folder / "main.py").is_file():
        raise BadValue(
            f"COMFYUI_DIR is {folder}, and there is no ComfyUI (main.py) in it.",
            "Set it to the folder that holds ComfyUI's main.py.",
        )
    return folder


def host_names(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list, in lower case. An address is reduced to its host's name."""
    return tuple(_host_name(part.strip()) for part in text.split(",") if part.strip())


def _host_name(given: str) -> str:
    try:
        found = urlsplit(given if "://" in given else "//" + given).hostname or ""
    except ValueError:
        found = ""
    if found != "*" and not re.fullmatch(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]+", found):
        raise BadValue(
            f"WAN_ALLOWED_HOSTS has {given!r}, which is no name of a host.",
            "Example: WAN_ALLOWED_HOSTS=films.example,*.studio.example",
        )
    return found.rstrip(".")


def networks(text: str) -> tuple[str, ...]:
    """The addresses and networks of a comma-separated list."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in found:
        try:
            if part != "*":
                ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise BadValue(
                f"WAN_TRUSTED_PROXIES has {part!r}, which is neither an address nor a network.",
                "Example: WAN_TRUSTED_PROXIES=127.0.0.1,172.16.0.0/12",
            ) from None
    return found
