"""app.py in this process, with a signal that a thread other than the main one receives.

    python -m tests.support.signalled_app start|run|twice

`start`: while the page is built; `run`: once the page is served; `twice`: then, and again while all is
closed. The thread waits in C code, as threads of a server do.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any


def deliver() -> None:
    """Sends SIGTERM to a thread of its own, and waits until it has it."""
    ready = threading.Event()

    def receive() -> None:
        ready.set()
        time.sleep(3600)

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    ready.wait()
    assert thread.ident is not None
    signal.pthread_kill(thread.ident, signal.SIGTERM)


def before(owner: Any, name: str, act: Callable[[], None]) -> None:
    """Calls `act` before each call of a function."""
    inner = getattr(owner, name)

    def outer(*args: Any, **kwargs: Any) -> Any:
        act()
        return inner(*args, **kwargs)

    setattr(owner, name, outer)


def when_served() -> None:
    url = f"http://127.0.0.1:{os.environ['GRADIO_SERVER_PORT']}/healthz"
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60):
                return deliver()
        except OSError:
            time.sleep(0.05)


def main(phase: str) -> int:
    import app
    from backend.studio import Studio

    if phase == "start":
        from ui import page

        before(page, "build", deliver)
    else:
        threading.Thread(target=when_served, daemon=True).start()
    if phase == "twice":
        before(Studio, "close", deliver)
    return app.main([])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
