"""Prompts that must not go on: their job was cancelled, has failed, or is made elsewhere now.

They are stopped as soon as their server answers. Kept in memory: a prompt that is forgotten by a restart of
the app costs its server work, and no job anything.
"""

from __future__ import annotations

import threading

from backend.engines.base import Engine
from backend.jobs import Job


class Strays:
    """Of all engines of a runner. Methods may be called from any thread."""

    def __init__(self, engines: tuple[Engine, ...]) -> None:
        self._engines = engines
        self._lock = threading.Lock()
        self._jobs: list[Job] = []

    def drives(self, address: str) -> bool:
        """Whether one of the engines has this address."""
        return any(engine.info().address == address for engine in self._engines)

    def add(self, job: Job) -> None:
        """The job's prompt is stopped when its server is looked at next and answers."""
        if job.prompt_id and self.drives(job.server):
            with self._lock:
                self._jobs.append(job)

    def stop_at(self, engine: Engine) -> None:
        """Stops those of a server that answers."""
        address = engine.info().address
        with self._lock:
            mine = [job for job in self._jobs if job.server == address]
            self._jobs = [job for job in self._jobs if job.server != address]
        for job in mine:
            engine.cancel(job.prompt_id, job.remote)

    def stop_soon(self, job: Job) -> None:
        """Adds it, and stops it at once where its server answers; returns before that is done."""
        self.add(job)
        engine = next((one for one in self._engines if one.info().address == job.server), None)
        if engine is not None and engine.info().state == "ok":
            threading.Thread(target=self.stop_at, args=(engine,), daemon=True).start()

    def stop_anywhere(self, job: Job) -> None:
        """As `add`; and every server is told now, whichever of them has it. Returns before that is done."""
        self.add(job)
        threading.Thread(target=self._everywhere, args=(job,), daemon=True).start()

    def _everywhere(self, job: Job) -> None:
        for engine in {engine.info().address: engine for engine in self._engines}.values():
            engine.cancel(job.prompt_id, job.remote)
