"""A TCP proxy in this process that can abort all connections or slow them down."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class TcpProxy:
    """with TcpProxy("http://127.0.0.1:8188") as proxy: use proxy.url

    `trickle`: seconds between two bytes from the server; 0 passes data on without delay.
    """

    def __init__(self, target: str, trickle: float = 0.0) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.trickle = trickle
        self.cuts = 0
        self.trickled = 0  # bytes that were passed on one by one
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._end = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> TcpProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Aborts all connections in both directions."""
        with self._lock:
            broken, self._open = self._open, set()
        self.cuts += 1
        for one in broken:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut_every(self, seconds: float, times: int) -> None:
        """Waits for this many further bytes, or until the proxy is closed."""

        def run() -> None:
            for _ in range(times):
                if self._end.wait(seconds):
                    return
                self.cut()

        threading.Thread(target=run, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, 60)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, slow: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if slow and self.trickle:
                    for byte in data:
                        sink.sendall(bytes([byte]))
                        self.trickled += 1
                        if self._end.wait(self.trickle):
                            return
                else:
                    sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source, sink}
        source.close()
