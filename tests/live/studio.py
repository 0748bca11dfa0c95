"""One job through a whole studio that drives a real ComfyUI."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backend.jobs.views import JobView
from backend.settings.model import Settings
from backend.studio import Studio
from tests.support.scripted import ended

OWNER = "owner-of-live-tests"


@contextlib.contextmanager
def studio_on(address: str, folder: Path) -> Iterator[Studio]:
    """A studio that drives the ComfyUI at this address; its data are below `folder`."""
    environ = {**os.environ, "COMFYUI_URL": address, "WAN_DATA_DIR": str(folder / "data")}
    studio = Studio(Settings.from_env(environ, folder))
    studio.start()
    try:
        yield studio
    finally:
        studio.close()


def done(studio: Studio, job: JobView) -> JobView:
    """The job once it is done; anything else fails the test."""
    found = ended(studio, job, seconds=1200)
    assert found.status == "done", found.error
    return found


def finished(
    address: str, folder: Path, mode: str, values: Mapping[str, Any], files: Mapping[str, Path | None]
) -> tuple[JobView, Path]:
    """The ended job, and a copy of its result where there is one."""
    with studio_on(address, folder) as studio:
        job = done(studio, studio.submit(OWNER, mode, values, files))
        needed = [model for model in studio.models() if mode in model.modes and not model.optional]
        assert needed and {model.state for model in needed} == {"ready"}
        return job, studio.result_path(job.id, job.key)
