"""A small server that follows the Hugging Face hub's API as huggingface_hub uses it for one file.

HEAD and GET /<owner>/<repository>/resolve/<revision>/<path> answer 302 to the storage (another host name,
as the hub's CDN is) with X-Repo-Commit, X-Linked-Etag (a large file's sha256) and X-Linked-Size; the
storage answers with Content-Length and understands Range. GET /api/models/<owner>/<repository> lists
the files.
Errors carry X-Error-Code as the hub's do. `faults` configures failures.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch
from urllib.parse import unquote

from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class Faults:
    """Failures to inject, for all files."""

    status: int = 0  # status of the hub's responses
    code: str = ""  # X-Error-Code of those responses
    token: str = ""  # required as Bearer token, else 401
    cut_after: list[int] = field(default_factory=list)  # bytes after which each storage response is cut off
    storage_status: list[int] = field(default_factory=list)  # status of each storage response; 0 for success
    no_range: bool = False  # the storage ignores Range
    hang: bool = False  # the hub accepts the request and never responds
    plain: bool = False  # responds without the hub's headers
    wrong_bytes: bool = False  # the storage sends other content of the same length
    delay: float = 0.0  # seconds before each block of 64 kB
    hold: threading.Event = field(default_factory=set_event)  # while it is not set, only one block is sent


class FakeHub:
    """A running server. `files`: content by source ("owner/repository/path")."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults = Faults()
        self.requests: list[tuple[str, str, str, bool]] = []  # method, path, Range, with a token
        self.sent = 0  # bytes of content
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def storage_requests(self) -> list[str]:
        """The Range header of each request for content, "" if it had none."""
        return [ranged for method, path, ranged, _ in self.requests if path.startswith("/cdn/")]


@contextmanager
def running() -> Iterator[FakeHub]:
    hub = FakeHub()
    try:
        yield hub
    finally:
        hub.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores the aborted connections of killed clients."""


class _Handler(BaseHTTPRequestHandler):
    server_hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.server_hub
        path = unquote(self.path.partition("?")[0])
        token = self.headers.get("Authorization", "")
        with hub.lock:
            hub.requests.append((self.command, path, self.headers.get("Range", ""), bool(token)))
        if path.startswith("/cdn/"):
            return self._storage(path.removeprefix("/cdn/"))
        if path.startswith("/api/models/"):
            return self._listing(path.removeprefix("/api/models/"))
        faults = hub.faults
        if faults.hang:
            hub.stopping.wait(60)
            self.close_connection = True
            return None
        if faults.status:
            return self._error(faults.status, faults.code)
        if faults.token and token != f"Bearer {faults.token}":
            return self._error(401, "GatedRepo")
        repository, resolve, rest = path.strip("/").partition("/resolve/")
        source = f"{repository}/{rest.partition('/')[2]}"
        if not resolve or not any(name.startswith(repository + "/") for name in hub.files):
            return self._error(401, "RepoNotFound")  # the hub does not distinguish missing and private
        if source not in hub.files:
            return self._error(404, "EntryNotFound")
        content = hub.files[source]
        if faults.plain:
            return self._send(200, {}, b"" if self.command == "HEAD" else content, len(content))
        digest = hashlib.sha256(content).hexdigest()
        return self._send(
            302,
            {
                "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": f'"{digest}"',
                "X-Linked-Size": str(len(content)),
                "Location": f"http://localhost:{hub.port}/cdn/{source}?Signature=1",
            },
            b"",
        )

    def _storage(self, source: str) -> None:
        hub, faults = self.server_hub, self.server_hub.faults
        content = hub.files[source]
        if faults.wrong_bytes:
            content = bytes(byte ^ 255 for byte in content)
        with hub.lock:
            status = faults.storage_status.pop(0) if faults.storage_status else 0
            cut = faults.cut_after.pop(0) if faults.cut_after else -1
        if status:
            return self._send(status, {}, b"")
        first, headers, code = 0, {"ETag": '"storage"', "Accept-Ranges": "bytes"}, 200
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and not faults.no_range:
            first = int(asked.removeprefix("bytes=").partition("-")[0])
            if first >= len(content):
                return self._send(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
            code = 206
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        body = content[first:]
        self._head(code, headers, len(body))
        if self.command == "HEAD":
            return None
        end = len(body) if cut < 0 else min(cut, len(body))
        for start in range(0, end, 65536):
            if faults.delay:
                time.sleep(faults.delay)
            if start:
                faults.hold.wait(120)
            piece = body[start : min(start + 65536, end)]
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return None
            with hub.lock:
                hub.sent += len(piece)
        if end < len(body):
            self.close_connection = True
        return None

    def _listing(self, repository: str) -> None:
        hub = self.server_hub
        names = [name for name in hub.files if name.startswith(repository + "/")]
        if not names:
            return self._error(401, "RepoNotFound")
        siblings = [
            {
                "rfilename": name.removeprefix(repository + "/"),
                "size": len(hub.files[name]),
                "lfs": {
                    "sha256": hashlib.sha256(hub.files[name]).hexdigest(),
                    "size": len(hub.files[name]),
                    "pointerSize": 134,
                },
            }
            for name in names
        ]
        body = json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode()
        return self._send(200, {"Content-Type": "application/json"}, body)

    def _error(self, status: int, code: str) -> None:
        self._send(status, {"X-Error-Code": code, "X-Error-Message": code} if code else {}, b"")

    def _send(self, status: int, headers: dict[str, str], body: bytes, length: int | None = None) -> None:
        self._head(status, headers, len(body) if length is None else length)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str], length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Suppresses the request log."""


@contextmanager
def small_pieces(size: int = 65_536) -> Iterator[None]:
    """Downloads write blocks of `size` bytes; the library has no argument for this, and its default is 10
    MB."""
    with patch.object(constants, "DOWNLOAD_CHUNK_SIZE", size):
        yield
