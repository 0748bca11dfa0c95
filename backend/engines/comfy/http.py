"""HTTP client of one ComfyUI server. Every failure is raised as EngineUnreachable or EngineError."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import threading
from collections.abc import Mapping
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import certifi
import requests
from urllib3.exceptions import LocationParseError

from backend.engines.answer_size import ANSWER_MAX, TooLong, read_whole
from backend.engines.comfy.reach import Place, connection_problem, related, response_problem, unreachable
from backend.engines.comfy.time_limit import TimeLimitAdapter, socket_of, time_limit
from backend.engines.json_values import decoded
from backend.errors import EngineError, EngineUnreachable

log = logging.getLogger("wan.engines.comfy")

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
POST_SECONDS = 60.0  # ComfyUI validates a prompt only after it has loaded a model
DEADLINE_FACTOR = 6  # a response must be complete within this many read timeouts
PEEK_BYTES, PEEK_SECONDS = 20_000, 5.0
"""How much of a web page is read to find out which one it is, and for how long."""
IDENTIFYING = ("/system_stats", "/queue")  # paths that every ComfyUI has


class Http:
    """A session with one server. Thread-safe; proxies and credentials of the environment are ignored.

    Redirects are not followed: a POST would become a GET, and none leads to a ComfyUI.
    """

    def __init__(
        self,
        url: str,
        *,
        connect: float = CONNECT_SECONDS,
        read: float = READ_SECONDS,
        login: str = "",
        ca: Path | None = None,
        most: int = ANSWER_MAX,
    ) -> None:
        """`login`: user:password, where the URL has none. `ca`: a file of certificates that are trusted
        besides the public authorities and those of this machine. `most`: bytes of an answer that is not
        streamed."""
        self._most = most
        url = url.strip() if "://" in url else f"http://{url.strip()}"
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        netloc = parts.netloc.rpartition("@")[2]
        self.address = f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"
        self.headers = {"User-Agent": "wan-studio"}
        pair = (
            f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            if parts.username is not None
            else login
        )
        if pair:
            self.headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self.place = Place(self.address, bool(pair))
        self._ca = ca
        self._timeout = (connect, read)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(self.headers)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = TimeLimitAdapter(self.tls if parts.scheme == "https" else None, pool_maxsize=8)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._closed = threading.Event()

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What a server's certificate is verified with."""
        context = ssl.create_default_context(cafile=certifi.where())
        context.load_default_certs()
        if self._ca is not None:
            context.load_verify_locations(self._ca)
            # The file may hold the server's own certificate, and those of private authorities often lack
            # extensions that strict verification requires.
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
            context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
        return context

    @property
    def loopback(self) -> bool:
        """Whether the address is a loopback address (which may lead to a container or a tunnel)."""
        return self.host == "localhost" or self.host == "::1" or self.host.startswith("127.")

    def socket_url(self, client_id: str) -> str:
        """The websocket URL for a client id."""
        return f"ws{self.address.removeprefix('http')}/ws?clientId={quote(client_id)}"

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The decoded JSON of a GET. Raises EngineUnreachable, or EngineError unless the status is 200."""
        response = self._request_with_retry("GET", path, params=params)
        if response.status_code == 404 and path in IDENTIFYING:
            raise unreachable("no_path", self.place, f"GET {path}: HTTP 404", "404")
        if response.status_code != 200:
            raise EngineError.of("unexpected_response", detail=f"GET {path}: HTTP {response.status_code}")
        try:
            return decoded(response.content)
        except ValueError as error:
            detail = f"{path}: no JSON: {response.text[:200]!r}"
            raise unreachable("not_comfyui", self.place, detail) from error

    def head(self, path: str, params: Mapping[str, str]) -> tuple[int, int]:
        """Status and Content-Length (-1 if missing) of a HEAD request. Raises EngineUnreachable."""
        response = self._request_with_retry(
            "HEAD", path, params=params, headers={"Accept-Encoding": "identity"}
        )
        length = response.headers.get("Content-Length", "")
        return response.status_code, int(length) if length.isdigit() else -1

    def post(self, path: str, body: Mapping[str, Any], *, read: float = 0.0) -> tuple[int, Any]:
        """Status and body (decoded JSON, else text) of a POST request with a JSON body.

        Never repeated: after EngineUnreachable the caller has to find out whether the request arrived.
        """
        data = json.dumps(body, allow_nan=False).encode()
        timeout = (self._timeout[0], read or self._timeout[1])
        response = self._request_in_time("POST", path, data=data, timeout=timeout, content="application/json")
        return response.status_code, _body(response)

    def upload(self, path: str, form: Any, content: str) -> tuple[int, Any]:
        """Streams a file-like form that has a length; returns status and body. Raises EngineUnreachable."""
        timeout = (self._timeout[0], POST_SECONDS)
        response = self._send("POST", path, data=form, timeout=timeout, content=content)
        return response.status_code, _body(response)

    def stream(self, path: str, params: Mapping[str, str]) -> requests.Response:
        """A response whose body has not been read; the caller closes it. Raises EngineUnreachable."""
        return self._send("GET", path, params=params, stream=True, headers={"Accept-Encoding": "identity"})

    def close(self) -> None:
        """Closes the session's connections."""
        self._closed.set()
        self._session.close()

    def _request_with_retry(self, method: str, path: str, **more: Any) -> requests.Response:
        """Repeats an idempotent request once: a kept-alive connection may have been closed by the server."""
        try:
            return self._request_in_time(method, path, **more)
        except EngineUnreachable as error:
            if error.reason != "silent" or isinstance(error.__cause__, requests.Timeout):
                raise
            return self._request_in_time(method, path, **more)

    def _request_in_time(self, method: str, path: str, **more: Any) -> requests.Response:
        """A response that is complete within the deadline. Raises EngineUnreachable."""
        seconds = DEADLINE_FACTOR * (more["timeout"][1] if "timeout" in more else self._timeout[1])
        with time_limit(seconds) as limit:
            try:
                response = self._send(method, path, **more)
            except EngineUnreachable:
                if not limit.expired:
                    raise
            if not limit.expired:  # a response that is cut off in its headers looks like an empty one
                return response
        late = requests.ReadTimeout(f"no complete response within {seconds:g} s")
        raise unreachable("silent", self.place, f"{method} {path}: {late}") from late

    def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: tuple[float, float] | None = None,
        content: str = "",
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        **more: Any,
    ) -> requests.Response:
        """The response. Raises EngineUnreachable, also for a response that no ComfyUI gives."""
        headers = {**(headers or {}), **({"Content-Type": content} if content else {})}
        try:
            response = self._session.request(
                method,
                self.address + path,
                timeout=timeout or self._timeout,
                headers=headers,
                stream=True,
                allow_redirects=False,
                **more,
            )
            if not stream:
                read_whole(response, self._most)
        except TooLong as error:
            raise unreachable("not_comfyui", self.place, f"{method} {path}: {error}") from error
        except (requests.RequestException, LocationParseError, OSError, UnicodeError) as error:
            raise connection_problem(error, self.place, f"{method} {path}: {_short(error)}") from error
        problem = response_problem(
            response.status_code,
            response.headers,
            _beginning(response) if stream else response.content[:PEEK_BYTES],
            self.address + path,
            self.place,
            f"{method} {path}: HTTP {response.status_code}",
            own_refusals=path == "/view",
        )
        if problem is not None:
            response.close()
            raise problem
        return response


def _beginning(response: requests.Response) -> bytes:
    """The beginning of a streamed response that announces a web page; b"" for any other, which stays
    unread."""
    if not response.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml")):
        return b""
    try:
        with time_limit(PEEK_SECONDS, socket_of(response)):
            return next(response.iter_content(PEEK_BYTES), b"")
    except (requests.RequestException, OSError):
        return b""


def _body(response: requests.Response) -> Any:
    """Decoded JSON, else the beginning of the text."""
    try:
        return decoded(response.content)
    except ValueError:
        return response.text[:2000]


def is_connection_refused(error: BaseException) -> bool:
    """Whether the connection was refused, as opposed to a slow or invalid response."""
    return any(isinstance(item, ConnectionRefusedError) for item in related(error))


def is_read_timeout(error: BaseException) -> bool:
    """Whether the server accepted the request and then did not respond in time."""
    return isinstance(error.__cause__, requests.ReadTimeout)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
