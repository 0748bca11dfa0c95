"""A data folder with real files and a real database, on a disk with simulated size and clocks."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.errors import StudioError
from backend.jobs import folders
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED, Job, StoredInput
from backend.jobs.store import Store
from backend.storage.engine_files import EngineFolders
from backend.storage.limit_check import Limits
from backend.storage.retention import Retention
from backend.storage.retention_policy import DAY, Disk
from workflows.params.media import Media

BLOCK = 4096
"""Allocation unit of the simulated file system in bytes; all sizes are multiples of it."""


@dataclass
class DataFolder:
    """`total`: bytes of the disk; `others`: bytes used by anything except jobs and uploads."""

    base: Path
    total: int
    others: int = 0
    percent: float = 80.0
    owner_bytes: int = 0
    wall: float = 1_790_000_000.0
    steady: float = 1000.0
    failures: list[StudioError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data, self.cache = self.base / "data", self.base / "cache"
        self.comfy = EngineFolders(self.base / "comfy" / "input", self.base / "comfy" / "output")
        self.jobs = self.data / "jobs"
        for folder in (self.jobs, self.cache, self.base / "comfy/input/wan-studio"):
            folder.mkdir(parents=True)
        (self.base / "comfy/output/wan-studio").mkdir(parents=True)
        self.store = Store(self.data / "studio.db")
        self.restart()

    def restart(self) -> None:
        """The state after a restart, read from the disk."""
        self.retention = Retention(
            self.store, self.data, Limits(30, self.percent, self.owner_bytes),
            engine_folders=lambda: [self.comfy], cache=lambda: self.cache,
            wall=lambda: self.wall, steady=lambda: self.steady, disk=lambda _: self.disk(),
        )  # fmt: skip

    def disk(self) -> Disk:
        taken = sum(
            path.lstat().st_blocks * 512
            for folder in (self.jobs, self.cache)
            for path in (folder, *folder.rglob("*"))
        )
        return Disk(self.total, max(0, self.total - self.others - taken))

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def submit(self, owner: str, size: int, result: int = BLOCK) -> Job | None:
        """Submits a job with an input of `size` bytes, as the studio does; None if it is rejected."""
        job_id = uuid.uuid4().hex
        try:
            self.retention.reserve(job_id, owner, size + 4 * BLOCK, "audio")
            self._write(job_id, "inputs/audio", size)
            self.retention.reserve(job_id, owner, size + result + 4 * BLOCK, "audio")
        except StudioError as error:
            self.failures.append(error)
            folders.remove(self.jobs / job_id)
            self.retention.quota.release(job_id)
            return None
        inputs = {"audio": StoredInput(Media(f"wan-studio/{uuid.uuid4().hex}"), "inputs/audio")}
        job = Job(job_id, owner, "sound_to_video", {"prompt": "x"}, inputs, created=self.wall)
        self.store.add(job)
        self.retention.submitted(job_id)
        return job

    def end(self, job: Job, status: str = DONE, result: int = 0, **changes: Any) -> Job:
        """Ends a job; the files of a cancelled job are removed."""
        started = job.moved("running") if job.status == QUEUED and status == DONE else job
        ended = started.moved(status, finished=self.wall, size=result, **changes)
        if status == DONE:
            self._write(job.id, "result.mp4", result)
        self.store.save(ended)
        if status == CANCELLED:
            folders.clear(self.jobs / job.id)
        return ended

    def clip(self, owner: str, size: int, days_ago: float = 1.0, **changes: Any) -> Job:
        """Adds a finished clip of this size in bytes, made some days ago."""
        job = Job(
            uuid.uuid4().hex, owner, "text_to_video", {"prompt": "x"}, {}, created=self.wall - days_ago * DAY,
            status=DONE, finished=self.wall - days_ago * DAY, size=size,
        )  # fmt: skip
        self.store.add(job)
        self._write(job.id, "result.mp4", size)
        if changes.get("pinned"):
            self.store.pin(job.id, True)
        return job

    def failed(self, owner: str, size: int, days_ago: float, **changes: Any) -> Job:
        """Adds a failed job with its inputs and one finished segment."""
        inputs = {"audio": StoredInput(Media(f"wan-studio/{uuid.uuid4().hex}"), "inputs/audio")}
        job = Job(
            uuid.uuid4().hex, owner, "sound_to_video", {"prompt": "x"}, inputs,
            created=self.wall - days_ago * DAY, status=FAILED, finished=self.wall - days_ago * DAY,
            segments_done=1,
        )  # fmt: skip
        self.store.add(job)
        if changes.get("pinned"):
            self.store.pin(job.id, True)
        self._write(job.id, "inputs/audio", size)
        self._write(job.id, "work/part-0", BLOCK)
        self._write(job.id, "workflow.json", BLOCK)
        return job

    def clips(self) -> dict[str, set[str]]:
        """Ids of the finished clips by owner."""
        found: dict[str, set[str]] = {}
        for row in self.store.summaries():
            if row.status == DONE and (self.jobs / row.id / "result.mp4").exists():
                found.setdefault(row.owner, set()).add(row.id)
        return found

    def used(self, owner: str) -> int:
        """Bytes that an owner's jobs use on the disk."""
        mine = [row.id for row in self.store.summaries() if row.owner == owner]
        return sum(folders.measured(self.jobs / job_id).bytes for job_id in mine)

    def _write(self, job_id: str, name: str, size: int) -> None:
        path = self.jobs / job_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            if size:
                os.posix_fallocate(file.fileno(), 0, size)  # allocates the blocks without writing them


Make = Callable[..., DataFolder]
