"""A stress test: submits jobs to the real app while app and servers are killed, and accounts for every job.

The app is app.py as a process; the servers are demo engines that only the stress test restarts. A job
that the app confirmed must end exactly once, done or failed with a reason; an unconfirmed job must
end, too. Cancellations are sent just before the kills; a confirmed one must end its job as cancelled.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file
from PIL import Image

from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.waiting import served, until

TERMINAL = ("done", "failed", "cancelled")
UP_SECONDS = 180.0
STEP_SECONDS = 0.2
OPEN_SECONDS = 10.0  # how long a cancellation waits for a job
FETCH_SECONDS = (
    3.0  # within this time a serving app has every result, also of prompts that ended while it was down
)


@dataclass
class Account:
    """The outcome of all jobs. twice: rendered more than once although the first result was available;
    after_cancel: completed or restarted after a confirmed cancellation."""

    sent: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    cancels: int = 0  # confirmed before their job ended
    after_cancel: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    without_reason: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)


class Server:
    """A recording demo engine on a fixed port. `shared`: the app finds its folders in its answers."""

    def __init__(self, folder: Path, step_seconds: float, shared: bool = False) -> None:
        self.folder, self.step_seconds = folder, step_seconds
        self.shown = ["--base-directory", str(folder / "comfy")] if shared else []
        folder.mkdir(parents=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.notes = folder / "notes"
        self.notes.touch()
        self.killed_at: list[float] = []
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "tests.support.recording_engine", str(self.notes),
                "--port", str(self.port),
                "--dir", str(self.folder / "comfy"), "--step-seconds", str(self.step_seconds),
                *self.shown,
            ],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        wait_for(f"{self.url}/system_stats", self.process)

    def kill(self) -> None:
        assert self.process is not None
        self.killed_at.append(time.time())
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class App:
    """app.py on a fixed port and data folder."""

    def __init__(self, folder: Path, urls: list[str], **env: str) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True)
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder / "data"
        self.env = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("WAN_", "COMFYUI_"))
            },
            "WAN_ENGINE": "comfyui",
            "COMFYUI_URL": ",".join(urls),
            "WAN_DATA_DIR": str(self.data),
            "GRADIO_TEMP_DIR": str(folder / "uploads"),
            "GRADIO_SERVER_PORT": str(self.port),
            "GRADIO_MCP_SERVER": "false",
            "WAN_MAX_QUEUED": "1000",
            "WAN_MAX_QUEUED_PER_OWNER": "1000",
            **env,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.up: list[tuple[float, float]] = []  # (from, to) of each period in which it served

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=self.env, stdout=log, stderr=log
        )
        log.close()
        self.serve()

    def serve(self) -> None:
        """Waits until it serves, and records the time."""
        assert self.process is not None
        wait_for(f"{self.url}/healthz", self.process)
        self.up.append((time.time(), float("inf")))

    def kill(self) -> None:
        assert self.process is not None
        self.up[-1] = (self.up[-1][0], time.time())
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def served(self, since: float, until: float) -> float:
        """The seconds of a period in which it served."""
        return sum(max(0.0, min(until, end) - max(since, begin)) for begin, end in self.up)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Database rows by job id, read while the app is running."""
        with sqlite3.connect(f"file:{self.data / 'studio.db'}?mode=ro", uri=True, timeout=30) as db:
            db.row_factory = sqlite3.Row
            return {row["id"]: dict(row) for row in db.execute("SELECT * FROM job")}

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    served(url, process, lambda: f"process {process.pid} and {url}", UP_SECONDS)


