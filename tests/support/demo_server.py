"""The demo engine as a test double: a real process on a free port.

with start_demo(step_seconds=0) as demo:
    requests.get(demo.url + "/system_stats")
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT
from tests.support.waiting import SECONDS, until


@dataclass(frozen=True)
class DemoServer:
    """A running demo engine. `folder` contains input, output and temp."""

    url: str
    process: subprocess.Popen[str]
    folder: Path

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Sends a request. A `body` of bytes is sent unchanged, anything else as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def submit(self, graph: dict[str, Any], **fields: Any) -> str:
        """Posts a prompt and returns its id."""
        body = {"prompt": graph, "prompt_id": str(uuid.uuid4()), **fields}
        answer = self.call("POST", "/prompt", body)
        assert answer.status == 200, answer.body
        return str(answer.json()["prompt_id"])

    def wait(self, prompt_id: str, seconds: float = SECONDS) -> dict[str, Any]:
        """The history entry of a prompt once it has ended."""
        found = until(lambda: self.call("GET", f"/history/{prompt_id}").json(), seconds, prompt_id)
        entry: dict[str, Any] = found[prompt_id]
        return entry

    def faults(self, **orders: Any) -> None:
        """Activates faults (requires start_demo(faults=True))."""
        answer = self.call("POST", "/demo/faults", orders)
        assert answer.status == 200, answer.body


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@contextlib.contextmanager
def start_demo(
    *,
    step_seconds: float = 0.0,
    preview_method: str = "none",
    without: tuple[str, ...] = (),
    faults: bool = False,
    folder: Path | None = None,
    port: int = 0,
) -> Iterator[DemoServer]:
    """Starts a demo engine process, waits until it responds, and stops it afterwards."""
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = [sys.executable, "-m", "backend.engines.demo", "--port", str(port), "--dir", str(place)]
        command += ["--step-seconds", str(step_seconds), "--preview-method", preview_method]
        command += [part for name in without for part in ("--without", name)]
        command += ["--faults"] if faults else []
        command += ["--parent-pid", str(os.getpid())]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        stack.callback(_end, process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Demo engine on http://"), f"it did not start: {line!r}"
        yield DemoServer(line.split()[3], process, place)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
