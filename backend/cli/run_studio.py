"""The studio that `run` uses on this machine: the one that holds the data folder, or one that it starts."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import psutil
import requests

from backend.errors import BadSettings
from backend.security import secret_file, tokens
from backend.settings.model import Settings
from backend.storage import data_folder
from backend.storage.data_lock import holder

ASK_SECONDS = 5.0
"""Timeout of a question to a studio of this machine."""
START_SECONDS = 180.0
"""Enough for a start on a slow network volume; the page is served before the engine is up."""
STOP_SECONDS = 60.0
LOOK_SECONDS = 0.1
PURPOSE = "command line"
"""Purpose of the secret that is the owner token of everything this command makes on this machine."""
ALONE: Mapping[str, str] = {
    "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SHARE": "false", "GRADIO_ROOT_PATH": "",
}  # fmt: skip
"""The settings of a studio that serves this command alone."""


def owner(settings: Settings) -> str:
    """The token of what this command makes in the data folder; the same each time. Raises StudioError."""
    return tokens.sign(_secret(settings), "purpose", PURPOSE)


def job_key(settings: Settings, job_id: str) -> str:
    """The key of a job in the data folder, whether there is such a job or not. Raises StudioError."""
    return tokens.job_key(_secret(settings), job_id)


def _secret(settings: Settings) -> bytes:
    data_folder.prepare(settings.data_dir, settings.jobs_dir)
    return secret_file.load(settings.data_dir / "secret", secrets.token_bytes(32))


@contextlib.contextmanager
def here(settings: Settings, environ: Mapping[str, str], app: Path, may_start: bool = True) -> Iterator[str]:
    """The address of the studio that runs on this machine; without one, that of a studio that is started and
    stopped again. app: the folder of app.py; may_start: whether one may be. Raises BadSettings."""
    if running := _running(settings):
        yield running
        return
    if not may_start:
        raise BadSettings.of("no_studio_here")
    with _started(settings, environ, app) as url:
        yield url


def _running(settings: Settings) -> str:
    """The address of the studio that has the data folder, "" without one; waits for one that still starts."""
    end = time.monotonic() + START_SECONDS
    while True:
        process, address = holder(settings.data_dir, settings.machine)
        if address and _serves(address):
            return address
        if address or not process or not psutil.pid_exists(process) or time.monotonic() > end:
            return ""
        time.sleep(LOOK_SECONDS)


def _serves(url: str) -> bool:
    try:
        answer = requests.get(f"{url}healthz", timeout=ASK_SECONDS)
        return answer.ok and "engine" in answer.json()
    except (requests.RequestException, ValueError, TypeError):
        return False


@contextlib.contextmanager
def _started(settings: Settings, environ: Mapping[str, str], app: Path) -> Iterator[str]:
    port = _free_port()
    environment = {**environ, **ALONE, "GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, str(app / "app.py"), "serve", "--parent", str(os.getpid())],
            cwd=app, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield _served(process, f"http://127.0.0.1:{port}/", said, settings)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _served(process: subprocess.Popen[bytes], url: str, said: IO[bytes], settings: Settings) -> str:
    """The address once it answers. Raises BadSettings with the studio's output when it ends before that."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        if holder(settings.data_dir, settings.machine)[1] == url and _serves(url):
            return url
        time.sleep(LOOK_SECONDS)
    said.seek(0)
    last = said.read().decode("utf-8", "replace").strip().splitlines()
    raise BadSettings.of("studio_not_started", said=last[-1] if last else "")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
