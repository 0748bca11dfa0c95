"""A small server that follows RunPod's documentation of queue-based Serverless endpoints.

For clients, below /v2/<endpoint>: POST run, GET status/<job>, POST cancel/<job>, GET health, with a Bearer
key. For workers, as the official SDK calls them: GET job-take/<worker> (204 when there is none), POST
job-done/<worker>/<job>, GET job-stop/<worker>, GET ping/<worker>. A job ends by a worker, or by the test
(`finish`, `fail`, `set`). `faults` configures failures: operation -> faults of its next calls.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.support.waiting import SECONDS

KEY = "rpa_TESTKEY"
ENDPOINT = "abc123"
LIMIT = 10_000_000
FINAL = {"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"}


@dataclass
class FakeJob:
    """A job as stored by RunPod."""

    id: str
    input: dict[str, Any]
    policy: dict[str, int]
    status: str = "IN_QUEUE"
    output: Any = None
    error: str = ""
    worker: str = ""
    stop: bool = False  # its worker has to stop it
    expired: bool = False
    billed: bool = False  # a worker has started it
    history: list[Any] = field(default_factory=list)  # progress reports

    def answer(self) -> dict[str, Any]:
        body: dict[str, Any] = {"id": self.id, "status": self.status, "delayTime": 10}
        if self.output is not None:
            body["output"] = self.output
        if self.error:
            body["error"] = self.error
        return body


class FakeRunPod:
    """A running server. Each fault is a response status, "lost" (executed, but the connection is aborted
    before the response), "cut" (not executed, and aborted), or "junk"."""

    def __init__(self) -> None:
        self.jobs: dict[str, FakeJob] = {}
        self.faults: dict[str, list[Any]] = {}
        self.asked: set[str] = set()  # operations that workers have called
        self.calls: list[tuple[str, str]] = []  # operation, job or ""
        self.workers: dict[str, int] = {"idle": 1, "ready": 1, "running": 0, "throttled": 0}
        self.on_run: Callable[[FakeJob], None] | None = None
        self.retry_after = ""
        self.poll_seconds = 2.0  # how long a worker's request for jobs is held
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.closing = False
        fake = self

        class Handler(_Handler):
            server_fake = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v2"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count(self, operation: str) -> int:
        return sum(1 for name, _ in self.calls if name == operation)

    @property
    def billed(self) -> int:
        return sum(job.billed for job in self.jobs.values())

    def only(self) -> FakeJob:
        """Waits for the first job and returns it."""
        return self.wait(lambda: next(iter(self.jobs.values()), None))

    def wait(self, condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
        end = time.monotonic() + seconds
        with self.changed:
            while not (found := condition()):
                left = end - time.monotonic()
                assert left > 0, "it did not come to pass"
                self.changed.wait(min(0.1, left))
            return found

    def set(self, job: FakeJob, status: str, output: Any = None, error: str = "") -> None:
        with self.changed:
            if job.status in FINAL:
                return
            job.status, job.error = status, error
            job.output = output
            if status == "IN_PROGRESS":
                job.billed = True
                if output is not None:
                    job.history.append(output)
            self.changed.notify_all()

    def begin(self, job: FakeJob, report: Any = None) -> None:
        self.set(job, "IN_PROGRESS", report)

    def finish(self, job: FakeJob, output: Any) -> None:
        self.set(job, "COMPLETED", output)

    def fail(self, job: FakeJob, error: Any) -> None:
        self.set(job, "FAILED", error=error if isinstance(error, str) else json.dumps(error))

    def new(self, body: dict[str, Any]) -> FakeJob:
        job = FakeJob(f"{uuid.uuid4()}-u1", body["input"], body.get("policy", {}))
        with self.changed:
            self.jobs[job.id] = job
            self.changed.notify_all()
        if self.on_run is not None:
            self.on_run(job)
        return job

    def take(self, worker: str, seconds: float) -> FakeJob | None:
        """Takes the next job from the queue for a worker."""
        end = time.monotonic() + seconds
        with self.changed:
            while not self.closing:
                for job in self.jobs.values():
                    if job.status == "IN_QUEUE" and not job.expired:
                        job.worker, job.status, job.billed = worker, "IN_PROGRESS", True
                        self.changed.notify_all()
                        return job
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self.changed.wait(left)
        return None

    def stops(self, seconds: float) -> list[str]:
        """The jobs that workers have to stop."""
        end = time.monotonic() + seconds
        with self.changed:
            while not self.closing:
                found = [job for job in self.jobs.values() if job.stop]
                for job in found:
                    job.stop = False
                left = end - time.monotonic()
                if found or left <= 0:
                    return [job.id for job in found]
                self.changed.wait(left)
        return []

    def health(self) -> dict[str, Any]:
        states = [job.status for job in self.jobs.values()]
        return {
            "jobs": {
                "completed": states.count("COMPLETED"),
                "failed": states.count("FAILED"),
                "inProgress": states.count("IN_PROGRESS"),
                "inQueue": states.count("IN_QUEUE"),
                "retried": 0,
            },
            "workers": self.workers,
        }

    def cancel(self, job: FakeJob) -> None:
        with self.changed:
            if job.status not in FINAL:
                job.stop = job.status == "IN_PROGRESS" and bool(job.worker)
                job.status, job.output = "CANCELLED", None
            self.changed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    server_fake: FakeRunPod
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._answer(method)

    def _answer(self, method: str) -> None:
        fake = self.server_fake
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path).path.strip("/").split("/")
        if len(parts) < 3 or parts[0] != "v2":
            return self._send(404, {"error": "not found"})
        endpoint, operation, rest = parts[1], parts[2], parts[3:]
        if operation in ("job-take", "job-done", "job-stop", "ping"):
            return self._worker(operation, rest, data)
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self._send(401, {"error": "unauthorized"})
        if endpoint != ENDPOINT:
            return self._send(404, {"error": "endpoint not found"})
        with fake.lock:
            fake.calls.append((operation, rest[0] if rest else ""))
            waiting = fake.faults.get(operation) or []
            fault = waiting.pop(0) if waiting else None
        if isinstance(fault, int):
            return self._send(fault, {"error": f"fault {fault}"})
        if fault == "cut":
            return self._cut()
        if fault == "junk":
            return self._send(200, None, raw=b"<html>bad gateway</html>")
        status, body = self._done(method, operation, rest, data)
        if fault == "lost":
            return self._cut()
        return self._send(status, body)

    def _done(self, method: str, operation: str, rest: list[str], data: bytes) -> tuple[int, Any]:
        fake = self.server_fake
        if (method, operation) == ("POST", "run"):
            if len(data) > LIMIT:
                return 413, {"error": "body too large"}
            job = fake.new(json.loads(data))
            return 200, {"id": job.id, "status": "IN_QUEUE"}
        if (method, operation) == ("GET", "health"):
            return 200, fake.health()
        job = fake.jobs.get(rest[0] if rest else "")
        if job is None or job.expired:
            return 404, {"error": "job not found"}
        if (method, operation) == ("GET", "status"):
            return 200, job.answer()
        if (method, operation) == ("POST", "cancel"):
            fake.cancel(job)
            return 200, {"id": job.id, "status": job.status}
        return 405, {"error": "method not allowed"}

    def _worker(self, operation: str, rest: list[str], data: bytes) -> None:
        fake = self.server_fake
        fake.asked.add(operation)
        if operation == "job-take":
            job = fake.take(rest[0], fake.poll_seconds)
            return self._send(200, {"id": job.id, "input": job.input}) if job else self._send(204, None)
        if operation == "job-stop":
            found = fake.stops(fake.poll_seconds)
            return self._send(200, {"jobsToStop": found}) if found else self._send(204, None)
        if operation == "ping":
            return self._send(200, {})
        job = fake.jobs.get(rest[1])
        said = json.loads(data)
        if job is not None:
            if said.get("status") == "IN_PROGRESS":
                fake.begin(job, said["output"])
            elif said.get("error"):
                fake.fail(job, said["error"])
            elif len(data) > LIMIT:
                fake.finish(job, None)  # as RunPod: the job is completed, without output
                return self._send(400, {"error": "too large"})
            else:
                fake.finish(job, said.get("output"))
        return self._send(200, {})

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, body: Any, raw: bytes = b"") -> None:
        data = raw or (b"" if body is None else json.dumps(body).encode())
        self.send_response(status)
        if data or status != 204:
            self.send_header("Content-Type", "application/json")
        if status == 429 and self.server_fake.retry_after:
            self.send_header("Retry-After", self.server_fake.retry_after)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def fake_runpod() -> Iterator[FakeRunPod]:
    """Context manager with a running server."""
    fake = FakeRunPod()
    try:
        yield fake
    finally:
        fake.close()
