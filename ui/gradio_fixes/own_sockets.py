"""Serves Gradio's app on sockets that are bound already.

Gradio tries the port itself before it serves: as an IPv4 address, at the GRADIO_SERVER_NAME of the moment at
which gradio was imported. `::1` and names that are IPv6 only end in "Cannot find empty port", and so does a
program that uses the port at another address.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from gradio import http_server

from backend.notices import words
from workflows.notice import made

START_SECONDS = 60.0
BACKLOG = 2048
"""Connections that may wait to be accepted; uvicorn's own number."""


class _Server(http_server.Server):
    """Gradio's server, on sockets of its own."""

    def __init__(self, config: uvicorn.Config, sockets: Sequence[socket.socket]) -> None:
        super().__init__(config)
        self._own = list(sockets)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run(self._own)

    def run_in_thread(self) -> None:
        """Returns once requests are answered. Raises OSError when the server ends or takes START_SECONDS;
        Gradio's own allows 5 s, too short on a busy machine."""
        self.thread = threading.Thread(target=self.run, name="page", daemon=True)
        self.thread.start()
        end = time.monotonic() + START_SECONDS
        while not self.started:
            if not self.thread.is_alive() or time.monotonic() > end:
                raise OSError(words(made("page_not_started", {})))
            time.sleep(0.005)


@contextlib.contextmanager
def serving_on(sockets: Sequence[socket.socket], url: str) -> Iterator[None]:
    """Within it Gradio's launch() serves on these sockets. url: how this machine reaches them, with a slash.

    launch() then raises OSError when the port was taken since, or when the server does not start.
    """
    inner = http_server.start_server

    def start_server(
        app: Any,
        server_name: str | None = None,
        server_port: int | None = None,
        ssl_keyfile: str | None = None,
        ssl_certfile: str | None = None,
        ssl_keyfile_password: str | None = None,
    ) -> tuple[str, int, str, http_server.Server]:
        for one in sockets:
            one.listen(BACKLOG)  # here, where its error has a caller
        host, port = sockets[0].getsockname()[:2]
        server = _Server(uvicorn.Config(app=app, host=host, port=port, log_level="warning"), sockets)
        server.run_in_thread()
        return urlsplit(url).hostname or host, port, url, server

    http_server.start_server = start_server
    try:
        yield
    finally:
        http_server.start_server = inner
