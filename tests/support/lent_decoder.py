"""The decoder of a studio in a test: it hands its child processes on to the studio of the next test, since
starting one takes longer than most of these tests."""

from __future__ import annotations

import threading

from backend.media.decoder import Decoder
from backend.media.process import Child

_stock: list[Child] = []
_lock = threading.Lock()


class LentDecoder(Decoder):
    """Takes idle children of decoders that are closed before it starts any. All have the same limits."""

    def __init__(self, *, max_file_mb: int = 0) -> None:
        super().__init__(max_file_mb=max_file_mb)

    def _take(self) -> Child:
        with self._lock, _lock:
            while _stock and not self._idle and not self._closed:
                child = _stock.pop()
                if child.process.poll() is None:
                    self._idle.append(child)
        return super()._take()

    def close(self) -> None:
        with self._lock, _lock:
            idle, self._idle = self._idle, []
            _stock.extend(child for child in idle if child.process.poll() is None)
        super().close()


def stop_all() -> None:
    """Ends the unused children."""
    with _lock:
        while _stock:
            _stock.pop().stop()
