"""The finished file of a job: measured, compared with what was asked for, and given its poster."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from backend.errors import BadMedia, JobCancelled, MediaBusy, NoOutput, ShuttingDown, StudioError
from backend.jobs.job import Job
from backend.jobs.layout import POSTER
from backend.media.decoder import Decoder

log = logging.getLogger("wan.jobs")


def measured(decoder: Decoder, job: Job, result: Path, still: bool) -> Job:
    """The job with the real size, length and bytes of its result, and a poster beside it.

    A difference from what was asked for is logged. Raises NoOutput, MediaBusy, JobCancelled.
    """
    with engines_file(still):
        found = _size(decoder, result, still)
    if not still:
        _poster(decoder, job, result)
    asked = (job.width, job.height, job.frames)
    if found != asked:
        log.warning("job %s: asked for %s, got %s", job.id, asked, found)
    width, height, frames = found
    return replace(job, width=width, height=height, frames=frames, size=result.stat().st_size)


def with_seam(decoder: Decoder, job: Job, result: Path) -> Job:
    """The job with the measured seam of its result, if that is a loop. A seam that cannot be measured is
    logged: the video is there all the same. Raises JobCancelled, ShuttingDown."""
    if not job.params.get("loop"):
        return job
    try:
        seam = decoder.loop_seam(result)
    except (JobCancelled, ShuttingDown):
        raise
    except StudioError as error:
        log.warning("job %s: the seam of the loop is not measured: %s", job.id, error.message)
        return job
    return replace(job, seam=asdict(seam) if seam is not None else {})


@contextmanager
def engines_file(still: bool = False) -> Iterator[None]:
    """Turns the refusal of a file that an engine made into NoOutput: no file of the creator is at fault."""
    try:
        yield
    except MediaBusy:
        raise
    except BadMedia as error:
        code = "picture_unreadable" if still else "video_unreadable"
        raise NoOutput.of(code, detail=error.detail or error.message) from error


def _size(decoder: Decoder, result: Path, still: bool) -> tuple[int, int, int]:
    """Width, height and frames."""
    if still:
        picture = decoder.picture(result)
        return picture.width, picture.height, 1
    video = decoder.video_facts(result)
    return video.width, video.height, video.frames


def _poster(decoder: Decoder, job: Job, result: Path) -> None:
    """Draws the poster; a video without one is still a result."""
    try:
        decoder.poster(result, result.with_name(POSTER))
    except (JobCancelled, ShuttingDown):
        raise
    except StudioError as error:
        log.warning("job %s: no poster: %s", job.id, error.message)
