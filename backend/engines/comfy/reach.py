"""Why the server at an address cannot be used as a ComfyUI: from a failed connection, or from its response.

The words of a reason are those of the code reach_<reason> in error_texts/reach.py. Reasons in FINAL are a
matter of configuration or of another program at the address: they do not end by themselves, so nothing waits
for them for long.
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import LocationParseError

from backend.errors import EngineUnreachable
from workflows.notice import Notice, made

Reason = Literal[
    "silent", "refused", "no_route", "no_connection", "no_host", "proxy",
    "certificate", "certificate_expired", "certificate_name", "tls_failed", "speaks_http", "speaks_https",
    "login", "login_refused", "forbidden", "login_page", "moved", "no_path", "web_page", "not_http",
    "not_comfyui",
]  # fmt: skip


REASONS: tuple[Reason, ...] = get_args(Reason)

_MORE: Mapping[str, str] = {
    **dict.fromkeys(("proxy", "forbidden", "no_path"), "status"),
    **dict.fromkeys(("certificate", "certificate_expired", "certificate_name", "tls_failed"), "problem"),
    "moved": "target",
}
"""Reason -> the argument with the particulars: an HTTP status, OpenSSL's words, the address of a redirect."""

_UNNAMED = frozenset({"certificate", "tls_failed"})
"""Reasons for which OpenSSL may have no words."""

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
_WANTS_CERTIFICATE = re.compile(r"\brequired SSL certificate\b|\bSSL certificate error\b", re.I)
_TLS_ONLY = re.compile(r"\bhttps port\b|http request to an https server", re.I)
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|\?xml)", re.I | re.S
)
"""The beginning of a web page, also behind the byte order mark that some servers on Windows send."""


@dataclass(frozen=True)
class Place:
    """An address without credentials. `login`: credentials are sent to it."""

    address: str
    login: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or ""


def unreachable(reason: Reason, place: Place, detail: str, more: str = "") -> EngineUnreachable:
    """The error for a reason. `more`: see _MORE; "" for those of _UNNAMED."""
    error = EngineUnreachable.because(_notice(reason, place, more), detail=detail)
    error.reason, error.final = reason, reason in FINAL
    return error


def _notice(reason: Reason, place: Place, more: str) -> Notice:
    args = {"host": place.host} if reason == "no_host" else {"address": place.address}
    if reason in _UNNAMED and not more:
        return made(f"reach_{reason}_unnamed", args)
    if reason in _MORE:
        args[_MORE[reason]] = more
    return made(f"reach_{reason}", args)


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
        if isinstance(item, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return "silent", ""  # closed by a tunnel whose server is down, as a plain connection would be
        if isinstance(item, ssl.SSLError):
            plain = item.reason in _PLAIN
            return ("speaks_http", "") if plain else ("tls_failed", item.reason or "")
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
        if isinstance(item, http.client.HTTPException) and not isinstance(
            item, http.client.RemoteDisconnected | http.client.IncompleteRead
        ):
            secure = _TLS_ALERT.search(str(item)) is not None
            return ("speaks_https", "") if secure else ("not_http", "")
        if isinstance(item, requests.exceptions.ContentDecodingError):
            return "not_comfyui", ""
    if any(isinstance(item, requests.ConnectTimeout) for item in chain):
        return "no_connection", ""
    return "silent", ""


def _certificate_reason(error: ssl.SSLCertVerificationError) -> tuple[Reason, str]:
    code, words = error.verify_code, error.verify_message.rstrip(".")
    if code in (_EXPIRED, _NOT_YET):
        return "certificate_expired", words
    if code in (_NAME, _ADDRESS):
        return "certificate_name", words
    return "certificate", words


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
    if status == 400 and not _is_json(body) and _WANTS_CERTIFICATE.search(text):
        return unreachable("tls_failed", place, detail)
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
    """A redirect keeps the path when a server has moved or takes https only; else it leads to a login, or to
    where it came from."""
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
    if own and location and _same_page(urljoin(url, location), url):  # for ever, or with a slash at its end
        return unreachable("not_comfyui", place, detail)
    return unreachable("login_page", place, detail)


def _same_page(one: str, two: str) -> bool:
    return one.partition("?")[0].rstrip("/") == two.partition("?")[0].rstrip("/")


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
