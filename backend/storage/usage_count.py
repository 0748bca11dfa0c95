"""Counts what each job and the drafts of each owner take on the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from backend.jobs import folders as files
from backend.jobs.job import DONE, TERMINAL, Job, JobSummary
from backend.storage.disk_usage import NO_OWNER, DiskUsage, JobUsage
from backend.storage.shared_files import Identity, SharedFiles

DRAFTS = "drafts of "
"""Before an owner's id: the entry of their drafts among those of the jobs."""


class Jobs(Protocol):
    """The methods of the job database that the quota uses."""

    def get(self, job_id: str) -> Job | None: ...
    def unfinished(self) -> list[Job]: ...
    def summaries(self) -> list[JobSummary]: ...


class UsageCount:
    """The usage of one data folder. `lock` guards what the methods without a leading underscore return."""

    def __init__(self, jobs: Jobs, jobs_dir: Path, drafts: Callable[[], Mapping[str, int]]) -> None:
        """`drafts`: owner -> bytes of the files of unsent forms."""
        self._jobs, self._jobs_dir, self._drafts = jobs, jobs_dir, drafts
        self.lock = threading.RLock()
        self.known: DiskUsage | None = None  # None before the first measurement
        self.reserved: dict[str, list[str]] = {}  # job being submitted -> clips to remove for it
        self._ended: list[str] = []
        self._shared = SharedFiles()
        self._originals: dict[str, frozenset[Identity]] = {}  # job -> its originals

    def refresh(self) -> DiskUsage:
        """Measures every job's folder, and the drafts. Submits are possible meanwhile, except before the
        first result."""
        with self.lock:
            before = self.known or DiskUsage()
            before.touched.clear()
        found, drafts = files.folders(self._jobs_dir), self._drafts()
        rows = {row.id: row for row in self._jobs.summaries()}
        with self.lock:
            chosen = {clip for clips in self.reserved.values() for clip in clips}
            usage = DiskUsage()
            self._shared, self._originals = SharedFiles(), {}
            for job_id, folder in found.items():
                if job_id not in before.touched:
                    self.note(usage, job_id, folder)
            for job_id in before.touched:
                self.note(usage, job_id, files.measured(self._jobs_dir / job_id))
            for job_id in found.keys() | self.reserved.keys() | before.touched:
                known = before.get(job_id)
                if job_id in before.touched:
                    entry = known
                else:
                    entry = self._entry(job_id, found.get(job_id), rows.get(job_id), known)
                if entry is not None:
                    usage.put(job_id, replace(entry, bytes=0) if job_id in chosen else entry)
            for owner, size in drafts.items():
                if DRAFTS + owner not in before.touched:
                    usage.put(DRAFTS + owner, JobUsage(owner, size, size))
            self.known = usage
            return usage

    def _entry(
        self, job_id: str, folder: files.Folder | None, row: JobSummary | None, known: JobUsage | None
    ) -> JobUsage:
        """A job's usage, from its folder, its record and its usage before."""
        written = folder.bytes - self._shared.repeated(job_id, folder.inputs) if folder is not None else 0
        if known is not None and job_id in self.reserved:
            return replace(known, written=written, bytes=max(written, known.bytes))
        if row is None:
            return JobUsage(NO_OWNER, written, written)
        if row.status not in TERMINAL:
            expected = known.bytes if known is not None and known.open else 0
            return JobUsage(row.owner, max(written, expected), written, open=True)
        if known is not None and known.open:
            self._ended.append(job_id)
        return JobUsage(row.owner, written, written, done=row.status == DONE)

    def ended(self) -> list[str]:
        """Ids of jobs that have ended since the last call."""
        with self.lock:
            self.current()
            found, self._ended = self._ended, []
            return found

    def current(self) -> DiskUsage:
        """The usage of all jobs, after measuring again those that have ended."""
        usage = self.known if self.known is not None else self.refresh()
        if waiting := usage.open - self.reserved.keys():
            for job_id in waiting - {job.id for job in self._jobs.unfinished()}:
                job = self._jobs.get(job_id)
                if job is None:
                    usage.pop(job_id)
                    continue
                size = self.measure(usage, job_id)
                usage.put(job_id, JobUsage(job.owner, size, size, done=job.status == DONE))
                self._ended.append(job_id)
        return usage

    def measure(self, usage: DiskUsage, job_id: str) -> int:
        """Bytes of a job's folder, without files that count for another job."""
        folder = files.measured(self._jobs_dir / job_id)
        self.note(usage, job_id, folder)
        return folder.bytes - self._shared.repeated(job_id, folder.inputs)

    def note(self, usage: DiskUsage, job_id: str, folder: files.Folder) -> None:
        """Notes which input files a job holds; files that it no longer holds count for the next holder."""
        for other, size in self._shared.update(job_id, folder.inputs).items():
            entry = usage.get(other)
            if entry is not None:
                usage.put(other, replace(entry, bytes=entry.bytes + size, written=entry.written + size))
        self._originals.pop(job_id, None)
        if folder.originals:
            self._originals[job_id] = folder.originals

    def original_sizes(self) -> dict[str, int]:
        """Job -> bytes of its originals that count for it."""
        return {job_id: self._shared.counted(job_id, held) for job_id, held in self._originals.items()}
