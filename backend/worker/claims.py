"""Claims of RunPod jobs on prompts: records on the volume that prevent a prompt from running twice.

A client that receives no response to POST run sends the same prompt id again. The first of its jobs that
reaches a worker claims the prompt; the others end immediately with the id of that job. Without a volume, each
worker has its own records. If a record cannot be written, the job runs anyway.

Clocks of different machines are never compared. A record counts the heartbeats of its worker, and a claim is
stale if its record has not changed for STALE_SECONDS on the observer's clock.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backend.worker.records import DONE, RUNNING, Record, Records

log = logging.getLogger("wan.worker")

STALE_SECONDS = 180.0  # without a heartbeat, before another job may take over the prompt
KEPT_SECONDS = 48 * 3600.0  # after the end of a job, for clients that send a prompt again
HEARTBEAT_SECONDS = 20.0
PROMPT_ID = re.compile(r"[A-Za-z0-9-]{8,64}")

_TRIES = 8  # attempts at a record that other workers change at the same time
_OBSERVED = 1000  # records whose last change is remembered


@dataclass
class _Claim:
    """A claim of this process. `lock` is held while its record is changed."""

    last_heartbeat: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    finished: bool = False


class Claims:
    """A folder of records, which several workers may share. Thread-safe."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds from any origin, used only within this process."""
        self.folder, self._clock = folder, clock
        self._records = Records(folder)
        self._lock = threading.Lock()
        self._claims: dict[tuple[str, str], _Claim] = {}
        self._observed: OrderedDict[str, tuple[tuple[bytes, int], float]] = OrderedDict()
        try:
            self._records.remove_old(KEPT_SECONDS)
        except OSError as error:
            log.warning("records of prompts cannot be stored in %s: %s", folder, error.strerror)

    def take(self, prompt_id: str, job_id: str) -> str:
        """Claims a prompt. Returns "" if this job has it now, else the id of the job that has it."""
        if not PROMPT_ID.fullmatch(prompt_id):
            return ""
        try:
            other = self._take(prompt_id, job_id)
        except OSError as error:
            log.warning("prompt %s: its record cannot be written: %s", prompt_id, error.strerror)
            other = ""
        if not other:
            with self._lock:
                self._claims[prompt_id, job_id] = _Claim(self._clock())
        return other

    def _take(self, prompt_id: str, job_id: str) -> str:
        for _ in range(_TRIES):
            if self._records.create(prompt_id, Record(job_id, RUNNING)):
                self._observe(prompt_id)
                return ""
            found = self._records.read(prompt_id)
            if found is None:
                continue
            if found.job == job_id:  # RunPod moves a job to another worker when its first one died
                if self._records.change(prompt_id, job_id, RUNNING):
                    self._observe(prompt_id)
                    return ""
            elif found.job and not (found.state == RUNNING and self._stale(prompt_id, found)):
                return found.job
            else:  # if several workers remove it, one succeeds, and all of them try again
                self._records.remove(prompt_id, found)
        log.warning("prompt %s: its record changes too often to claim it", prompt_id)
        return ""

    def heartbeat(self, prompt_id: str, job_id: str) -> str:
        """Writes a heartbeat if HEARTBEAT_SECONDS have passed since the last one.

        Returns the id of the job that took over the prompt, or "" if there is none or that is unknown.
        """
        now = self._clock()
        with self._lock:
            claim = self._claims.get((prompt_id, job_id))
        if claim is None or now - claim.last_heartbeat < HEARTBEAT_SECONDS:
            return ""
        with claim.lock:
            if claim.finished:
                return ""
            claim.last_heartbeat = now
            try:
                other = self._write(prompt_id, job_id, RUNNING)
                self._observe(prompt_id)
                return other
            except OSError as error:
                log.info("prompt %s: its heartbeat could not be written: %s", prompt_id, error.strerror)
                return ""

    def done(self, prompt_id: str, job_id: str) -> None:
        """Records that the job has its result; the claim remains. Does nothing if another job has the
        prompt."""
        if not PROMPT_ID.fullmatch(prompt_id):
            return
        with self._closing(prompt_id, job_id):
            try:
                if other := self._write(prompt_id, job_id, DONE):
                    log.warning("prompt %s: job %s has it now", prompt_id, other)
            except OSError as error:
                log.warning("prompt %s: its result could not be recorded: %s", prompt_id, error.strerror)

    def release(self, prompt_id: str, job_id: str) -> None:
        """Removes the claim of a job that failed or was stopped, so that the prompt can be run again. Does
        nothing if another job has the prompt."""
        if not PROMPT_ID.fullmatch(prompt_id):
            return
        with self._closing(prompt_id, job_id):
            try:
                for _ in range(_TRIES):
                    found = self._records.read(prompt_id)
                    if found is None or found.job != job_id or self._records.remove(prompt_id, found):
                        break
            except OSError as error:
                log.warning("prompt %s: its record could not be removed: %s", prompt_id, error.strerror)

    def _write(self, prompt_id: str, job_id: str, state: str) -> str:
        """Writes the state into the job's record. Returns "", or the id of the job that has the prompt
        now."""
        for _ in range(_TRIES):
            found = self._records.read(prompt_id)
            if found is None:  # deleted, or renamed temporarily by another worker
                if self._records.create(prompt_id, Record(job_id, state)):
                    log.warning("prompt %s: its record was missing and has been written again", prompt_id)
                    return ""
            elif found.job not in ("", job_id):
                return found.job
            elif self._records.change(prompt_id, job_id, state):
                return ""
        return ""

    # -- state of this process ------------------------------------------------------------------

    @contextlib.contextmanager
    def _closing(self, prompt_id: str, job_id: str) -> Iterator[None]:
        """Context of the last change of a job's record; heartbeats are not written after it."""
        with self._lock:
            claim = self._claims.pop((prompt_id, job_id), None) or _Claim(0.0)
            self._observed.pop(prompt_id, None)
        with claim.lock:
            claim.finished = True
            yield

    def _observe(self, prompt_id: str) -> None:
        if (found := self._records.read(prompt_id)) is not None:
            self._stale(prompt_id, found)

    def _stale(self, prompt_id: str, found: Record) -> bool:
        """Whether this process has observed no change of the record for STALE_SECONDS."""
        now = self._clock()
        with self._lock:
            version, since = self._observed.pop(prompt_id, (found.version, now))
            if version != found.version:
                since = now
            self._observed[prompt_id] = found.version, since
            while len(self._observed) > _OBSERVED:
                self._observed.popitem(last=False)
        return now - since > STALE_SECONDS
