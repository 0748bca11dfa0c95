"""What became of the jobs of a studio that was killed: done, drawn again, lost, and what is left on disk."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from backend.jobs.job import DONE, EXTENSION, Job
from backend.jobs.layout import PARTS, SOURCES, WORK, result_name
from backend.jobs.store import Store
from backend.media.decoder import Decoder
from tests.support.killed_chain import moments
from tests.support.paths import ROOT
from tests.support.waiting import until

READER = "backend.media.child"
END_SECONDS = 60.0
"""Within this time a reader notices that its studio has ended."""


@dataclass
class Account:
    """The outcome of a run. `again`: prompts that an engine began beyond one for each job; `twice`: those of
    them whose result or prompt an engine or the studio still had; `wrong`: results that are not what the
    jobs make together; `left`: files that no job needs."""

    strikes: int = 0
    jobs: int = 0
    done: int = 0
    again: int = 0
    twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def bad(self) -> int:
        return len(self.twice) + len(self.lost) + len(self.wrong) + len(self.left)


def account(folder: Path, engines: Sequence[Path], deleted: bool = False) -> Account:
    """Of the studio in this folder, which does not run. `engines`: the folders of its engines, with their
    notes; `deleted`: what was asked for has been deleted."""
    store = Store(folder / "data" / "studio.db")
    try:
        jobs = {job.id: job for job in store.ended_before(float("inf"))}
        unfinished = [job.id for job in store.unfinished()]
    finally:
        store.close()
    reached = moments(folder)
    found = Account(strikes=sum(note["struck"] for note in reached), jobs=len(jobs))
    asked = {job_id for job_id, _ in json.loads((folder / "requests.json").read_text()).values()}
    missing = [] if deleted else [job_id for job_id in asked if job_id not in jobs]
    files = folder / "data" / "jobs"
    for job in jobs.values():
        if job.status == DONE and (files / job.id / result_name(job.mode)).is_file():
            found.done += 1
        else:
            missing.append(f"{job.id} is {job.status}: {(job.error or {}).get('message', 'no result')}")
    found.lost = [*missing, *unfinished]
    found.again, found.twice = _begun(folder, [one / "notes" for one in engines], reached)
    with Decoder() as decoder:
        found.wrong = [job.id for job in jobs.values() if not _right(decoder, job, jobs, files)]
    found.left = left_over(folder, jobs, engines)
    return found


def _begun(folder: Path, notes: Sequence[Path], reached: Sequence[dict[str, Any]]) -> tuple[int, list[str]]:
    """(prompts begun beyond one for each job, those that were begun without need)."""
    killed = [json.loads(line) for line in _lines(folder / "killed")]
    fetched = [(note["job"], note["at"]) for note in reached if note["moment"] == "fetched"]
    begun: dict[str, list[float]] = {}
    for log in notes:
        for line in _lines(log):
            note = json.loads(line)
            if note["event"] == "execution_start":
                job_id = note["names"][0].rpartition("-")[2]
                begun.setdefault(job_id, []).append(note["at"])
    for note in reached if not notes else ():  # an engine that keeps no notes
        if note["moment"] == "posted":
            begun.setdefault(note["job"], []).append(note["at"])
    again, twice = 0, []
    for job_id, starts in begun.items():
        starts.sort()
        again += len(starts) - 1
        for before, at in pairwise(starts):
            had = any(job == job_id and moment < at for job, moment in fetched)
            if had or not any(before <= kill["at"] <= at for kill in killed):
                twice.append(job_id)
    return again, twice


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def _right(decoder: Decoder, job: Job, jobs: dict[str, Job], files: Path) -> bool:
    """Whether the result of a parent has the frames that its children make together, in their order."""
    result = files / job.id / result_name(job.mode)
    if job.status != DONE or not job.assembly:
        return True
    with tempfile.TemporaryDirectory() as folder:
        afresh = Path(folder) / "afresh.mp4"
        if job.assembly == EXTENSION:
            parts = [files / job.id / part.file for part in job.parts]
            own = [files / part.job / "result.mp4" for part in job.parts]
            if not all(one.samefile(other) for one, other in zip(parts, own, strict=True)):
                return False
            pieces = [(files / job.id / part.file, part.first, part.frames) for part in job.parts]
            decoder.extension(pieces, afresh, job.seconds)
            expected = sum(part.frames for part in job.parts)
        else:
            children = sorted(
                (one for one in jobs.values() if one.parent == job.id), key=lambda one: int(one.role)
            )
            if len(children) != int(job.params.get("variations") or len(children)):
                return True  # some were deleted afterwards: the sheet stays as it was
            decoder.video_sheet([files / one.id / "result.mp4" for one in children], afresh)
            expected = max(one.frames for one in children)
        shown, wanted = frames(result), frames(afresh)
        return len(shown) == expected == len(wanted) and all(
            np.array_equal(one, other) for one, other in zip(shown, wanted, strict=True)
        )


def frames(video: Path) -> list[np.ndarray]:
    """The decoded frames of a video."""
    with av.open(str(video)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def left_over(folder: Path, jobs: dict[str, Job], engines: Sequence[Path]) -> list[str]:
    """Files that no job needs: unfinished ones, of steps that are over, of jobs without a record, in the
    engines' output folders; and processes that read media for a killed studio."""
    data = folder / "data"
    found = [path for path in data.rglob("*") if path.name.endswith((".part", ".deleted"))]
    found += [path for path in data.iterdir() if path.name.startswith(".frames-")]
    for job in (data / "jobs").iterdir():
        if job.name not in jobs:
            found.append(job)
            continue
        found += [job / name for name in (WORK, SOURCES) if (job / name).exists()]
        if (job / PARTS).exists() and not jobs[job.name].parts:
            found.append(job / PARTS)
    for engine in engines:
        found += [path for path in (engine / "comfy" / "output").rglob("*") if path.is_file()]
    with contextlib.suppress(AssertionError):
        until(lambda: not readers(), END_SECONDS)
    return [path.name for path in found] + readers()


def readers() -> list[str]:
    """The processes that read media for a process that has ended."""
    found = []
    for one in psutil.process_iter(["cmdline", "cwd"]):
        if READER not in (one.info["cmdline"] or ()) or one.info["cwd"] != str(ROOT):
            continue
        with contextlib.suppress(psutil.Error):
            parent = one.parent()
            if parent is None or parent.pid == 1 or "python" not in parent.name():
                found.append(f"process {one.pid}")
    return found
