"""Checks of the settings for ComfyUI servers: addresses, credentials, certificates. No message repeats a
password."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from backend.settings.checks import BadValue


def comfyui_urls(text: str) -> tuple[str, ...]:
    """The addresses of a comma-separated list, without a slash at the end; http:// is added where there is no
    scheme. Raises BadValue."""
    shows = "@" not in text  # else a part may belong to a password
    return tuple(_url(part.strip(), shows) for part in text.split(",") if part.strip())


def _url(url: str, shows: bool) -> str:
    whole = url if "://" in url else "http://" + url
    try:
        parts = urlsplit(whole)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:  # a port out of range, an incomplete IPv6 address
        wrong = True
    if wrong:
        raise (
            BadValue.of("comfyui_url_unusable", given=url)
            if shows
            else BadValue.of("comfyui_url_hidden_unusable")
        )
    if "@" in parts.path + parts.query + parts.fragment:
        raise BadValue.of("comfyui_url_login")
    if parts.query or parts.fragment:
        raise (
            BadValue.of("comfyui_url_query", given=url) if shows else BadValue.of("comfyui_url_hidden_query")
        )
    return whole.rstrip("/")


def comfyui_login(text: str) -> str:
    """user:password, of printable characters. Raises BadValue."""
    user, colon, password = text.partition(":")
    if text and not (user and colon and password):
        raise BadValue.of("comfyui_login_not_a_pair")
    if not text.isprintable():
        raise BadValue.of("comfyui_login_unprintable")
    return text


def certificates(file: Path | None) -> Path | None:
    """A file with at least one certificate in PEM format. Raises BadValue."""
    if file is None:
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(file)
        usable = bool(context.cert_store_stats()["x509"])
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        usable = False
    if not usable:
        code = "certificates_unusable" if file.is_file() else "certificates_missing"
        raise BadValue.of(code, path=str(file))
    return file


def login_of(url: str) -> str:
    """The user:password in an address, decoded; "" for none."""
    parts = urlsplit(url)
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username is not None else ""


def password_forms(login: str) -> tuple[str, ...]:
    """The password of a login in the forms in which it can occur in a text: plain, percent-encoded, and as
    part of the header."""
    password = login.partition(":")[2]
    if not password:
        return ()
    return (password, quote(password, safe=""), base64.b64encode(login.encode()).decode())
