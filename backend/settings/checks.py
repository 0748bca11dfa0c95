"""Checks of single values: text of the environment in, the value or BadValue out."""

from __future__ import annotations

import ipaddress
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from backend.settings.env_file import QUOTES
from workflows.notice import Arg, Notice, made


class BadValue(ValueError):
    """A value that cannot be used: `reason` names its variable and what to write instead."""

    def __init__(self, reason: Notice) -> None:
        super().__init__(reason.code)
        self.reason = reason

    @classmethod
    def of(cls, code: str, **args: Arg) -> BadValue:
        """The refusal with the text of this code in backend/error_texts/settings.py."""
        return cls(made(code, args))


def accounts(text: str) -> tuple[tuple[str, str], ...]:
    """ "ann:secret,bob:other" as (user, password) pairs; none for "". No message repeats a password.

    Raises BadValue.
    """
    pairs = [part.strip().partition(":") for part in text.split(",") if part.strip()]
    if text and not pairs:
        raise BadValue.of("login_without_user")
    for number, (user, colon, password) in enumerate(pairs, 1):
        if not user.strip() or not colon or not password:
            raise BadValue.of("login_not_a_pair", number=number)
        if user[0] in QUOTES or user[0] == "=":
            code = "login_begins_with_quote" if user[0] in QUOTES else "login_begins_with_equals"
            raise BadValue.of(code, number=number)
        if not (user + password).isprintable():
            raise BadValue.of("login_unprintable", number=number)
    users = [user.strip() for user, _, _ in pairs]
    if len(set(users)) < len(users):
        raise BadValue.of("login_user_twice")
    return tuple((user.strip(), password) for user, _, password in pairs)


def http_url(text: str, name: str, example: str) -> str:
    """The address without a slash at its end; http:// is added where there is no scheme. Raises BadValue."""
    url = text.strip()
    if "://" not in url:
        url = "http://" + url
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:  # a port out of range, an incomplete IPv6 address
        wrong = True
    if wrong:
        raise BadValue.of("url_unusable", name=name, given=text.strip(), example=example)
    return url.rstrip("/")


def comfyui_args(text: str) -> tuple[str, ...]:
    """Start options, split as a shell splits them. Raises BadValue."""
    try:
        args = tuple(shlex.split(text))
    except ValueError as error:
        raise BadValue.of("comfyui_args_unreadable", reason=str(error)) from error
    for taken in ("--port", "--listen"):
        if any(arg == taken or arg.startswith(taken + "=") for arg in args):
            raise BadValue.of("comfyui_args_taken", option=taken)
    return args


def endpoint_id(text: str) -> str:
    """The id of a RunPod endpoint; "" for none. Raises BadValue."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,100}", text):
        raise BadValue.of("endpoint_id_unusable", given=text)
    return text


def api_key(text: str) -> str:
    """A key of printable ASCII characters. Raises BadValue, which does not repeat it."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise BadValue.of("api_key_unusable")
    return text


def comfyui_folder(folder: Path | None) -> Path | None:
    """A folder with ComfyUI's main.py. Raises BadValue."""
    if folder is not None and not (folder / "main.py").is_file():
        raise BadValue.of("comfyui_dir_unusable", path=str(folder))
    return folder


def host_names(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list, in lower case. An address is reduced to its host's name.

    Raises BadValue.
    """
    return tuple(_host_name(part.strip()) for part in text.split(",") if part.strip())


def _host_name(given: str) -> str:
    try:
        found = urlsplit(given if "://" in given else "//" + given).hostname or ""
    except ValueError:
        found = ""
    if found != "*" and not re.fullmatch(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]+", found):
        raise BadValue.of("allowed_host_unusable", given=given)
    return found.rstrip(".")


def networks(text: str) -> tuple[str, ...]:
    """The addresses and networks of a comma-separated list. Raises BadValue."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in found:
        try:
            if part != "*":
                ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise BadValue.of("proxy_unusable", given=part) from None
    return found
