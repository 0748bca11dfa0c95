"""The files of jobs: where they lie, and the signed addresses by which a browser gets them."""

from __future__ import annotations

import time
from pathlib import Path

from backend.errors import InputsGone, NotFound
from backend.jobs.job import DONE, Job
from backend.jobs.layout import POSTER, RESULT, STILL, WORKFLOW, result_name
from backend.jobs.store import Store
from backend.security import tokens
from workflows.modes.registry import makes_still

ADDRESS_SECONDS = 24 * 3600  # how long a signed media address is good
INPUT = "input"
MEDIA_NAMES = (RESULT, STILL, POSTER, WORKFLOW, INPUT)


class Files:
    """The files below a jobs folder. Who may ask is settled before, by a job's key or a signature."""

    def __init__(self, jobs_dir: Path, secret: bytes, store: Store) -> None:
        self._jobs_dir, self._secret, self._store = jobs_dir, secret, store

    def result(self, job: Job) -> Path:
        """The finished video or picture. Raises NotFound."""
        path = self._jobs_dir / job.id / result_name(job.mode)
        if job.status != DONE or not path.is_file():
            raise NotFound("This video is not finished, or its file is gone.")
        return path

    def input(self, job: Job, name: str) -> Path | None:
        """A file that a job was made from, a picture not padded; None without one. Raises InputsGone."""
        if name not in job.inputs:
            return None
        path = self._jobs_dir / job.id / str(job.inputs[name].get("original", job.inputs[name]["file"]))
        if not path.is_file():
            raise InputsGone("The files this was made from are no longer stored.")
        return path

    def address(self, job_id: str, name: str, download: bool = False) -> str:
        """A signed path to a file of a job, good for a day or a little more."""
        # Rounded, so that a page that is drawn again keeps the address and the browser its cache.
        expires = (int(time.time()) // 3600 + 1) * 3600 + ADDRESS_SECONDS
        return tokens.media_address(self._secret, job_id, name, expires, download)

    def behind(self, job_id: str, name: str, expires: str, signature: str) -> tuple[Path, Job] | None:
        """The file behind a signed address, or None: forged, over its time, or gone."""
        if name not in MEDIA_NAMES:
            return None
        if not tokens.may_open(self._secret, job_id, name, expires, signature, time.time()):
            return None
        job = self._store.get(job_id)
        if job is None:
            return None
        folder = self._jobs_dir / job.id
        path = folder / name
        if name == INPUT:
            if "image" not in job.inputs:
                return None
            path = folder / str(job.inputs["image"]["file"])
        if name == POSTER and makes_still(job.mode):
            path = folder / STILL  # a picture is its own poster
        return (path, job) if path.is_file() else None
