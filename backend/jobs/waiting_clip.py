"""Joined videos whose clip is not finished when they are submitted.

The new part waits for the result of the clip, as any job that starts from another one does. Together with
that result the clip, its graph and its inputs are linked into the folder of the joined video, so that the
clip can be deleted from then on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backend.errors import BadInput
from backend.jobs import folders, input_files
from backend.jobs.extension_base import Base, whole_number
from backend.jobs.job import EXTENSION, LAST_FRAME, Job, ResultOf
from backend.jobs.layout import INPUTS, ORIGINALS, WORKFLOW, link_whole
from backend.jobs.parts import GRAPH, Part, file_of, up_to
from backend.jobs.result_inputs import linked
from backend.jobs.store import Store

FIELD = "image"
"""The input of the new part that is a frame of the clip."""


def base(job: Job, frame: object) -> Base:
    """A clip that is waiting or running, up to a frame of those that are planned. Raises BadInput for a
    joined video, whose parts are known at its end, and with the field for a frame that it will not have."""
    if job.assembly:
        raise BadInput.of("extend_unfinished", field="id")
    number = whole_number(frame)
    if number is None or not LAST_FRAME <= number < job.frames:
        raise BadInput.of("extend_frame", frame=str(frame), last=max(0, job.frames - 1), field="frame")
    clip = Part(job.id, "", job.frames, seed=job.seed, prompt=str(job.params.get("prompt") or ""))
    return Base(job, up_to((clip,), number), ())


def last_frame(base: Base) -> ResultOf:
    """The frame of the clip that the new part begins with."""
    frames = base.parts[-1].frames
    return ResultOf(base.job.id, LAST_FRAME if frames >= base.job.frames else frames - 1)


def keep(part: Job, store: Store, jobs_dir: Path) -> None:
    """Links the finished clip, its graph and what it was made from into the folder of the joined video that
    `part` belongs to. Nothing for other jobs, and while the result of the clip is not linked. May be
    repeated. Raises OSError, StoreError."""
    if not part.parent or not linked(jobs_dir / part.id, FIELD).is_file():
        return
    parent = store.get(part.parent)
    if parent is None or parent.assembly != EXTENSION or not waits(parent, part.id):
        return
    folder = jobs_dir / parent.id
    target = folder / file_of(1)
    link_whole(linked(jobs_dir / part.id, FIELD), target)
    clip = store.get(parent.parts[0].job)
    if clip is None:
        return
    own = jobs_dir / clip.id
    if (own / WORKFLOW).is_file():
        link_whole(own / WORKFLOW, target.with_name(target.name + GRAPH))
    if clip.inputs and not parent.inputs:
        for name in (INPUTS, ORIGINALS):
            folders.remove_below(folder, name)
        input_files.link_all(own, folder)
        store.set_inputs(replace(parent, inputs=dict(clip.inputs)))


def with_inputs(parent: Job, store: Store) -> Job:
    """A joined video that has not ended, with the inputs that `keep` has stored. Raises StoreError."""
    if parent.assembly != EXTENSION or parent.parts[0].file or parent.inputs:
        return parent
    stored = store.get(parent.id)
    return parent if stored is None else replace(parent, inputs=stored.inputs)


def with_clip(parent: Job, jobs_dir: Path) -> Job:
    """A joined video that has ended without a result, with its clip if that was finished."""
    if not parent.parts or parent.parts[0].file or not (jobs_dir / parent.id / file_of(1)).is_file():
        return parent
    clip, *others = parent.parts
    return replace(parent, parts=(replace(clip, file=file_of(1)), *others))


def waits(parent: Job, drawn: str) -> bool:
    """Whether the clip of a joined video was not finished when it was submitted. `drawn`: id of the job that
    draws its new part."""
    first = parent.parts[0]
    return not first.file and first.job != drawn
