"""The job of a joined video as it is submitted: its parts with their files, and the new one below it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from backend.jobs import input_files
from backend.jobs.extension_base import Base
from backend.jobs.job import EXTENSION, Job
from backend.jobs.layout import PARTS, WORKFLOW, link_or_copy
from backend.jobs.part_values import settings_of
from backend.jobs.parts import END, GRAPH, Part, end_of, file_of, total
from backend.jobs.views import EXTEND, SEVERAL
from workflows.notice import Notice, made

BYTES_PER_PIXEL = 0.1
"""Of a frame of the joined video at crf 18, an upper figure."""

OF_PICTURE = ("cropped", "picture_enlarged", "picture_strip", "strip")
"""Codes about a given picture: a part begins with frames of the clip."""


@dataclass(frozen=True)
class Joined:
    """A joined video that is being submitted: what stays before the new part, that part, those after it."""

    jobs_dir: Path
    base: Base
    part: Part
    later: tuple[Part, ...]
    warnings: tuple[Notice, ...]
    end: Path | None

    @property
    def number(self) -> int:
        return len(self.base.parts) + 1

    def parent(self, job_id: str, child: Job, folder: Path) -> tuple[Job, Job, int]:
        """(the job of the joined video, its child, bytes that it needs); links the files into its folder.
        Raises OSError."""
        base, number = self.base, self.number
        job = base.job
        own = self.jobs_dir / job.id
        before = dict(enumerate(base.files, 1))
        after = {index: own / part.file for index, part in enumerate(self.later, number + 1)}
        self._link(folder, {**before, **after})
        parts = [
            replace(part, file="" if base.waits else file_of(index))
            for index, part in enumerate(base.parts, 1)
        ]
        new = replace(self.part, job=child.id, seed=child.seed, prompt=str(child.params.get("prompt") or ""))
        if number > 1:
            new = replace(new, settings=settings_of(child.params))
        if number == 1:
            new = replace(new, frames=min(self.part.frames, child.frames) or child.frames)
        parts.append(new)
        for index, part in enumerate(self.later, number + 1):
            parts.append(replace(part, file=file_of(index), stale=True))
        frames = total(parts)
        inputs = {} if job.awaited else dict(job.inputs)  # else they come with the clip
        params = {name: value for name, value in job.params.items() if name not in SEVERAL}
        params[EXTEND] = {"part": number}
        first = child if number == 1 else job
        if number == 1:
            params |= {"prompt": child.params.get("prompt", ""), "seed": child.seed}
        of_child = child.warnings if number == 1 else _of_part(child.warnings)
        warnings = tuple(dict.fromkeys((*self.warnings, *of_child)))
        if self.later:
            warnings = (*warnings, made("part_stale", {"number": number}))
        parent = Job(
            job_id, child.owner, job.mode, params, inputs, created=time.time(), seed=first.seed,
            width=first.width, height=first.height, frames=frames, fps=first.fps, steps=first.steps,
            warnings=warnings, resolved=first.resolved, assembly=EXTENSION, source=job.id,
            parts=tuple(parts),
        )  # fmt: skip
        child = replace(child, parent=job_id, role=str(number))
        return parent, child, round(2 * BYTES_PER_PIXEL * first.width * first.height * frames)

    def _link(self, folder: Path, files: Mapping[int, Path]) -> None:
        """Links what the video was made from, the files of its parts and the end picture into its folder."""
        source = self.jobs_dir / self.base.job.id
        if not self.base.job.awaited:
            input_files.link_all(source, folder)
        (folder / PARTS).mkdir(parents=True, exist_ok=True)
        for index, path in files.items():
            link_or_copy(path, folder / file_of(index))
            if not self.base.job.parts and (source / WORKFLOW).is_file():
                link_or_copy(source / WORKFLOW, folder / (file_of(index) + GRAPH))
            for more in (END, GRAPH):
                if (beside := path.with_name(path.name + more)).is_file():
                    link_or_copy(beside, folder / (file_of(index) + more))
        if self.end is not None:  # an upload, which may be changed in place
            shutil.copyfile(self.end, folder / end_of(self.number))


def _of_part(warnings: Iterable[Notice]) -> tuple[Notice, ...]:
    """The warnings of the job that draws a part, as those of the joined video."""
    found: list[Notice] = []
    for one in warnings:
        if one.code == "repeats_earlier_run":
            found.append(made("part_models_kept", {}))
        elif one.code == "earlier_run_gone":
            found.append(made("part_model_gone", {"names": one.arg("names") or ()}))
        elif one.code not in OF_PICTURE:
            found.append(one)
    return tuple(found)
