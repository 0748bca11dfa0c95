"""Estimates how long a job will take, from jobs that the same engine has finished or from measurements of its
card, and whether it fits into the memory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from backend.engines.base import EngineInfo
from backend.engines.kinds import engine_name, takes_whole
from backend.jobs.drawing_model import model_of, usual_model
from backend.jobs.job import Job
from backend.jobs.stopwatch import AWAY
from workflows.cards import Card, CardRun
from workflows.compile import Compiled
from workflows.modes.registry import MODES

History = Callable[[str, str], Iterable[Job]]
"""(engine name, mode) -> the jobs that it has finished"""
LATENT_SCALE = 8 * 8 * 4  # WAN's VAE: 8x in each direction of the picture, 4x in time


@dataclass(frozen=True)
class Workload:
    """What determines the time: model evaluations and the size of the video in latent cells. `chunks`: a
    model evaluation is of one chunk of the video. `steps`: sampling steps of all chunks. `model`: the model
    that draws it, see drawing_model; "" when unknown."""

    evaluations: int
    width: int
    height: int
    frames: int
    chunks: int = 1
    steps: int = 0
    model: str = ""

    @property
    def cells(self) -> float:
        return max(1.0, self.width * self.height * self.frames / LATENT_SCALE)

    @property
    def chunk_cells(self) -> float:
        """Of one chunk, which is what has to fit into the memory."""
        return self.cells / self.chunks

    def drawing(self, simulated: bool) -> float:
        """What the time of drawing is proportional to."""
        if simulated:
            return float(self.steps or self.evaluations)
        return self.evaluations * self.cells / self.chunks


def workload(compiled: Compiled) -> Workload:
    """That of a compiled job."""
    chunks = max((label.chunks for labels in compiled.labels for label in labels.values()), default=0)
    return Workload(
        compiled.evaluations, compiled.width, compiled.height, compiled.frames, max(1, chunks),
        compiled.sampling_steps, model_of(compiled.resolved.files),
    )  # fmt: skip


def history_of(history: History, engine: str, mode: str, model: str = "") -> Iterable[Job]:
    """The finished jobs that best predict one of this mode on this engine: those of the same mode and model;
    without any, those of other modes that make the same kind of file. model: "" when unknown."""
    makes = MODES[mode].makes
    others = [name for name, spec in MODES.items() if name != mode and spec.makes == makes]
    for name in (mode, *others):
        found = [job for job in history(engine, name) if _tells(job)]
        found = _of_model(found, model if name == mode else "")
        if found:
            return found
    return ()


def _of_model(jobs: Sequence[Job], model: str) -> list[Job]:
    """The jobs of this model, else those whose model is unknown. "": the model of the latest job counts."""
    known = [(job, model_of(job.resolved.get("files") or ())) for job in jobs]
    wanted = model or next((found for _, found in known if found), "")
    same = [job for job, found in known if found == wanted]
    return same or [job for job, found in known if not found]


def _tells(job: Job) -> bool:
    """Whether the timings of a job are complete: the studio saw all of its work."""
    return bool("draw" in job.timings and job.evaluations and job.frames and AWAY not in job.timings)


def stage_seconds(work: Workload, history: Iterable[Job]) -> dict[str, float]:
    """Seconds per stage (load, read, draw, finish, save) and of the studio's own work; {} without history.

    Drawing scales with evaluations times cells of a chunk, finishing and saving with cells, reading with
    chunks; loading takes its median. A simulated step takes the same whatever it draws. Attention grows
    faster than the number of cells, so a much larger video is underestimated; only the five jobs of most
    similar size are used.
    """
    jobs = [job for job in history if _tells(job)]
    return _scaled(work, [(_work(job), job.timings) for job in jobs], all(job.demo for job in jobs))


def _scaled(
    work: Workload, samples: Sequence[tuple[Workload, Mapping[str, float]]], simulated: bool = False
) -> dict[str, float]:
    """Seconds per stage from those of other work; {} without any."""
    if not samples:
        return {}
    near = sorted(samples, key=lambda sample: abs(sample[0].cells / work.cells - 1.0))[:5]

    def middle(stage: str, scale: Callable[[Workload], float]) -> float:
        return median(timings.get(stage, 0.0) / scale(other) for other, timings in near)

    return {
        "load": middle("load", lambda other: 1.0),
        "read": middle("read", lambda other: other.chunks) * work.chunks,
        "draw": middle("draw", lambda other: other.drawing(simulated)) * work.drawing(simulated),
        "finish": middle("finish", lambda other: other.cells) * work.cells,
        "save": middle("save", lambda other: other.cells) * work.cells,
        "own": middle("own", lambda other: other.chunks) * work.chunks,
    }


@dataclass(frozen=True)
class Expected:
    """Seconds per stage, {} while unknown. `card`: the measurements that they are from; None: jobs."""

    stages: Mapping[str, float]
    card: Card | None = None


def expected(work: Workload, mode: str, info: EngineInfo, history: History, card: Card | None) -> Expected:
    """What a job will take on this engine: by its finished jobs of this mode, else by the measurements of its
    card, else by either of other modes that make the same kind of file."""
    model = "" if takes_whole(info) else work.model  # an endpoint's worker chooses the files
    jobs = list(history_of(history, engine_name(info), mode, model))
    runs = [run for run in card.runs if not run.out_of_memory] if card is not None else []
    same = [run for run in runs if run.mode == mode and _is_of(run, model)]
    others = [run for run in runs if run.mode in MODES and run.mode != mode]
    alike = [run for run in others if MODES[run.mode].makes == MODES[mode].makes]
    chosen = [] if any(job.mode == mode for job in jobs) else same or ([] if jobs else alike)
    if chosen:
        return Expected(_scaled(work, [(_run_work(run), run.stages) for run in chosen]), card)
    return Expected(stage_seconds(work, jobs))


def _is_of(run: CardRun, model: str) -> bool:
    """Whether a run is of this model. A run without a model is of the usual one of its mode."""
    return not model or (run.model or usual_model(run.mode)) == model


def _run_work(run: CardRun) -> Workload:
    return Workload(run.evaluations, run.width, run.height, run.frames, run.chunks, run.chunks * run.steps)


def fits(work: Workload, mode: str, card: Card | None) -> bool | None:
    """Whether a job fits into the card's memory, by runs of this mode that were at least as large and
    succeeded, or at most as large and failed; None when neither was measured."""
    found = card.runs if card is not None else ()
    runs = [run for run in found if run.mode == mode and _is_of(run, work.model)]
    if any(not run.out_of_memory and _run_work(run).chunk_cells >= work.chunk_cells for run in runs):
        return True
    if any(run.out_of_memory and _run_work(run).chunk_cells <= work.chunk_cells for run in runs):
        return False
    return None


def _work(job: Job) -> Workload:
    model = model_of(job.resolved.get("files") or ())
    chunks = MODES[job.mode].chunk_count(job.frames, model) if job.mode in MODES else 1
    return Workload(job.evaluations, job.width, job.height, job.frames, chunks, chunks * job.steps, model)


def expected_bytes(compiled: Compiled) -> int:
    """An upper estimate of the size of the result."""
    pixels = compiled.width * compiled.height
    if compiled.still:
        return pixels * 3
    seconds = compiled.frames / compiled.fps if compiled.fps else 0.0
    return round(pixels * compiled.frames * BITS / 8 + seconds * SOUND_BYTES)


BITS = 0.2
"""Bits per pixel of each frame of H.264 as ComfyUI's SaveVideo writes it: more than most videos need."""
SOUND_BYTES = 32_000
"""Bytes per second of sound."""
