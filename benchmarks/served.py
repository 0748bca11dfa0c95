"""The real app as a process of its own, for benchmarks: `python app.py`, demo engine, a free port."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from backend.servers.ports import free_port

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class App:
    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time of the app process, without its children."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def memory(self) -> int:
        """Resident memory of the app process in bytes."""
        return psutil.Process(self.pid).memory_info().rss


@contextlib.contextmanager
def app(**settings: str) -> Iterator[App]:
    """Starts the app, waits for its engine, and stops it afterwards. `settings`: environment variables."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environ = {
            **os.environ,
            "WAN_ENGINE": "demo",
            "WAN_DATA_DIR": f"{folder}/data",
            "GRADIO_TEMP_DIR": f"{folder}/page",
            "GRADIO_SERVER_PORT": str(port),
            **settings,
        }
        log = Path(folder, "log").open("wb")  # noqa: SIM115
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environ, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            until_ok(url)
            yield App(url, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()


def until_ok(url: str, seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
                if b'"ok"' in answer.read():
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{url} did not come up")


def load() -> str:
    """The load of the machine, as text: figures from a busy machine are upper bounds."""
    return f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
