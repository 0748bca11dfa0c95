"""A running or recent job as its watchers see it: progress and the last preview, in memory."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from backend.engines.base import Engine
from backend.events import Event, Preview, Stage
from backend.jobs.progress import Snapshot, Tracker
from workflows.notice import Notice


@dataclass
class LiveJob:
    """A job as the watchers see it. `lock` guards tracker and preview."""

    id: str
    tracker: Tracker = field(default_factory=Tracker)
    lock: threading.Lock = field(default_factory=threading.Lock)
    preview: tuple[bytes, str] | None = None
    prompt_id: str = ""
    engine: Engine | None = None
    cancelled: bool = False
    warned: tuple[Notice, ...] | None = None  # by an engine that compiles by itself

    def snapshot(self) -> Snapshot:
        with self.lock:
            return self.tracker.snapshot(time.monotonic())

    def stop(self) -> None:
        """Tells the engine that the job is cancelled; returns before the engine knows."""
        self.feed(Stage(self.tracker.stage, "Cancelling"))
        engine, prompt_id = self.engine, self.prompt_id
        if engine is not None and prompt_id:
            threading.Thread(target=engine.cancel, args=(prompt_id,), daemon=True).start()

    def feed(self, event: Event) -> None:
        with self.lock:
            if isinstance(event, Preview):
                self.preview = (event.image, event.mime)
            if self.cancelled and isinstance(event, Stage):
                event = replace(event, text="Cancelling")
            self.tracker.feed(event, time.monotonic())
