"""Downloads the input files of a job: https URLs on public hosts only, limited in size and time.

URLs must not give access to the worker's own network (server-side request forgery). The host is resolved
here, all of its addresses must be public, and the connection uses the checked address, because a second
lookup could return another one. Redirects are checked in the same way.
"""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit

import certifi
import urllib3

from backend.errors import BadInput, JobCancelled, from_os_error
from backend.worker.addresses import is_public

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 10.0, 20.0, 180.0
REDIRECTS = 4
CHUNK = 1 << 17
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def resolve(host: str, port: int) -> list[str]:
    """All IP addresses of a host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def download(
    url: str,
    target: Path,
    limit: int,
    field: str,
    stop: Callable[[], None],
    *,
    schemes: Sequence[str] = ("https",),
    public: Callable[[str], bool] = is_public,
    seconds: float = WHOLE_SECONDS,
) -> None:
    """Downloads `url` to `target`, at most `limit` bytes within `seconds`.

    `stop` is called for each block and may raise to abort. Raises BadInput with the field, DiskFull.
    """
    until = time.monotonic() + seconds
    try:
        for _ in range(REDIRECTS + 1):
            parts, addresses = _checked(url, schemes, public, field)
            response = _open(parts, addresses[0])
            try:
                if response.status in (301, 302, 303, 307, 308):
                    url = _joined(url, response.headers.get("Location", ""))
                    continue
                if response.status != 200:
                    raise BadInput.of("address_status", parameter=field, status=response.status, field=field)
                _write(response, target, limit, field, stop, until)
                return
            finally:
                response.close()
        raise BadInput.of("address_redirects", parameter=field, field=field)
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, UnicodeError) as error:
        raise BadInput.of(
            "address_not_fetched", parameter=field, field=field, detail=f"{type(error).__name__}: {error}"
        ) from error


def _checked(
    url: str, schemes: Sequence[str], public: Callable[[str], bool], field: str
) -> tuple[SplitResult, list[str]]:
    try:
        if _CONTROL.search(url):
            raise ValueError("a control character")
        parts = _in_ascii(urlsplit(url))
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in schemes or not parts.hostname or parts.username is not None:
        raise BadInput.of("address_not_https", parameter=field, field=field)
    try:
        addresses = resolve(parts.hostname, port)
    except (OSError, ValueError) as error:
        raise BadInput.of(
            "address_host_unknown", parameter=field, host=parts.hostname, field=field
        ) from error
    if not addresses or not all(public(address) for address in addresses):
        raise BadInput.of(
            "address_not_public",
            parameter=field,
            field=field,
            detail=f"{parts.hostname}: {', '.join(addresses)}",
        )
    return parts, addresses


def _joined(url: str, location: str) -> str:
    """Where a redirect leads; "" for what is no address."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def _in_ascii(parts: SplitResult) -> SplitResult:
    """The address with its host as it is looked up and sent. Raises ValueError."""
    host = parts.hostname or ""
    if host.isascii() or parts.username is not None:  # the latter is refused
        return parts
    coded = host.encode("idna").decode()
    return parts._replace(netloc=coded if parts.port is None else f"{coded}:{parts.port}")


def _open(parts: SplitResult, address: str) -> urllib3.BaseHTTPResponse:
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme == "https":
        pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(
            address, parts.port or 443, timeout=timeout, retries=False, cert_reqs="CERT_REQUIRED",
            ca_certs=certifi.where(), server_hostname=parts.hostname, assert_hostname=parts.hostname,
        )  # fmt: skip
    else:
        pool = urllib3.HTTPConnectionPool(address, parts.port or 80, timeout=timeout, retries=False)
    headers = {"Host": parts.netloc, "User-Agent": "wan-studio", "Accept-Encoding": "identity"}
    return pool.request(
        "GET", path, headers=headers, redirect=False, preload_content=False, assert_same_host=False
    )


def _write(
    response: urllib3.BaseHTTPResponse,
    target: Path,
    limit: int,
    field: str,
    stop: Callable[[], None],
    until: float,
) -> None:
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(field, limit)
    count = 0
    try:
        with target.open("wb") as file:
            for data in response.stream(CHUNK):
                stop()
                count += len(data)
                if count > limit:
                    raise _too_large(field, limit)
                if time.monotonic() > until:
                    raise BadInput.of("address_slow", parameter=field, field=field)
                file.write(data)
    except OSError as error:
        raise from_os_error(error) from error
    except JobCancelled:
        target.unlink(missing_ok=True)
        raise
    if count == 0:
        raise BadInput.of("address_empty", parameter=field, field=field)


def _too_large(field: str, limit: int) -> BadInput:
    return BadInput.of("address_too_large", parameter=field, megabytes=limit / 1e6, field=field)
