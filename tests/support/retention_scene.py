"""A data folder with jobs of chosen ages and sizes, and its Retention."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from backend.jobs.job import DONE, QUEUED, RUNNING, Job, StoredInput
from backend.jobs.store import Store
from backend.storage.retention import EngineFolders, Limits, Retention
from backend.storage.retention_policy import DAY, Disk
from workflows.params.media import Media

NOW = 1_790_000_000.0

GB = 1_000_000_000


@dataclass
class Clock:
    wall: float = NOW
    steady: float = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class Scene:
    """A data folder with jobs in it, a ComfyUI's folders beside it, and its retention."""

    def __init__(self, base: Path) -> None:
        self.base, self.data = base, base / "data"
        self.jobs = self.data / "jobs"
        self.jobs.mkdir(parents=True)
        self.comfy = EngineFolders(base / "comfy" / "input", base / "comfy" / "output")
        for folder in (self.comfy.input, self.comfy.output):
            (folder / "wan-studio").mkdir(parents=True)  # type: ignore[operator]
        self.cache = base / "cache"
        self.cache.mkdir()
        self.store = Store(self.data / "studio.db")
        self.clock = Clock()
        self.disk = Disk(100 * GB, 50 * GB)
        self.forgotten: list[str] = []
        self.retention = self.make()

    def make(self, days: float = 30, percent: float = 80) -> Retention:
        return Retention(
            self.store,
            self.data,
            Limits(days, percent),
            engine_folders=lambda: [self.comfy],
            cache=lambda: self.cache,
            forget=self.forgotten.append,
            wall=lambda: self.clock.wall,
            steady=lambda: self.clock.steady,
            disk=lambda _: self.disk,
        )

    def job(self, days_ago: float = 0.0, status: str = DONE, size: int = 1000, **changes: object) -> Job:
        finished = None if status in (QUEUED, RUNNING) else self.clock.wall - days_ago * DAY
        made = Job(
            uuid.uuid4().hex, "me", "image_to_video", {"prompt": "x"},
            {"image": StoredInput(Media(f"wan-studio/{uuid.uuid4().hex}.png"), "inputs/image")},
            created=self.clock.wall - days_ago * DAY - 60, status=status, finished=finished, size=size,
        )  # fmt: skip
        made = replace(made, **changes)  # type: ignore[arg-type]
        self.store.add(made)
        folder = self.jobs / made.id
        (folder / "inputs").mkdir(parents=True)
        (folder / "inputs" / "image").write_bytes(b"i" * 100)
        (folder / "workflow.json").write_text("{}")
        if status == DONE:
            (folder / "result.mp4").write_bytes(b"v" * size)
        return made

    def there(self) -> set[str]:
        """Ids of the jobs that have a record and a folder; both or neither is the rule."""
        names = {path.name for path in self.jobs.iterdir()}
        rows = {job.id for job in (*self.store.ended_before(float("inf")), *self.store.unfinished())}
        assert names == rows, "a folder without a record, or the other way round"
        return names

    def output(self, name: str, hours_ago: float = 0.0) -> Path:
        return self._file(self.comfy.output, name, hours_ago)

    def input(self, name: str, hours_ago: float = 0.0) -> Path:
        return self._file(self.comfy.input, name, hours_ago)

    def _file(self, folder: Path | None, name: str, hours_ago: float) -> Path:
        assert folder is not None
        path = folder / "wan-studio" / name
        path.write_bytes(b"x")
        moment = self.clock.wall - hours_ago * 3600
        os.utime(path, (moment, moment))
        return path
