"""Removes the copies of inputs and results from the folders of the ComfyUI servers on this machine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.jobs import folders as files
from backend.jobs.job import CANCELLED, DONE, TERMINAL, Job
from backend.storage import engine_files
from backend.storage.engine_files import EngineFolders
from backend.storage.retention_policy import DAY
from backend.storage.usage_count import Jobs

log = logging.getLogger("wan.storage")

FAILED_DAYS = 1.0  # the output of a failed job in ComfyUI's folder may be the only one
UNKNOWN_DAYS = 7.0  # outputs without a job: of another studio on the same ComfyUI, or of a deleted job
INPUT_DAYS = 7.0


class EngineCopies:
    """The copies of one data folder's jobs. Methods may be called from any thread."""

    def __init__(
        self,
        records: Jobs,
        jobs_dir: Path,
        folders: Callable[[], Sequence[EngineFolders]],
        lock: threading.RLock,
        wall: Callable[[], float],
    ) -> None:
        """lock: serialises removals."""
        self._records, self._jobs_dir, self._folders = records, jobs_dir, folders
        self._lock, self._wall = lock, wall
        self._removed: set[str] = set()  # ids; a server that answers later may have their outputs

    def remove_outputs(self, unknown: bool = False) -> None:
        """Removes outputs of ended jobs; those of failed ones after FAILED_DAYS. unknown: also outputs of
        jobs without a record, after UNKNOWN_DAYS."""
        now = self._wall()
        known: dict[str, Job | None] = {}
        for job_id, path, changed in engine_files.of_jobs(self._folders()):
            if job_id not in known:
                known[job_id] = self._records.get(job_id)
            job, age = known[job_id], now - changed
            if job is None and job_id in self._removed:
                removable = True
            elif job is None:
                removable = unknown and age > UNKNOWN_DAYS * DAY
            elif job.status in (DONE, CANCELLED):
                removable = True
            else:
                removable = job.status in TERMINAL and age > FAILED_DAYS * DAY
            if removable:
                files.unlink(path)

    def remove_outputs_of(self, job_id: str) -> None:
        """Removes all outputs of a job that is removed itself; those on a server whose folders are not known
        yet once they are."""
        self._removed.add(job_id)
        for found, path, _ in engine_files.of_jobs(self._folders()):
            if found == job_id:
                files.unlink(path)

    def remove_stale(self) -> None:
        """Removes outputs of unknown jobs after UNKNOWN_DAYS and inputs unused for INPUT_DAYS."""
        with self._lock:
            self.remove_outputs(unknown=True)
            in_use, before = self._in_use(), self._wall() - INPUT_DAYS * DAY
            for folders in self._folders():
                for path in engine_files.unused_inputs(folders.input, in_use, before):
                    if files.unlink(path):
                        log.debug("ComfyUI's copy %s: unused for %g days, removed", path.name, INPUT_DAYS)

    def clear_inputs(self, job_id: str) -> None:
        """Removes the inputs of a job that no unfinished job reads."""
        with self._lock:
            job = self._records.get(job_id)
            names = files.names_of(self._jobs_dir / job_id, job.inputs.values() if job is not None else ())
            self.remove_inputs(names)

    def remove_inputs(self, names: set[str]) -> None:
        """Removes the inputs of these names that no unfinished job reads."""
        names = names - self._in_use()
        for folders in self._folders():
            for path in engine_files.named_inputs(folders.input, names):
                files.unlink(path)

    def _in_use(self) -> set[str]:
        """Names of ComfyUI inputs that queued and running jobs read."""
        return {
            name
            for job in self._records.unfinished()
            for name in files.names_of(self._jobs_dir / job.id, job.inputs.values())
        }
