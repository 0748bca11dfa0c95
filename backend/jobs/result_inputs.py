"""Inputs of a job that are the results of other jobs.

When a job is submitted, what is known of the other one is checked: its owner, what it makes, its planned
size and length. The result itself is linked into the job's folder once it is there, so a later removal of the
other job does not matter, and only then becomes an input like an upload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend.errors import BadInput, BadMedia, NotFound, SourceFailed, StudioError
from backend.jobs.job import (
    CANCELLED,
    DONE,
    FAILED,
    LAST_FRAME,
    TERMINAL,
    Job,
    PartResult,
    ResultOf,
    StoredInput,
)
from backend.jobs.layout import ENGINE_FOLDER, SOURCES, answer_name, link_whole, result_name
from backend.media.decoder import Decoder
from workflows.modes.registry import MODES, makes_still
from workflows.notice import Notice, notice
from workflows.params.media import Media
from workflows.params.values import shown

TITLE_LONGEST = 40
UNTITLED = notice("waiting_for_untitled")
"""The reason of a wait for another job, without words of its prompt."""


def expected(
    of: ResultOf, mode: str, field: str, owner_id: str, find: Callable[[str], Job | None]
) -> tuple[Job, StoredInput]:
    """The other job, and the input as far as it is known now. `find`: a job by its id. Raises NotFound,
    BadInput with the field.

    Jobs cannot wait for each other: `find` knows stored jobs and earlier members of a family, which a new job
    is not among, and what a stored job starts from never changes."""
    job = find(of.job)
    if job is None or job.owner != owner_id or job.delete_after is not None:
        raise NotFound.of("source_unknown", field=field)
    if job.status in (FAILED, CANCELLED):
        raise BadInput.of("result_not_made", parameter=field, field=field)
    kind, still = MODES[mode].media[field].kind, makes_still(job.mode)
    if kind != "picture" and still:
        raise BadInput.of("source_is_picture", input=field, field=field)
    if kind == "sound" and not has_sound(job):
        raise BadInput.of("source_is_silent", input=field, field=field)
    if kind != "picture" and of.frame != LAST_FRAME:
        raise BadInput.of("result_frame_unused", parameter=field, field=field)
    if still and of.frame not in (LAST_FRAME, 0):
        raise BadInput.of("result_one_frame", parameter=field, number=shown(of.frame), field=field)
    frame = None
    if kind == "picture" and not still:
        frame = _frame(of.frame, job, field)
    return job, StoredInput(_planned(job, kind), "", job=job.id, frame=frame)


def of_part(
    file: Path | ResultOf | PartResult | None, made: Sequence[Job], field: str
) -> Path | ResultOf | None:
    """The input of a part, where it is the result of one of the parts before it (`made`) with the id of that.
    Raises BadInput."""
    if not isinstance(file, PartResult):
        return file
    if not 1 <= file.part <= len(made):
        raise BadInput.of("family_part", number=len(made) + 1, field=field)
    return ResultOf(made[file.part - 1].id, file.frame)


def _frame(number: object, job: Job, field: str) -> int:
    whole = isinstance(number, int) and not isinstance(number, bool)
    if not whole or not isinstance(number, int) or number < LAST_FRAME or (0 < job.frames <= number):
        raise BadInput.of("source_frame", input=field, number=shown(number), count=job.frames, field=field)
    return number


def _planned(job: Job, kind: str) -> Media:
    """The measures of a job's result as they are planned; exact once it is done."""
    name = f"{ENGINE_FOLDER}/result-{job.id}"
    if kind == "picture":
        return Media(name, job.width, job.height)
    if kind == "sound":
        return Media(name, seconds=job.seconds)
    return Media(name, job.width, job.height, job.frames, job.fps, job.seconds, sound=has_sound(job))


def has_sound(job: Job) -> bool:
    """Whether a job's result can have sound: it is made from a sound, or from a video with sound."""
    kinds = MODES[job.mode].media if job.mode in MODES else {}
    return any(
        kinds[name].kind == "sound" or (kinds[name].kind == "video" and item.media.sound)
        for name, item in job.inputs.items()
        if name in kinds
    )


