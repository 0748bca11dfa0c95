"""Pure rules for HTTP requests: which paths exist, which pages may send them, how large bodies may be.

Nothing here counts or waits; middleware.py applies it to every request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

API = "/gradio_api/"
FILE = API + "file="
UPLOAD = API + "upload"
MCP = API + "mcp"
LOGIN = "/login"
PREVIEW = "/preview"

PAGE_PATHS = re.compile(
    r"/(?:|config/?|theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon(?:/\d{1,3})?|login/?|logout|healthz|preview"
    r"|(?:assets|static|svelte|page)/.+|media/[^/]+/[^/]+)"
)
API_PATHS = re.compile(
    r"(?:info/?|openapi\.json|user/?|login_check/?|token/?|app_id/?|startup-events|theme\.css|reset/?|cancel"
    r"|queue/(?:join|data|status)|(?:run|api|call)/.+|upload|upload_progress|component_server/?"
    r"|heartbeat/[^/]+|file=.+|mcp(?:/.*)?)"
)
"""What the page, gradio_client and MCP clients use. Gradio's other paths (a recorder, an editor, a proxy,
dashboards) answer 404."""

WITHOUT_LOGIN = re.compile(r"(?:login_check|user|token|app_id)/?|startup-events|theme\.css")
"""Below API: what the page asks before it knows whether there is a login."""

NAME_BYTES = 255
"""Of one part of a path to a file of the page."""
RANGE = re.compile(r"bytes=(?:\d+-\d*|-\d+)")
"""One range of a file."""
JSON_BYTES = 256_000
LOGIN_BYTES = 16_000
MULTIPART_BYTES = 1_000_000
"""Allowance for the multipart encoding around an uploaded file."""
MCP_FILE_BYTES = 24_000_000
"""The largest file inside an MCP request, which Gradio holds in memory as text."""


def is_known(path: str) -> bool:
    """Whether this path is one of the studio's. path: decoded, without a proxy's prefix."""
    if path.startswith(API):
        return API_PATHS.fullmatch(path, len(API)) is not None
    if any(len(name.encode("utf-8", "replace")) > NAME_BYTES for name in path.split("/")) or "\0" in path:
        return False  # no file system has such a name
    return PAGE_PATHS.fullmatch(path) is not None


def is_work(method: str, path: str) -> bool:
    """Whether a request costs more than sending a file, and so counts against the rate limits."""
    if method not in ("GET", "HEAD"):
        return True
    work = ("queue/", "call/", "upload_progress", "heartbeat", "mcp")
    return path == PREVIEW or path.startswith(tuple(API + name for name in work))


def needs_login(path: str) -> bool:
    """Whether this path is for logged-in visitors where there is a login. Gradio leaves some of them open:
    heartbeats, cancelling, MCP."""
    if path.startswith(API):
        return WITHOUT_LOGIN.fullmatch(path, len(API)) is None
    return path == PREVIEW


def body_limit(path: str, max_upload_bytes: int) -> int:
    """The most bytes that a request to this path may have in its body."""
    if path == UPLOAD:
        return max_upload_bytes + MULTIPART_BYTES
    if path.startswith(MCP):
        return min(max_upload_bytes, MCP_FILE_BYTES) * 4 // 3 + JSON_BYTES
    return LOGIN_BYTES if path.rstrip("/") == LOGIN else JSON_BYTES


def is_large(headers: Mapping[str, str]) -> bool:
    """Whether the body may be larger than a request without a file inside."""
    length = headers.get("content-length", "")
    return int(length) > JSON_BYTES if length.isdecimal() else "transfer-encoding" in headers


def is_foreign(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether another web page made the browser send this, and it is not just a link to ours.

    headers: lower-case names. Sec-Fetch-Site is set by the browser and no page can change it. Where it is
    missing (plain http, old browsers), Origin must be one of the hosts that the request was sent to.
    X-Forwarded-Host counts as one: exchange.py leaves it only where it can be believed.
    """
    if path == "/healthz" and method in ("GET", "HEAD"):
        return False
    site = headers.get("sec-fetch-site", "")
    if site == "same-origin":
        return False
    if site in ("cross-site", "same-site"):
        leads_here = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        return not leads_here or path == "/logout"
    origin = headers.get("origin")
    return origin is not None and not _own(origin, headers)


def _own(origin: str, headers: Mapping[str, str]) -> bool:
    try:
        parts = urlsplit(origin)
        name, port = parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return False
    if not name or port is None:  # "null", and schemes other than http
        return False
    proxied = "x-forwarded-for" in headers or "x-forwarded-proto" in headers
    hosts = [headers.get("host", ""), *headers.get("x-forwarded-host", "").split(",")]
    for host in hosts:
        try:
            given = urlsplit("//" + host.strip())
            known, known_port = given.hostname, given.port
        except ValueError:
            continue
        if known != name:
            continue
        if known_port == port or (known_port is None and (port in (80, 443) or proxied)):
            return True
    return False


def is_direct(client: str, headers: Mapping[str, str]) -> bool:
    """Whether the client is a program or browser on this machine, without a proxy or tunnel in between."""
    if any(name.startswith("x-forwarded") or name == "forwarded" for name in headers):
        return False
    try:
        host = urlsplit("//" + headers.get("host", "")).hostname or ""
    except ValueError:
        return False
    return client in ("127.0.0.1", "::1") and host in ("127.0.0.1", "localhost", "::1")
