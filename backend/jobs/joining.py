"""Makes a joined video from its parts: the new one and those that exist already."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from backend.errors import BadMedia, MediaBusy, NoOutput, from_os_error
from backend.jobs.folders import remove_below
from backend.jobs.job import Job
from backend.jobs.layout import WORK, WORKFLOW, link_or_copy
from backend.jobs.parts import GRAPH, file_of, frames_made
from backend.jobs.results import engines_file
from backend.jobs.waiting_clip import waits
from backend.media.decoder import Decoder

log = logging.getLogger("wan.jobs")

JOINED, TRACK = "joined", "sound"
"""The pictures without sound, and the beginning of the clip's sound, in the work folder."""


def join_parts(
    decoder: Decoder, parent: Job, drawn: Path, result: Path, on_progress: Callable[[float], None]
) -> Job:
    """Writes the result of a joined video; `drawn`: the file of the new part. Returns the job with the frames
    and seams of its parts. Raises NoOutput, DiskFull."""
    folder, job_id = result.parent, drawn.parent.name
    number = next((i for i, part in enumerate(parent.parts, 1) if part.job == job_id and not part.file), 0)
    if not number:
        raise NoOutput.of("part_gone")
    target = folder / file_of(number)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        link_or_copy(drawn, target)
        graph = target.with_name(target.name + GRAPH)
        graph.unlink(missing_ok=True)
        if (drawn.parent / WORKFLOW).is_file():
            link_or_copy(drawn.parent / WORKFLOW, graph)
        (folder / WORK).mkdir(exist_ok=True)
        with engines_file():
            if waits(parent, job_id):
                parent = _with_clip(decoder, parent, folder)
            facts = decoder.video_facts(target)
            parts = list(parent.parts)
            part = parts[number - 1]
            rate = parent.fps if number > 1 else facts.fps
            made = frames_made(facts.frames, part.first, facts.fps, rate)
            if not made:
                raise NoOutput.of("part_without_frames", number=number)
            parts[number - 1] = replace(part, file=file_of(number), frames=min(part.frames or made, made))
            return _joined(decoder, replace(parent, parts=tuple(parts), fps=rate), result, on_progress)
    except OSError as error:
        raise from_os_error(error) from error
    finally:
        remove_below(folder, WORK)


def _with_clip(decoder: Decoder, parent: Job, folder: Path) -> Job:
    """The joined video with its clip, which was not finished at the submit and is in the folder now. Raises
    NoOutput."""
    clip, *others = parent.parts
    if not (folder / file_of(1)).is_file():
        raise NoOutput.of("part_gone")
    facts = decoder.video_facts(folder / file_of(1))
    clip = replace(clip, file=file_of(1), frames=min(clip.frames, facts.frames))
    return replace(parent, parts=(clip, *others), fps=facts.fps)


def _joined(decoder: Decoder, parent: Job, result: Path, on_progress: Callable[[float], None]) -> Job:
    folder = result.parent
    first = folder / parent.parts[0].file
    pictures = folder / WORK / JOINED
    pieces = [(folder / part.file, part.first, part.frames) for part in parent.parts]
    made, counts, seams = decoder.extension(pieces, pictures, parent.seconds, on_progress=on_progress)
    parts = [replace(part, frames=count) for part, count in zip(parent.parts, counts, strict=True)]
    if decoder.video_facts(first).has_audio:
        _add_sound(decoder, first, pictures, result, counts[0] / made.fps, on_progress)
    else:
        result.unlink(missing_ok=True)
        link_or_copy(pictures, result)
    parts[1:] = [replace(part, seam=seam) for part, seam in zip(parts[1:], seams, strict=True)]
    return replace(
        parent, parts=tuple(parts), width=made.width, height=made.height, frames=made.frames, fps=made.fps
    )


def _add_sound(
    decoder: Decoder,
    source: Path,
    pictures: Path,
    result: Path,
    seconds: float,
    on_progress: Callable[[float], None],
) -> None:
    """Adds the sound of the first part for as long as that part is shown: copied where possible, else
    encoded. A video whose sound cannot be read is still a result, without it."""
    try:
        decoder.with_sound(pictures, source, result, seconds, on_progress=on_progress)
        return
    except MediaBusy:
        raise
    except BadMedia as error:
        log.info("%s: the sound is not copied: %s", result.parent.name, error.detail or error.message)
    track = pictures.with_name(TRACK)
    try:
        decoder.cut_sound(source, track, 0.0, seconds, on_progress=on_progress)
        decoder.join([pictures], result, track, on_progress=on_progress)
    except MediaBusy:
        raise
    except BadMedia as error:
        log.warning("%s: the sound is lost: %s", result.parent.name, error.detail or error.message)
        result.unlink(missing_ok=True)
        link_or_copy(pictures, result)
