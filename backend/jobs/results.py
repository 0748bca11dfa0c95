"""The finished file of a job: measured, compared with what was asked for, and given its poster."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from backend.errors import JobCancelled, ShuttingDown, StudioError
from backend.jobs.job import Job
from backend.jobs.layout import POSTER
from backend.media.decoder import Decoder

log = logging.getLogger("wan.jobs")


def measured(decoder: Decoder, job: Job, result: Path, still: bool) -> Job:
    """The job with the real size, length and bytes of its result, and a poster beside it.

    A difference from what was asked for is logged. Raises BadMedia, JobCancelled.
    """
    if still:
        picture = decoder.picture(result)
        found = (picture.width, picture.height, 1)
    else:
        video = decoder.video_facts(result)
        found = (video.width, video.height, video.frames)
        _poster(decoder, job, result)
    asked = (job.width, job.height, job.frames)
    if found != asked:
        log.warning("job %s: asked for %s, got %s", job.id, asked, found)
    width, height, frames = found
    return replace(job, width=width, height=height, frames=frames, size=result.stat().st_size)


def _poster(decoder: Decoder, job: Job, result: Path) -> None:
    """Draws the poster; a video without one is still a result."""
    try:
        decoder.poster(result, result.with_name(POSTER))
    except (JobCancelled, ShuttingDown):
        raise
    except StudioError as error:
        log.warning("job %s: no poster: %s", job.id, error.message)
