"""Checks of the settings for ComfyUI servers: addresses, credentials, certificates. No message repeats a
password."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from backend.settings.checks import BadValue

EXAMPLE = "http://127.0.0.1:8188"
HINT = (
    f"Example: COMFYUI_URL={EXAMPLE}. In a user or password, write special characters as %XX (@ is %40, / is"
    " %2F, : is %3A, # is %23, a comma is %2C), or use WAN_COMFYUI_LOGIN."
)


def comfyui_urls(text: str) -> tuple[str, ...]:
    """The addresses of a comma-separated list, without a slash at the end; http:// is added where there is no
    scheme."""
    shows = "@" not in text  # else a part may belong to a password
    return tuple(_url(part.strip(), shows) for part in text.split(",") if part.strip())


def _url(url: str, shows: bool) -> str:
    whole = url if "://" in url else "http://" + url
    try:
        parts = urlsplit(whole)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:  # a port out of range, an incomplete IPv6 address
        wrong = True
    named = repr(url) if shows else "an address"
    if wrong:
        raise BadValue(f"COMFYUI_URL has {named}, which is not an http address.", HINT)
    if "@" in parts.path + parts.query + parts.fragment:
        raise BadValue("COMFYUI_URL has an address with a user or password that cannot be read.", HINT)
    if parts.query or parts.fragment:
        raise BadValue(
            f"COMFYUI_URL has {named} with ? or #; an address ends with its path, before ? and #.",
            f"Example: COMFYUI_URL={EXAMPLE}",
        )
    return whole.rstrip("/")


def comfyui_login(text: str) -> str:
    """user:password."""
    user, colon, password = text.partition(":")
    if text and not (user and colon and password):
        raise BadValue(
            "WAN_COMFYUI_LOGIN is not user:password.", "Example: WAN_COMFYUI_LOGIN=ann:a-long-password"
        )
    if not text.isprintable():
        raise BadValue(
            "WAN_COMFYUI_LOGIN has a character that cannot be seen, such as a tab or a line break.",
            "Type it again.",
        )
    return text


def certificates(file: Path | None) -> Path | None:
    """A file with at least one certificate in PEM format."""
    if file is None:
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(file)
        usable = bool(context.cert_store_stats()["x509"])
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        usable = False
    if not usable:
        missing = not file.is_file()
        raise BadValue(
            f"WAN_COMFYUI_CA is {file}, and "
            + ("there is no such file." if missing else "there is no certificate in it."),
            "It takes a text file that contains -----BEGIN CERTIFICATE-----.",
        )
    return file


def login_of(url: str) -> str:
    """The user:password in an address, decoded; "" for none."""
    parts = urlsplit(url)
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""


def password_forms(login: str) -> tuple[str, ...]:
    """The password of a login in the forms in which it can occur in a text: plain, percent-encoded, and as
    part of the header."""
    password = login.partition(":")[2]
    if not password:
        return ()
    return (password, quote(password, safe=""), base64.b64encode(login.encode()).decode())
