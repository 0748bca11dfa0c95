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


def stored_files(studio: Studio, job: JobView) -> tuple[tuple[str, ...], bool]:
    """(the parameters of a job without a result that are files, whether any of them is deleted). Those of a
    cancelled job are deleted, or will be in a moment."""
    files, deleted = [], False
    for name in file_names(job.mode):
        try:
            given = studio.input_path(job.id, job.key, name) is not None
        except NotFound:
            given = deleted = True
        if given:
            files.append(name)
    return tuple(files), deleted or (job.status == "cancelled" and bool(files))
