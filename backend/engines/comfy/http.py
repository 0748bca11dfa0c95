"""HTTP client of one ComfyUI server. Every failure is raised as EngineUnreachable or EngineError."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests

from backend.engines.comfy.time_limit import TimeLimitAdapter, time_limit
from backend.errors import EngineError, EngineUnreachable

log = logging.getLogger("wan.engines.comfy")

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
POST_SECONDS = 60.0  # ComfyUI validates a prompt only after it has loaded a model
DEADLINE_FACTOR = 6  # a response must be complete within this many read timeouts
PROXY_ERRORS = frozenset({408, 425, 429, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530})
"""HTTP statuses of a proxy whose server did not respond (Cloudflare sends 52x, RunPod's proxy 524)."""


class Http:
    """A session with one server. Thread-safe; proxies and credentials of the environment are ignored."""

    def __init__(self, url: str, *, connect: float = CONNECT_SECONDS, read: float = READ_SECONDS) -> None:
        url = url.strip() if "://" in url else f"http://{url.strip()}"
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        netloc = parts.netloc.rpartition("@")[2]
        self.address = f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"
        self.headers = {"User-Agent": "wan-studio"}
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        self._timeout = (connect, read)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(self.headers)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = TimeLimitAdapter(pool_maxsize=8)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._closed = threading.Event()

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
        if response.status_code != 200:
            raise EngineError(
                "ComfyUI sent an unexpected response.",
                "Check that the address is that of a ComfyUI.",
                detail=f"GET {path}: HTTP {response.status_code}",
            )
        return self._json(response, path)

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
        try:
            return response.status_code, response.json()
        except (ValueError, RecursionError):
            return response.status_code, response.text[:2000]

    def upload(self, path: str, form: Any, content: str) -> tuple[int, Any]:
        """Streams a file-like form that has a length; returns status and body. Raises EngineUnreachable."""
        timeout = (self._timeout[0], POST_SECONDS)
        response = self._send("POST", path, data=form, timeout=timeout, content=content)
        try:
            return response.status_code, response.json()
        except (ValueError, RecursionError):
            return response.status_code, response.text[:2000]

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
            if (
                is_connection_refused(error)
                or isinstance(error.__cause__, requests.Timeout)
                or not error.__cause__
            ):
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
        raise EngineUnreachable(
            f"The ComfyUI at {self.address} does not answer.", detail=f"{method} {path}: {late}"
        ) from late

    def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: tuple[float, float] | None = None,
        content: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> requests.Response:
        headers = {**(headers or {}), **({"Content-Type": content} if content else {})}
        try:
            response = self._session.request(
                method, self.address + path, timeout=timeout or self._timeout, headers=headers, **more
            )
        except (requests.RequestException, OSError) as error:
            raise EngineUnreachable(
                f"The ComfyUI at {self.address} does not answer.", detail=f"{method} {path}: {_short(error)}"
            ) from error
        status = response.status_code
        if status in PROXY_ERRORS:
            response.close()
            raise EngineUnreachable(
                f"The ComfyUI at {self.address} does not answer.", detail=f"{method} {path}: HTTP {status}"
            )
        if status == 401:
            response.close()
            raise EngineUnreachable(
                f"The ComfyUI at {self.address} asks for a password.",
                "Put it into the address: http://user:password@host:port.",
                detail=f"{method} {path}: HTTP {status}",
            )
        return response

    def _json(self, response: requests.Response, path: str) -> Any:
        try:
            return response.json()
        except (ValueError, RecursionError) as error:  # RecursionError: nested too deeply
            raise EngineUnreachable(
                f"Something answers at {self.address}, but not as ComfyUI does.",
                "Check that the address is that of a ComfyUI.",
                detail=f"{path}: no JSON: {response.text[:200]!r}",
            ) from error


def is_connection_refused(error: BaseException) -> bool:
    """Whether the connection was refused, as opposed to a slow or invalid response."""
    seen: set[int] = set()
    queue: list[BaseException] = [error]
    while queue:
        item = queue.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, ConnectionRefusedError):
            return True
        related = [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
        queue.extend(other for other in related if isinstance(other, BaseException))
    return False


def is_read_timeout(error: BaseException) -> bool:
    """Whether the server accepted the request and then did not respond in time."""
    return isinstance(error.__cause__, requests.ReadTimeout)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
