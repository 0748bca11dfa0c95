"""Files of jobs as downloads: their paths, their signed addresses, and the names they are saved under."""

from __future__ import annotations

import re
import time
from pathlib import Path

from backend.errors import InputsGone, NotFound
from backend.jobs.job import DONE, Job
from backend.jobs.layout import DOWNLOADS, INPUT, POSTER, STILL, result_name
from backend.jobs.store import Store
from backend.jobs.views import SourceFile
from backend.security import tokens
from workflows.modes.registry import makes_still

ADDRESS_SECONDS = 24 * 3600  # how long a signed address is valid


class Files:
    """The files below a jobs folder. Access is checked before, by a job's key or a signature."""

    def __init__(self, jobs_dir: Path, secret: bytes, store: Store) -> None:
        self._jobs_dir, self._secret, self._store = jobs_dir, secret, store

    def result(self, job: Job) -> Path:
        """The finished video or picture. Raises NotFound."""
        path = self._jobs_dir / job.id / result_name(job.mode)
        if job.status != DONE or not path.is_file():
            raise NotFound.of("not_finished")
        return path

    def input(self, job: Job, name: str) -> Path | None:
        """The path of `source`."""
        found = self.source(job, name)
        return found.path if found is not None else None

    def source(self, job: Job, name: str) -> SourceFile | None:
        """A file that a job was made from: as it was sent while that is kept, else a picture's smaller copy,
        not padded. None without one. Raises InputsGone."""
        if name not in job.inputs or job.inputs[name].waits:
            return None
        item, folder = job.inputs[name], self._jobs_dir / job.id
        if item.upload and (folder / item.upload).is_file():
            return SourceFile(folder / item.upload, item.title)
        path = folder / item.unpadded
        if not path.is_file():
            raise InputsGone.of("inputs_dropped")
        return SourceFile(path, item.title, reduced=item.copy is not None)

    def address(self, job_id: str, name: str, download: bool = False) -> str:
        """A signed path to a file of a job, valid for 24 to 25 hours."""
        # Rounded to the hour: a page that is drawn again keeps the address, and the browser its cache.
        expires = (int(time.time()) // 3600 + 1) * 3600 + ADDRESS_SECONDS
        return tokens.media_address(self._secret, job_id, name, expires, download)

    def behind(self, job_id: str, name: str, expires: str, signature: str) -> tuple[Path, Job] | None:
        """The file behind a signed address; None if the address is forged or expired, or the file gone."""
        if name not in DOWNLOADS:
            return None
        if not tokens.may_open(self._secret, job_id, name, expires, signature, time.time()):
            return None
        job = self._store.get(job_id)
        if job is None or job.delete_after is not None:
            return None
        folder = self._jobs_dir / job.id
        path = folder / name
        if name == INPUT:
            if "image" not in job.inputs:
                return None
            path = folder / job.inputs["image"].file
        if name == POSTER and makes_still(job.mode):
            path = folder / STILL  # a picture is its own poster
        return (path, job) if path.is_file() else None


def download_name(job: Job, name: str) -> str:
    """The name that a browser saves a file under: the prompt's first words and the seed, ASCII only.

    ("A fisherman drifts to the right", 271828) -> "a-fisherman-drifts-to-the-271828.mp4"
    """
    words = re.findall(r"[a-z0-9]+", str(job.params.get("prompt") or "").lower())[:5]
    stem = "-".join([*words, str(job.seed)]) if words else f"wan-{job.mode.replace('_', '-')}-{job.seed}"
    if job.demo:
        stem = f"demo-{stem}"
    return stem[:100] + DOWNLOADS[name]
