"""Children of an earlier parent that a retry takes over instead of making them again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.errors import BadInput
from backend.jobs.job import CANCELLED, DONE, FAILED, TERMINAL, VARIATIONS, Job
from backend.jobs.layout import POSTER, WORKFLOW, link_whole, result_name
from backend.jobs.store import Store


def of(earlier: Job | None, store: Store, jobs_dir: Path) -> list[Job]:
    """The finished children of a parent of which others failed or were cancelled; none of a parent whose
    children are all finished, which is made again as a whole. Raises StoreError."""
    if earlier is None or earlier.assembly != VARIATIONS or earlier.status not in TERMINAL:
        return []
    children = store.children(earlier.id)[earlier.id]
    done = [child for child in children if child.status == DONE and _result(child, jobs_dir).is_file()]
    return done if len(done) < len(children) else []


def left(earlier: Job | None, mode: str, values: Mapping[str, Any], store: Store) -> list[Job]:
    """The children of a set that is repeated as it was, without those that its owner deleted; none for
    anything else. Raises StoreError."""
    if earlier is None or earlier.assembly != VARIATIONS or earlier.status not in TERMINAL:
        return []
    return store.children(earlier.id)[earlier.id] if _as_it_was(earlier, mode, values) else []


def whole_of(earlier: Job | None, mode: str, values: Mapping[str, Any], store: Store) -> Job | None:
    """The parent to make again when a child that failed or was cancelled is repeated as it was; None for
    anything else. Raises StoreError, and BadInput while the others of its set are still made."""
    if earlier is None or not earlier.parent or earlier.status not in (FAILED, CANCELLED):
        return None
    if not _as_it_was(earlier, mode, values):
        return None
    parent = store.get(earlier.parent)
    if parent is None or parent.assembly != VARIATIONS or parent.owner != earlier.owner:
        return None
    if parent.status not in TERMINAL:
        raise BadInput.of("set_not_ended")
    return parent if parent.delete_after is None else None


def taken(child: Job, earlier: Sequence[Job], jobs_dir: Path, now: float) -> Job:
    """The new child as a finished job with the result of an equal one, linked into its folder; unchanged
    where there is none. `now`: unix seconds. Raises OSError."""
    like = next((one for one in earlier if _equal(one, child)), None)
    if like is None:
        return child
    source, target = jobs_dir / like.id, jobs_dir / child.id
    link_whole(_result(like, jobs_dir), _result(child, jobs_dir))
    for name in (POSTER, WORKFLOW):
        if (source / name).is_file():
            link_whole(source / name, target / name)
    return replace(
        child, status=DONE, finished=now, width=like.width, height=like.height, frames=like.frames,
        fps=like.fps, steps=like.steps, evaluations=like.evaluations, engine=like.engine, demo=like.demo,
        size=like.size, warnings=like.warnings, resolved=like.resolved, segments_done=0,
    )  # fmt: skip


def _as_it_was(earlier: Job, mode: str, values: Mapping[str, Any]) -> bool:
    """Whether this mode with these values is what an earlier job was asked for."""
    given = {name: value for name, value in values.items() if value is not None}
    return mode == earlier.mode and given == earlier.params


def _result(job: Job, jobs_dir: Path) -> Path:
    return jobs_dir / job.id / result_name(job.mode)


def _equal(one: Job, other: Job) -> bool:
    """Whether two jobs have the same mode, values and files."""
    return (one.mode, _values(one), _files(one)) == (other.mode, _values(other), _files(other))


def _values(job: Job) -> str:
    return json.dumps(job.params, sort_keys=True, default=str)


def _files(job: Job) -> dict[str, Any]:
    return {name: (item.digest or item.media.name, item.job, item.frame) for name, item in job.inputs.items()}
