"""The files that a job was made from, as far as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.errors import NotFound
from ui.forms.schema import file_names

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio


def has_picture(studio: Studio, job: JobView) -> bool:
    """Whether the job has an input picture to show until there is a preview."""
    try:
        return "image" in file_names(job.mode) and bool(studio.input_path(job.id, job.key, "image"))
    except NotFound:
        return False


def inputs_deleted(studio: Studio, job: JobView) -> bool:
    """Whether files that the job was made from are deleted, so that it cannot be made again."""
    try:
        for name in file_names(job.mode):
            studio.input_path(job.id, job.key, name)
    except NotFound:
        return True
    return False
