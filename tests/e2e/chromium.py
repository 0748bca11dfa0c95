"""Chromium for the browser tests, bounded: a page that hangs fails its own test and no other.

Playwright has no limit of its own for a script that runs in a page or for a tab that does not close, and
waits for ever. So a watch is set over every test: when it is up, the page is asked over the debugging port
whether it still answers, Chromium is killed, and Playwright's call returns with an error. The next test gets
a fresh browser.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator

import psutil
import websocket
from playwright.sync_api import Browser, Playwright

from tests.support.ports import free_port

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Chromium:
    """One browser, started again when the last one was killed."""

    def __init__(self, playwright: Playwright) -> None:
        self.playwright = playwright
        self.path = (
            os.environ.get("WAN_CHROMIUM")
            or shutil.which("chromium-headless-shell")
            or shutil.which("chromium")
        )
        assert self.path, "no Chromium: ./tests/run.sh installs it, or set WAN_CHROMIUM"
        self.mark, self.port = "", 0
        self._browser: Browser | None = None
        self.fault = ""
        self.patience = 5.0  # seconds that a page has to answer before it counts as one that does not

    def browser(self) -> Browser:
        """The running one, else a new one."""
        if self._browser is None or not self._browser.is_connected():
            self.mark, self.port, self.fault = f"--wan-tests={uuid.uuid4().hex}", free_port(), ""
            self._browser = self.playwright.chromium.launch(
                executable_path=self.path,
                args=[*OPTIONS, self.mark, f"--remote-debugging-port={self.port}"],
                timeout=60_000,
            )
        return self._browser

    @contextlib.contextmanager
    def watch(self, seconds: float) -> Iterator[None]:
        """Kills Chromium when the block takes longer; `fault` then says what the page was at."""
        done = threading.Event()

        def guard() -> None:
            if not done.wait(seconds):
                self.fault = f"not finished after {seconds:.0f} s, Chromium was killed. {self._at()}"
                self.kill()

        thread = threading.Thread(target=guard, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(60)

    def close(self) -> None:
        with self.watch(20):
            if self._browser is not None and self._browser.is_connected():
                self._browser.close()

    def kill(self) -> None:
        """The browser, found by the mark on its command line, and all that it started."""
        for process in _family(self.mark):
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _at(self) -> str:
        """Whether each page still answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/json/list", timeout=60) as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
        except (OSError, ValueError) as error:
            return f"Its pages could not be listed: {error}"
        return " ".join(
            f"{page['url']}: {_busy(page['webSocketDebuggerUrl'], self.patience)}" for page in pages
        )


def _family(mark: str) -> list[psutil.Process]:
    """Processes that were started with this argument, and their descendants: parents first."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if mark in process.cmdline():
                found += [one for one in (process, *process.children(recursive=True)) if one not in found]
    return found


def _busy(address: str, patience: float) -> str:
    """Whether a page's script answers; one that runs without end does not."""
    try:
        with contextlib.closing(
            websocket.create_connection(address, timeout=60, suppress_origin=True)
        ) as line:
            line.settimeout(1)
            line.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": {"expression": "1"}}))
            end = time.monotonic() + patience
            while time.monotonic() < end:
                with contextlib.suppress(websocket.WebSocketTimeoutException):
                    if json.loads(line.recv()).get("id") == 1:
                        return "the page still answers, the test waits"
    except (OSError, ValueError, websocket.WebSocketException) as error:
        return f"the page could not be asked: {error}"
    return "the page does not answer, its script runs without end"
