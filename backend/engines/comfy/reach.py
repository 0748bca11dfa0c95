"""Why the server at an address cannot be used as a ComfyUI: from a failed connection, or from its response.

Each reason is a row of REASONS. Reasons in FINAL are a matter of configuration or of another program at the
address: they do not end by themselves, so nothing waits for them for long.
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import LocationParseError

from backend.errors import EngineUnreachable

Reason = Literal[
    "silent", "refused", "no_route", "no_connection", "no_host", "proxy",
    "certificate", "certificate_expired", "certificate_name", "tls_failed", "speaks_http", "speaks_https",
    "login", "login_refused", "forbidden", "login_page", "moved", "no_path", "web_page", "not_http",
    "not_comfyui",
]  # fmt: skip


class Sentences(NamedTuple):
    """`message` and `hint` with the places {address}, {host} and {more}, which depends on the reason."""

    message: str
    hint: str = ""


REASONS: Mapping[Reason, Sentences] = {
    "silent": Sentences("The ComfyUI at {address} does not answer."),
    "refused": Sentences(
        "Nothing listens at {address}: the connection is refused.",
        "Start ComfyUI there and check the port. On another machine it needs --listen 0.0.0.0.",
    ),
    "no_route": Sentences(
        "The machine of {address} cannot be reached from here.",
        "Check the network and the VPN, and that the machine is switched on.",
    ),
    "no_connection": Sentences(
        "No connection to {address}: its machine does not respond.",
        "Check the address, and whether a firewall blocks the port.",
    ),
    "no_host": Sentences(
        "There is no host {host}, or its name cannot be looked up from here.",
        "Check the spelling of the address, and the network or VPN that knows this name.",
    ),
    "proxy": Sentences(
        "The proxy at {address} answers, but not the ComfyUI behind it (HTTP {more}).",
        "Check that ComfyUI is running and that the proxy leads to its port.",
    ),
    "certificate": Sentences(
        "The certificate of {address} is not trusted: {more}.",
        "Set WAN_COMFYUI_CA to a file with the certificate of its authority, or with its own if it is"
        " self-signed.",
    ),
    "certificate_expired": Sentences(
        "The certificate of {address} is out of date: {more}.",
        "Renew it there, or correct the clock of this machine.",
    ),
    "certificate_name": Sentences(
        "The certificate of {address} is for another name: {more}.",
        "Use the name in the certificate as the address, or get one for this name.",
    ),
    "tls_failed": Sentences(
        "No secure connection to {address} is possible: {more}.",
        "Check the TLS settings there; a server that asks for a client certificate cannot be used.",
    ),
    "speaks_http": Sentences(
        "The server at {address} does not use https.", "Write http:// instead of https:// in the address."
    ),
    "speaks_https": Sentences(
        "The server at {address} takes https only.", "Write https:// instead of http:// in the address."
    ),
    "login": Sentences(
        "The ComfyUI at {address} asks for a password.",
        "Set WAN_COMFYUI_LOGIN=user:password, or put it into the address: http://user:password@host:port.",
    ),
    "login_refused": Sentences(
        "The ComfyUI at {address} does not accept the user and password.",
        "Check WAN_COMFYUI_LOGIN, or the user and password in the address (special characters as %XX).",
    ),
    "forbidden": Sentences(
        "The server at {address} refuses access (HTTP {more}).",
        "Give Wan Studio access to it there, or set WAN_COMFYUI_LOGIN if it takes a user and password.",
    ),
    "login_page": Sentences(
        "A login page stands in front of the ComfyUI at {address}.",
        "Use an address without it (a tunnel or ComfyUI's own port). WAN_COMFYUI_LOGIN helps only where the"
        " login is HTTP basic authentication.",
    ),
    "moved": Sentences(
        "The server at {address} redirects to {more}.", "Use that address, if it is the one of ComfyUI."
    ),
    "no_path": Sentences(
        "The server at {address} answers, but there is no ComfyUI at this address (HTTP {more}).",
        "Check the port. Behind a proxy, write the whole path, as in http://host/comfy.",
    ),
    "web_page": Sentences(
        "Something answers at {address}, but not as ComfyUI does: it sends a web page.",
        "Check that the address is that of a ComfyUI.",
    ),
    "not_http": Sentences(
        "Something answers at {address} that is not a web server.",
        "Check that host and port are those of a ComfyUI.",
    ),
    "not_comfyui": Sentences(
        "Something answers at {address}, but not as ComfyUI does.",
        "Check that the address is that of a ComfyUI.",
    ),
}

FINAL: frozenset[str] = frozenset(REASONS) - {
    "silent", "refused", "no_route", "no_connection", "no_host", "proxy",
}  # fmt: skip

PROXY_ERRORS = frozenset({408, 425, 429, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530})
"""HTTP statuses of a proxy whose server did not respond (Cloudflare sends 52x, RunPod's proxy 524)."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_EXPIRED, _NOT_YET, _NAME, _ADDRESS = 10, 9, 62, 64
"""Results of OpenSSL's certificate verification: X509_V_ERR_CERT_HAS_EXPIRED, ..._NOT_YET_VALID,
..._HOSTNAME_MISMATCH, ..._IP_ADDRESS_MISMATCH."""
_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL",
                    "PACKET_LENGTH_TOO_LONG", "HTTPS_PROXY_REQUEST"})  # fmt: skip
"""OpenSSL's reasons for bytes that are not TLS."""
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_TLS_ALERT = re.compile(r"\\x15\\x03|\x15\x03")
_LOGIN = re.compile(r"type=[\"']?password|log[ _-]?in|sign[ _-]?in|single sign|\bsso\b|oauth|/auth", re.I)
_TLS_ONLY = re.compile(r"\bhttps port\b|http request to an https server", re.I)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|\?xml)", re.I | re.S)


