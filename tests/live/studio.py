"""One job through a whole studio that drives a real ComfyUI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.jobs.views import JobView
from backend.settings.model import Settings
from backend.studio import Studio
from tests.support.scripted import ended

OWNER = "owner-of-live-tests"


def finished(
    address: str, folder: Path, mode: str, values: Mapping[str, Any], files: Mapping[str, Path | None]
) -> tuple[JobView, Path]:
    """The ended job, and a copy of its result where there is one."""
    environ = {**os.environ, "COMFYUI_URL": address, "WAN_DATA_DIR": str(folder / "data")}
    studio = Studio(Settings.from_env(environ, folder))
    studio.start()
    try:
        job = studio.submit(OWNER, mode, values, files)
        done = ended(studio, job, seconds=900)
        assert done.status == "done", done.error
        needed = [model for model in studio.models() if mode in model.modes and not model.optional]
        assert needed and {model.state for model in needed} == {"ready"}
        return done, studio.result_path(job.id, job.key)
    finally:
        studio.close()


def done(studio: Studio, job: JobView) -> JobView:
    """The job once it has ended well."""
    found = ended(studio, job, seconds=1200)
    assert found.status == "done", found.error
    return found
