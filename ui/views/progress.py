"""A job's progress as texts and as segments of the bar."""

from __future__ import annotations

from typing import Any

from backend.jobs.snapshot import STAGES, Snapshot
from ui.i18n.texts import plural, text
from ui.views.wording import duration, ordinal

EMPTY_SEGMENTS = tuple((stage, 1 / len(STAGES), 0.0) for stage in STAGES)
"""(stage, weight, share done) of a job of which nothing is known yet."""


def stage_words(stage: str) -> str:
    """`Loading models`: a stage's name; `Starting` for one that is not in STAGES."""
    return text(f"progress.stage.{stage}") if stage in STAGES else text("progress.starting")


def waiting(snapshot: Snapshot) -> str:
    """`Waiting: 3 jobs ahead of you`, with those of other clients; or the reason of the wait."""
    if snapshot.text:
        return snapshot.text
    ahead = snapshot.ahead + snapshot.others
    return plural("progress.ahead", ahead) if ahead else text("progress.to_start")


def step_words(snapshot: Snapshot) -> str:
    """`step 3 of 4`, or `part 2 of 5, step 3 of 4` with the steps counted within the part."""
    step, steps = min(snapshot.step, snapshot.steps - 1), snapshot.steps
    number, count = snapshot.chunk, snapshot.chunks
    if count < 2:
        return text("progress.step", step=step + 1, steps=steps)
    each = steps // count
    if each and not steps % count:
        step, steps = min(max(step - (number - 1) * each, 0), each - 1), each
    return text("progress.part_step", part=number, parts=count, step=step + 1, steps=steps)


def status(snapshot: Snapshot) -> str:
    """The card's headline while a job is queued or running."""
    if snapshot.status == "queued" or (snapshot.activity == "wait" and not snapshot.text):
        return waiting(snapshot)
    if snapshot.preparing and snapshot.text:
        return snapshot.text
    if snapshot.doing == "draw" and snapshot.steps and snapshot.part and snapshot.text:
        return text("progress.of_parts", what=snapshot.text, part=step_words(snapshot))
    if snapshot.doing == "draw" and snapshot.steps:
        return text("progress.generating", position=step_words(snapshot))
    if snapshot.doing in ("load", "finish", "save") and snapshot.text:
        return (
            text("progress.of_parts", what=snapshot.text, part=chunk_range_words(snapshot))
            if _in_chunks(snapshot)
            else snapshot.text
        )
    if snapshot.status == "running" and snapshot.doing == "wait":  # its engine has not said what it does
        return snapshot.text or text("progress.starting")
    return stage_words(snapshot.doing)


def _in_chunks(snapshot: Snapshot) -> bool:
    return bool(snapshot.chunk_range[0]) and snapshot.chunks > 1


def chunk_range_words(snapshot: Snapshot) -> str:
    """`part 2 of 5`, `parts 1 to 4 of 5`: what the present work concerns."""
    first, last = snapshot.chunk_range
    if first == last:
        return text("progress.part", part=first, parts=snapshot.chunks)
    return text("progress.parts", first=first, last=last, parts=snapshot.chunks)


def announcement(snapshot: Snapshot) -> str:
    """`Generating, part 2 of 5`: the headline without the step, so that screen readers announce each stage
    and part once."""
    drawing = snapshot.doing == "draw" and snapshot.steps and not snapshot.preparing
    if snapshot.status == "queued" or not drawing:
        return status(snapshot)
    if snapshot.part and snapshot.text:
        return snapshot.text
    if snapshot.chunks < 2:
        return stage_words("draw")
    part = text("progress.part", part=snapshot.chunk, parts=snapshot.chunks)
    return text("progress.generating", position=part)


def progress(snapshot: Snapshot, paused: bool = False, engine: str = "") -> dict[str, Any]:
    """The poll's answer without the preview: texts and numbers, ready to be shown. paused: the queue is.
    engine: its name within a sentence."""
    running = snapshot.status == "running"
    held = paused and snapshot.status == "queued"
    left = elapsed = ""
    if running and snapshot.connected and snapshot.remaining is not None:
        left = text("progress.left", duration=duration(snapshot.remaining))
    if running and snapshot.elapsed >= 0.5:
        elapsed = text("progress.elapsed", duration=duration(snapshot.elapsed))
    place = ordinal(snapshot.ahead + 1)
    percent = round(snapshot.percent, 1)
    words = text("queue.paused_by_admin") if held else status(snapshot)
    spoken = "progress.spoken_left" if left else "progress.spoken"
    return {
        "version": snapshot.version,
        "status": snapshot.status,
        "stage": snapshot.stage,
        "words": words,
        "announcement": words if held else announcement(snapshot),
        "left": left,
        "elapsed": text("progress.place", place=place) if held and snapshot.ahead else elapsed,
        "percent": percent,
        "spoken": text(spoken, status=words, percent=f"{percent:.0f}", left=left),
        "segments": [
            [stage, round(weight, 4), round(max(0.0, min(1.0, done)), 4)]
            for stage, weight, done in snapshot.segments or EMPTY_SEGMENTS
        ],
        "step": snapshot.step,
        "steps": snapshot.steps,
        "next": snapshot.status == "queued" and not snapshot.ahead,
        "preview": snapshot.preview_version,
        "part": snapshot.part,
        "connected": snapshot.connected,
        "notice": "" if snapshot.connected else text("progress.engine_lost", engine=engine),
        "place": place if snapshot.status == "queued" else "",
    }
