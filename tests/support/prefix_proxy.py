"""A reverse proxy in this process that serves another server below a path, as nginx and Caddy do."""

from __future__ import annotations

import contextlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection"})
PIECE = 65_536


class PrefixProxy:
    """with PrefixProxy("/studio") as proxy: set proxy.target, use proxy.url

    strips: whether the prefix is removed from the path that the target gets; the bare prefix is then
    redirected to the one with a slash, as nginx does. Other paths answer 404. paths: those that were asked
    for.
    """

    def __init__(self, prefix: str, strips: bool = True) -> None:
        self.prefix, self.strips = prefix, strips
        self.target = ""
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Where the page is, without a slash at the end."""
        return self.host + self.prefix

    def __enter__(self) -> PrefixProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forwarded(self, path: str) -> str | None:
        """The path for the target; None for one that is not below the prefix."""
        bare, _, query = path.partition("?")
        if bare != self.prefix and not bare.startswith(self.prefix + "/"):
            return None
        if self.strips:
            bare = bare[len(self.prefix) :] or "/"
        return f"{bare}?{query}" if query else bare

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: Any) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    super().handle()

            def do(self) -> None:
                proxy.paths.append(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = proxy.forwarded(self.path)
                bare, _, query = self.path.partition("?")
                if proxy.strips and bare == proxy.prefix:
                    self.send_response(301)
                    self.send_header("Location", f"{proxy.prefix}/{'?' + query if query else ''}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if path is None:
                    if self.path == "/favicon.ico":  # the host's own, which a browser asks for first
                        self.send_response(204)
                        self.end_headers()
                    else:
                        self.send_error(404)
                    return
                to = urlsplit(proxy.target)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                headers |= {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
                line = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
                with contextlib.closing(line):
                    line.request(self.command, path, body or None, headers)
                    self._pass_on(line.getresponse())

            do_GET = do_HEAD = do_POST = do_DELETE = do_OPTIONS = do

            def _pass_on(self, answer: http.client.HTTPResponse) -> None:
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in (*HOP, "date", "server"):
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True
                while piece := answer.read1(PIECE):
                    self.wfile.write(piece)
                    self.wfile.flush()

        return Handler
