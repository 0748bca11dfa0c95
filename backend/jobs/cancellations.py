"""Prompts to stop on their servers: their job was cancelled, has failed, or runs on another server now.

A prompt is stopped as soon as its server answers, also after a restart of the app: it stays in the database
until its server has confirmed.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from backend.engines.base import Engine
from backend.errors import StudioError
from backend.jobs.job import Job
from backend.jobs.store import Store

log = logging.getLogger("wan.jobs")

KEPT_SECONDS = 7 * 86_400.0  # a server that has not answered for this long no longer has the prompt


@dataclass(frozen=True)
class _Prompt:
    id: str
    remote: str
    server: str


class PromptsToStop:
    """Those of all engines of a scheduler. Methods may be called from any thread."""

    def __init__(self, engines: tuple[Engine, ...], store: Store) -> None:
        self._engines, self._store = engines, store
        self._lock = threading.Lock()
        self._prompts: dict[str, _Prompt] = {}

    def load(self) -> None:
        """Reads the prompts that an earlier run of the app did not stop."""
        try:
            left = self._store.prompts_to_stop(time.time() - KEPT_SECONDS)
        except StudioError as error:
            log.error("the prompts to stop could not be read: %s", error.message)
            return
        with self._lock:
            for prompt_id, remote, server in left:
                if self.drives(server):
                    self._prompts.setdefault(prompt_id, _Prompt(prompt_id, remote, server))

    def drives(self, address: str) -> bool:
        """Whether one of the engines has this address."""
        return any(engine.info().address == address for engine in self._engines)

    def add(self, job: Job) -> None:
        """Has the job's prompt stopped the next time that its server answers."""
        if not job.prompt_id or not self.drives(job.server):
            return
        with self._lock:
            self._prompts[job.prompt_id] = _Prompt(job.prompt_id, job.remote, job.server)
        try:
            self._store.add_prompt_to_stop(job.prompt_id, job.remote, job.server, time.time())
        except StudioError as error:  # it is stopped all the same, unless the app ends before
            log.warning("prompt %s: to be stopped, but not saved: %s", job.prompt_id, error.message)

    def stop_at(self, engine: Engine) -> None:
        """Stops the prompts of a server that answers."""
        address = engine.info().address
        with self._lock:
            due = [prompt for prompt in self._prompts.values() if prompt.server == address]
        for prompt in due:
            if engine.cancel(prompt.id, prompt.remote) is False:
                continue  # retried at the next check
            with self._lock:
                self._prompts.pop(prompt.id, None)
            try:
                self._store.drop_prompt_to_stop(prompt.id)
            except StudioError as error:  # a restart stops it a second time
                log.info("prompt %s: stopped, but not saved: %s", prompt.id, error.message)

    def stop_soon(self, job: Job) -> None:
        """Adds the job's prompt and stops it now if its server answers; returns before that is done."""
        self.add(job)
        engine = next((one for one in self._engines if one.info().address == job.server), None)
        if engine is not None and engine.info().state == "ok":
            threading.Thread(target=self.stop_at, args=(engine,), daemon=True).start()

    def stop_anywhere(self, job: Job) -> None:
        """Adds the job's prompt and cancels it on every server, whichever has it; returns before that is
        done."""
        self.add(job)
        threading.Thread(target=self._everywhere, args=(job,), daemon=True).start()

    def _everywhere(self, job: Job) -> None:
        for engine in {engine.info().address: engine for engine in self._engines}.values():
            engine.cancel(job.prompt_id, job.remote)
