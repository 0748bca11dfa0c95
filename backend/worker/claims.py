"""Which RunPod job has which prompt: a record on the volume, so that no prompt is worked on twice.

A client whose POST got no answer sends the same prompt id again. Whichever of its jobs comes to a worker
first has the prompt; the other is told its id and costs a moment. Without a volume the record is this
worker's own. A record that cannot be kept is no reason to refuse work.

Clocks of different machines are never compared: a claim is stale when its record, which counts the beats of
the worker that has it, has not changed for STALE_SECONDS of the observer's own clock.
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

STALE_SECONDS = 180.0  # without a beat from the worker that has a prompt
KEPT_SECONDS = 48 * 3600.0  # a client may ask again so long after the end
HEARTBEAT_SECONDS = 20.0
PROMPT_ID = re.compile(r"[A-Za-z0-9-]{8,64}")

_TRIES = 8  # to take a prompt whose record changes hands meanwhile
_OBSERVED = 1000


@dataclass
class _Claim:
    """A prompt that a job of this process has. `lock` is held while its record is changed."""

    last_heartbeat: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    finished: bool = False


class Claims:
    """One folder of records. Any number of workers may share it; methods may be called from any thread."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: this process's own seconds, from any origin."""
        self.folder, self._clock = folder, clock
        self._records = Records(folder)
        self._lock = threading.Lock()
        self._claims: dict[tuple[str, str], _Claim] = {}
        self._observed: OrderedDict[str, tuple[tuple[bytes, int], float]] = OrderedDict()
        try:
            self._records.remove_old(KEPT_SECONDS)
        except OSError as error:
            log.warning("records of prompts cannot be kept in %s: %s", folder, error.strerror)

    def take(self, prompt_id: str, job_id: str) -> str:
        """ "" when this job has the prompt now, else the id of the job that has it."""
        if not PROMPT_ID.fullmatch(prompt_id):
            return ""
        try:
            other = self._take(prompt_id, job_id)
        except OSError as error:
            log.warning("prompt %s: no record of it can be kept: %s", prompt_id, error.strerror)
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
            if found.job == job_id:  # RunPod gives a job to another worker when its first one died
                if self._records.change(prompt_id, job_id, RUNNING):
                    self._observe(prompt_id)
                    return ""
            elif found.job and not (found.state == RUNNING and self._stale(prompt_id, found)):
                return found.job
            else:  # of several workers that remove it, one succeeds; then all begin anew
                self._records.remove(prompt_id, found)
        log.warning("prompt %s: its record keeps changing hands", prompt_id)
        return ""

    def heartbeat(self, prompt_id: str, job_id: str) -> str:
        """Shows now and then that a job of this process is being worked on. "" as long as it has the prompt,
        also when that cannot be told; else the id of the job that has it now."""
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
                log.info("prompt %s: its beat could not be written: %s", prompt_id, error.strerror)
                return ""

    def done(self, prompt_id: str, job_id: str) -> None:
        """The job has its result: the prompt stays taken. Nothing happens when another job has it."""
        if not PROMPT_ID.fullmatch(prompt_id):
            return
        with self._closing(prompt_id, job_id):
            try:
                if other := self._write(prompt_id, job_id, DONE):
                    log.warning("prompt %s: job %s has it now", prompt_id, other)
            except OSError as error:
                log.warning("prompt %s: its end is not recorded: %s", prompt_id, error.strerror)

    def release(self, prompt_id: str, job_id: str) -> None:
        """The job failed or was stopped: the prompt may be tried again. Nothing happens when another job
        has it."""
        if not PROMPT_ID.fullmatch(prompt_id):
            return
        with self._closing(prompt_id, job_id):
            try:
                for _ in range(_TRIES):
                    found = self._records.read(prompt_id)
                    if found is None or found.job != job_id or self._records.remove(prompt_id, found):
                        break
            except OSError as error:
                log.warning("prompt %s: its record stays: %s", prompt_id, error.strerror)

    def _write(self, prompt_id: str, job_id: str, state: str) -> str:
        """Writes the state into the job's own record. "", or the id of the job that has the prompt now."""
        for _ in range(_TRIES):
            found = self._records.read(prompt_id)
            if found is None:  # removed by hand, or renamed for a moment by a worker that puts it back
                if self._records.create(prompt_id, Record(job_id, state)):
                    log.warning("prompt %s: its record was gone and is written again", prompt_id)
                    return ""
            elif found.job not in ("", job_id):
                return found.job
            elif self._records.change(prompt_id, job_id, state):
                return ""
        return ""

    # -- what this process knows ----------------------------------------------------------------

    @contextlib.contextmanager
    def _closing(self, prompt_id: str, job_id: str) -> Iterator[None]:
        """The last change of a job's record: no beat comes after it."""
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
        """Whether the record has been seen unchanged for too long, by this process."""
        now = self._clock()
        with self._lock:
            version, since = self._observed.pop(prompt_id, (found.version, now))
            if version != found.version:
                since = now
            self._observed[prompt_id] = found.version, since
            while len(self._observed) > _OBSERVED:
                self._observed.popitem(last=False)
        return now - since > STALE_SECONDS
