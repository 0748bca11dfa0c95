"""The in-memory state of a running or recent job, and the sink that a run reports to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from backend.engines.base import Engine
from backend.errors import JobCancelled, StudioError
from backend.events import Accepted, EndedAt, Event, Preview, Stage, Started, Warned
from backend.jobs.job import Job
from backend.jobs.progress import Tracker
from backend.jobs.snapshot import Snapshot
from backend.jobs.stopwatch import STAGES, UNTIL
from workflows.notice import Notice

log = logging.getLogger("wan.jobs")

TIMINGS_SECONDS = 5.0
"""Timings are written at most this often while a prompt runs."""


@dataclass
class LiveJob:
    """What the page and the API poll of a job. `lock` guards tracker and preview.

    `prompt_id` and `engine`: the prompt that runs now; `warned`, `resolved`: the warnings and resolved
    settings of an engine that compiles the graph itself; `cached`: graph -> the nodes that the engine did not
    run again.
    """

    id: str
    tracker: Tracker = field(default_factory=Tracker)
    lock: threading.Lock = field(default_factory=threading.Lock)
    preview: tuple[bytes, str] | None = None
    prompt_id: str = ""
    engine: Engine | None = None
    cancelled: bool = False
    warned: tuple[Notice, ...] | None = None
    resolved: dict[str, Any] = field(default_factory=dict)
    cached: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def snapshot(self) -> Snapshot:
        """The progress at this moment."""
        with self.lock:
            return self.tracker.snapshot(time.monotonic())

    def timings(self) -> dict[str, float]:
        """What was measured so far, with the unix time at which the engine was at work."""
        with self.lock:
            found = self.tracker.timings(time.monotonic())
            return {**found, UNTIL: time.time()} if self.tracker.watch.activity in STAGES else found

    def stop(self) -> None:
        """Cancels the prompt on its engine, in a thread: returns before the engine has answered."""
        self.feed(Stage(self.tracker.stage, "Cancelling"))
        engine, prompt_id = self.engine, self.prompt_id
        if engine is not None and prompt_id:
            threading.Thread(target=engine.cancel, args=(prompt_id,), daemon=True).start()

    def feed(self, event: Event) -> None:
        """Applies an event of the engine to the progress and the preview."""
        with self.lock:
            if isinstance(event, Preview):
                self.preview = (event.image, event.mime)
            if isinstance(event, Started) and event.cached is not None:
                self.cached[event.graph] = event.cached
            if isinstance(event, EndedAt):
                self.tracker.ended_before(max(0.0, time.time() - event.unix))
            if self.cancelled and isinstance(event, Stage):
                event = replace(event, text="Cancelling")
            self.tracker.feed(event, time.monotonic())


@dataclass(frozen=True)
class RunSink:
    """The one receiver of what a run reports: changes of the job's record, and progress.

    `write` writes the running job to disk; no change is visible before.
    """

    live: LiveJob
    write: Callable[[Job], None]

    def check(self) -> None:
        """Raises JobCancelled when the job was cancelled; every step calls it while it works."""
        if self.live.cancelled:
            raise JobCancelled.of("cancelled")

    def save(self, job: Job) -> Job:
        """Writes the running job with its timings. Raises StudioError."""
        job = replace(job, timings=self.live.timings())
        self.write(job)
        return job

    def enter_own_work(self) -> None:
        """The studio itself works on the job from now on."""
        with self.live.lock:
            self.live.tracker.enter_own_work(time.monotonic())

    def attempt_lost(self) -> None:
        """The engine has nothing of the prompt any more."""
        with self.live.lock:
            self.live.tracker.attempt_lost(time.monotonic())

    def prompt(self, job: Job, engine: Engine) -> Job:
        """Writes the id of the job's prompt before the engine has it, and makes the prompt cancellable.
        Raises JobCancelled."""
        self.live.prompt_id, self.live.engine = job.prompt_id, engine
        self.check()
        return self.save(job)

    def listener(self, job: Job) -> Callable[[Event], None]:
        """Receives the events of the job's prompt. The engine's own id of it is on disk before the engine's
        next event is handled. What was measured is on disk when the prompt begins and now and then."""
        saved = job
        written = 0.0

        def receive(event: Event) -> None:
            nonlocal saved, written
            if isinstance(event, Accepted):
                saved = self.save(replace(saved, remote=event.remote))
            elif isinstance(event, Warned):
                self.live.warned, self.live.resolved = event.notices, dict(event.resolved)
            else:
                self.live.feed(event)
            late = isinstance(event, Stage) and time.monotonic() - written >= TIMINGS_SECONDS
            if isinstance(event, Started) or late:
                written = time.monotonic()
                try:
                    self.save(saved)
                except StudioError as error:  # only figures: the job's next change writes them
                    log.debug("job %s: its timings are not saved: %s", saved.id, error.message)

        return receive
