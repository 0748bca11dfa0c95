"""`python app.py` as a separate process with its own data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.ports import free_port


@contextmanager
def app_process(folder: Path, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the address of its page, which may not be served yet. Data and uploads are in `folder`.

    The process is killed at the end; its output can be read from its pipes.
    """
    port = str(free_port())
    ours = {
        "WAN_DATA_DIR": str(folder / "data"), "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "GRADIO_SERVER_PORT": port,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env={**os.environ, **ours, **env}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