class Storm:
    """`run` submits jobs and kills processes; `account` returns the outcome."""

    def __init__(self, folder: Path, *, servers: int = 2, seed: int = 1, **env: str) -> None:
        self.random, self._sender_random = random.Random(seed), random.Random(-seed)  # one thread each
        self.servers = [Server(folder / f"server-{n}", STEP_SECONDS) for n in range(servers)]
        self.app = App(folder / "app", [server.url for server in self.servers], **env)
        self.picture = folder / "picture.png"
        Image.effect_noise((96, 96), 60).convert("RGB").save(self.picture)
        self.confirmed: dict[str, str] = {}  # id -> key
        self.asked: set[str] = set()  # to be cancelled
        self.answered: dict[str, float] = {}  # id -> when its cancellation was confirmed
        self.kills: Counter[str] = Counter()
        self._up = threading.Event()

    def start(self) -> None:
        for server in self.servers:
            server.start()
        self.app.start()
        self._up.set()

    def close(self) -> None:
        self.app.stop()
        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                server.kill()
        shutil.rmtree(self.app.data, ignore_errors=True)

    def run(self, jobs: int, app_kills: int, server_kills: int, cancels: float = 0.5) -> None:
        """Submits `jobs` jobs while processes are killed at random times. `cancels`: the
        share of kills that follow or interrupt a cancellation."""
        sender = threading.Thread(target=self._send, args=(jobs,), daemon=True)
        sender.start()
        faults = ["app"] * app_kills + ["server"] * server_kills
        self.random.shuffle(faults)
        for fault in faults:
            time.sleep(self.random.uniform(0.5, 4.0))
            if self.random.random() < cancels:
                self._cancel()
            self._strike(fault)
        sender.join(UP_SECONDS)
        assert not sender.is_alive(), "jobs cannot be sent"

    def _cancel(self) -> None:
        """Cancels a random job; returns once that is confirmed, sometimes before."""
        client = Client(self.app.url, verbose=False)
        until = time.monotonic() + OPEN_SECONDS
        while not (open_jobs := self._open_jobs()):
            if time.monotonic() > until:
                return
            time.sleep(0.05)
        job_id = self.random.choice(open_jobs)
        self.asked.add(job_id)

        def ask() -> None:
            try:
                answer = client.predict(job_id, self.confirmed[job_id], api_name="/cancel")
            except Exception:  # the app was killed before it confirmed
                return
            if answer["status"] not in ("done", "failed"):
                self.answered[job_id] = time.time()

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(self.random.choice((UP_SECONDS, UP_SECONDS, UP_SECONDS, 0.02)))

    def _open_jobs(self) -> list[str]:
        rows = self.app.rows()
        known = [job_id for job_id in list(self.confirmed) if job_id not in self.asked]
        return [job_id for job_id in known if rows[job_id]["status"] not in TERMINAL]

    def _strike(self, fault: str) -> None:
        self.kills[fault] += 1
        if fault == "server":
            server = self.random.choice(self.servers)
            server.kill()
            time.sleep(self.random.uniform(0.0, 1.0))
            server.start()
            return
        self._up.clear()
        self.app.kill()
        self.app.start()
        self._up.set()

    def _send(self, jobs: int) -> None:
        client: Client | None = None
        number = 0
        while len(self.confirmed) < jobs:
            self._up.wait()
            try:
                client = client or Client(self.app.url, verbose=False)
                number += 1
                _, job = client.predict(
                    image=handle_file(str(self.picture)), prompt=f"Wave {number}", seconds=0.5, width=64,
                    height=64, seed=number, wait=False, api_name="/fast_video",
                )  # fmt: skip
            except Exception:  # any error of a client whose app was killed
                client = None
                time.sleep(0.1)
            else:
                self.confirmed[job["id"]] = job["key"]
                time.sleep(self._sender_random.uniform(0.0, 0.6))

    def wait(self, seconds: float) -> None:
        """Waits until every job has ended."""

        def ended() -> bool:
            rows = self.app.rows()
            return all(row["status"] in TERMINAL for row in rows.values()) and set(self.confirmed) <= set(
                rows
            )

        with contextlib.suppress(AssertionError):  # the account lists those that have not
            until(ended, seconds)

    def account(self) -> Account:
        rows = self.app.rows()
        found = Account(sent=len(self.confirmed), kills=Counter(self.kills), cancels=len(self.answered))
        begun_again = self._begun_after_cancel()
        found.after_cancel = [
            job_id
            for job_id in self.answered
            if rows.get(job_id, {}).get("status") == "done" or job_id in begun_again
        ]
        for job_id in self.confirmed:
            row = rows.get(job_id)
            if row is None or row["status"] not in TERMINAL:
                found.lost.append(job_id)
            elif row["status"] == "done":
                found.done += 1
                if not (self.app.data / "jobs" / job_id / "result.mp4").is_file():
                    found.lost.append(job_id)
            elif row["status"] == "cancelled" and job_id in self.asked:
                found.cancelled += 1
            else:
                found.failed += 1
                reason = json.loads(row["error"] or "{}").get("code", "")
                found.reasons[reason] += 1
                if not reason:
                    found.without_reason.append(job_id)
        found.lost += [job_id for job_id, row in rows.items() if row["status"] not in TERMINAL]
        found.twice = self._drawn_twice()
        return found

    def _notes(self, event: str) -> Iterator[tuple[Server, float, str]]:
        """(server, time, job) of the servers' log entries."""
        for server in self.servers:
            for line in server.notes.read_text().splitlines():
                note = json.loads(line)
                if note["event"] == event:
                    yield server, note["at"], note["names"][0].rpartition("-")[2]

    def _begun_after_cancel(self) -> set[str]:
        """Jobs that a server started after their cancellation was confirmed and the app was restarted."""
        again = {
            job_id: next((begin for begin, _ in self.app.up if begin > at), float("inf"))
            for job_id, at in self.answered.items()
        }
        return {job_id for _, at, job_id in self._notes("execution_start") if at > again.get(job_id, at)}

    def _drawn_twice(self) -> list[str]:
        """Jobs with two successes, except those whose first result was lost with its server."""
        drawn: Counter[str] = Counter()
        for server, at, job_id in self._notes("execution_success"):
            kills = [killed for killed in server.killed_at if killed >= at]
            if kills and self.app.served(at, kills[0]) < FETCH_SECONDS:
                continue
            drawn[job_id] += 1
        return [job_id for job_id, count in drawn.items() if count > 1]
