"""RunPod with workers that make a video of any job after a moment, as the settings of an app that uses it."""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.engines.runpod.responses import DUPLICATE
from tests.support.fake_engine import write_video
from tests.support.fake_runpod import ENDPOINT, KEY, FakeJob, FakeRunPod, fake_runpod
from workflows.params.sizes import frames_for

WORK_SECONDS = 0.3


@dataclass
class Workers:
    """Writes a note like those of a recording engine for each job that a worker begins; jobs are named by
    their seed. A prompt that a job has already is refused, as the worker's claims do."""

    fake: FakeRunPod
    folder: Path
    claimed: dict[str, str] = field(default_factory=dict)

    def begin(self, job: FakeJob) -> None:
        prompt_id = str(job.input["prompt_id"])
        holder = self.claimed.setdefault(prompt_id, job.id)
        if holder != job.id:
            return self.fake.fail(job, {"code": DUPLICATE, "message": "It has a job.", "job": holder})
        note = {
            "event": "execution_start",
            "at": time.time(),
            "names": [f"seed-{job.input['params']['seed']}"],
        }
        with (self.folder / "notes").open("a") as file:
            file.write(json.dumps(note) + "\n")
        self.fake.begin(job)
        threading.Timer(WORK_SECONDS, self._finish, (job,)).start()

    def _finish(self, job: FakeJob) -> None:
        params: dict[str, Any] = job.input["params"]
        video = self.folder / f"{job.id}.mp4"
        write_video(video, params["width"], params["height"], frames_for(params["seconds"]))
        data = base64.b64encode(video.read_bytes()).decode()
        video.unlink()
        self.fake.finish(job, {"images": [{"filename": "result.mp4", "type": "base64", "data": data}]})


@contextlib.contextmanager
def runpod_workers() -> Iterator[tuple[Workers, dict[str, str]]]:
    """The workers, and the settings of an app that sends its jobs to them."""
    with tempfile.TemporaryDirectory(prefix="wan-runpod-") as folder, fake_runpod() as fake:
        workers = Workers(fake, Path(folder))
        fake.on_run = workers.begin
        yield (
            workers,
            {
                "WAN_ENGINE": "runpod",
                "RUNPOD_ENDPOINT_ID": ENDPOINT,
                "RUNPOD_API_KEY": KEY,
                "RUNPOD_ENDPOINT_BASE_URL": fake.url,
            },
        )