@dataclass(frozen=True)
class Place:
    """An address without credentials. `login`: credentials are sent to it."""

    address: str
    login: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or ""


def unreachable(reason: Reason, place: Place, detail: str, more: str = "") -> EngineUnreachable:
    """The error for a reason. `more`: for its sentence."""
    row = REASONS[reason]
    error = EngineUnreachable(
        row.message.format(address=place.address, host=place.host, more=more), row.hint, detail=detail
    )
    error.reason, error.final = reason, reason in FINAL
    return error


def connection_problem(error: BaseException, place: Place, detail: str) -> EngineUnreachable:
    """The error for an exception of a request or a websocket handshake."""
    reason, more = _connection_reason(error, place)
    return unreachable(reason, place, detail, more)


def _connection_reason(error: BaseException, place: Place) -> tuple[Reason, str]:
    chain = list(related(error))
    for item in chain:
        if isinstance(item, ssl.SSLCertVerificationError):
            return _certificate_reason(item)
    for item in chain:
        if isinstance(item, ssl.SSLError):
            plain = item.reason in _PLAIN
            return ("speaks_http", "") if plain else ("tls_failed", item.reason or "the handshake fails")
        if isinstance(item, socket.gaierror):
            return "no_host", ""
        if isinstance(item, ConnectionRefusedError):
            return "refused", ""
        if isinstance(item, OSError) and item.errno in _NO_ROUTE:
            return "no_route", ""
    if any(
        isinstance(item, UnicodeError | LocationParseError | requests.exceptions.InvalidURL) for item in chain
    ):
        return "no_host", ""
    for item in chain:
        if isinstance(item, http.client.BadStatusLine) and not isinstance(
            item, http.client.RemoteDisconnected
        ):
            secure = _TLS_ALERT.search(str(item)) is not None
            return ("speaks_https", "") if secure else ("not_http", "")
    if any(isinstance(item, requests.ConnectTimeout) for item in chain):
        return "no_connection", ""
    return "silent", ""


def _certificate_reason(error: ssl.SSLCertVerificationError) -> tuple[Reason, str]:
    code, words = error.verify_code, error.verify_message.rstrip(".")
    if code in (_EXPIRED, _NOT_YET):
        return "certificate_expired", words
    if code in (_NAME, _ADDRESS):
        return "certificate_name", words
    return "certificate", words or "it cannot be verified"


def related(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that it was raised from, wraps, or has as arguments; each once."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        item = queue.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]


def response_problem(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    url: str,
    place: Place,
    detail: str,
    *,
    own_refusals: bool = False,
) -> EngineUnreachable | None:
    """The error for a response that no ComfyUI gives; None for one that it may give.

    `body`: its beginning, b"" if it was not read; `url`: what was requested, without credentials;
    `own_refusals`: ComfyUI itself may answer this request with 403.
    """
    if status in PROXY_ERRORS:
        return unreachable("proxy", place, detail, str(status))
    if status == 401:
        return unreachable("login_refused" if place.login else "login", place, detail)
    if status == 407 or status == 511:
        return unreachable("login_page", place, detail)
    if status in REDIRECTS:
        return _redirect(headers.get("Location", ""), url, place, detail)
    text = body[:20_000].decode("utf-8", "replace")
    if status == 400 and not _is_json(body) and _TLS_ONLY.search(text):
        return unreachable("speaks_https", place, detail)
    if not is_html(headers.get("Content-Type", ""), body):
        refused = status == 403 and not own_refusals
        return unreachable("forbidden", place, detail, str(status)) if refused else None
    if status >= 500:
        return unreachable("proxy", place, detail, str(status))
    if _LOGIN.search(text):
        return unreachable("login_page", place, detail)
    reason: Reason = "forbidden" if status == 403 else "no_path" if status == 404 else "web_page"
    return unreachable(reason, place, detail, str(status))


def _redirect(location: str, url: str, place: Place, detail: str) -> EngineUnreachable:
    """A redirect keeps the path when a server has moved or takes https only; else it leads to a login."""
    asked, inside = urlsplit(url), urlsplit(place.address).path
    try:
        target = urlsplit(location)
    except ValueError:
        return unreachable("login_page", place, detail)
    own = asked.path.removeprefix(inside).split("?")[0]
    if target.username is None and own and target.path.endswith(own) and not _LOGIN.search(target.path):
        if target.scheme == "https" and asked.scheme == "http" and target.netloc == asked.netloc:
            return unreachable("speaks_https", place, detail)
        scheme, netloc = target.scheme or asked.scheme, target.netloc or asked.netloc
        moved = f"{scheme}://{netloc}{target.path.removesuffix(own)}"
        if moved != place.address:
            return unreachable("moved", place, detail, moved)
    return unreachable("login_page", place, detail)


def is_html(content_type: str, body: bytes) -> bool:
    """Whether a response is a web page, by its type or its beginning."""
    if _is_json(body):  # under a wrong type
        return False
    return content_type.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml") or (
        _HTML.match(body[:2000]) is not None
    )


def _is_json(body: bytes) -> bool:
    return body.lstrip()[:1] in (b"{", b"[")


def takes_tls(address: str, seconds: float) -> bool:
    """Whether a TLS handshake succeeds at an http address: the server takes https only. Sends nothing else
    and verifies nothing."""
    parts = urlsplit(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), seconds) as plain:
            plain.settimeout(seconds)
            with context.wrap_socket(plain, server_hostname=parts.hostname):
                return True
    except (OSError, ValueError):
        return False