def reason(sources: list[Job]) -> Notice:
    """What a job waits for: the first of these jobs that has not ended."""
    left = [job for job in sources if job.status not in TERMINAL]
    title = " ".join(str(left[0].params.get("prompt") or "").split()) if left else ""
    if not title:
        return UNTITLED
    short = title if len(title) <= TITLE_LONGEST else title[: TITLE_LONGEST - 3].rstrip() + "..."
    return notice("waiting_for_result", title=short)


def names_source(why: Notice | None) -> bool:
    """Whether this reason of a wait has words of the prompt of another job."""
    return why is not None and why.code == "waiting_for_result"


def linked(folder: Path, field: str) -> Path:
    """Where the result for this input is linked in a job's folder."""
    return folder / SOURCES / field


def link(job: Job, jobs_dir: Path, target: Path, field: str = "") -> None:
    """Links the result of a job that is done, for the input `field`. Raises SourceFailed when the file is
    gone, OSError."""
    try:
        link_whole(jobs_dir / job.id / result_name(job.mode), target)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceFailed.of("source_gone", detail=str(error), field=field) from error


def failure(job: Job | None) -> SourceFailed | None:
    """Why the result of a job will never be there; None while it may be."""
    if job is None:
        return SourceFailed.of("source_gone")
    if job.status == FAILED:
        return SourceFailed.of("source_failed", reason=StudioError.from_dict(job.error or {}).why)
    if job.status == CANCELLED:
        return SourceFailed.of("source_cancelled")
    return None


def file_for(decoder: Decoder, result: Path, item: StoredInput, field: str) -> Path:
    """The file to use as the input: the result itself, or the frame of it as PNG beside it. Raises BadMedia,
    SourceFailed for a result that cannot be read, DiskFull."""
    if item.frame is None:
        return result
    frame = result.with_name(f"{result.name}-frame")
    decoder.frame(result, frame, item.frame, field=field)
    return frame


def unreadable(error: BadMedia) -> SourceFailed:
    """The error of a result that cannot be read."""
    return SourceFailed.of("source_unreadable", reason=error.why, detail=error.detail, field=error.field)


@dataclass(frozen=True)
class Given:
    """What a job is made from, by parameter. `files`: those that are there; `results`: those that are results
    of other jobs, which wait unless they are among the files."""

    files: Mapping[str, Path] = field(default_factory=dict)
    results: Mapping[str, StoredInput] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def waiting(self) -> dict[str, StoredInput]:
        """The inputs that are not there yet."""
        return {name: item for name, item in self.results.items() if name not in self.files}

    def named(self, inputs: Mapping[str, StoredInput]) -> dict[str, StoredInput]:
        """All inputs, each with the job whose result it is; `inputs`: those that are stored."""
        found = dict(inputs)
        for name, item in self.results.items():
            stored = found.get(name)
            found[name] = item if stored is None else replace(stored, job=item.job, frame=item.frame)
        return found


def look(
    files: Mapping[str, Path | ResultOf | None], mode: str, owner_id: str, folder: Path, decoder: Decoder,
    find: Callable[[str], Job | None],
) -> Given:  # fmt: skip
    """The files of a new job whose folder this is. Results that are there are linked into it. Raises
    NotFound, BadInput, BadMedia, SourceFailed, OSError."""
    there = {name: path for name, path in files.items() if isinstance(path, Path)}
    results: dict[str, StoredInput] = {}
    titles: dict[str, str] = {}
    for name, of in files.items():
        if not isinstance(of, ResultOf):
            continue
        if mode not in MODES or name not in MODES[mode].media:
            raise BadInput.of("source_not_taken", parameter=name, field=name)
        job, item = expected(of, mode, name, owner_id, find)
        results[name], titles[name] = item, answer_name(job.mode, job.id)
        if job.status == DONE:
            link(job, folder.parent, linked(folder, name), name)
            there[name] = file_for(decoder, linked(folder, name), item, name)
    return Given(there, results, titles)
