"""How far a job is, in words and segments of the bar."""

from __future__ import annotations

from typing import Any

from backend.jobs.progress import Snapshot
from ui.views.wording import PAUSED, duration, ordinal

STAGE_WORDS = {
    "wait": "Waiting",
    "load": "Loading models",
    "read": "Preparing inputs",
    "draw": "Generating",
    "finish": "Finishing",
    "save": "Saving",
}

EMPTY_SEGMENTS = tuple((stage, 1 / len(STAGE_WORDS), 0.0) for stage in STAGE_WORDS)


def waiting(snapshot: Snapshot) -> str:
    """`Waiting: 3 jobs ahead of you`, those of other clients on the same server included, or the reason."""
    if snapshot.text:
        return snapshot.text
    ahead = snapshot.ahead + snapshot.others
    if not ahead:
        return "Waiting to start"
    return f"Waiting: {ahead} job{'' if ahead == 1 else 's'} ahead of you"


def step_words(snapshot: Snapshot) -> str:
    """`step 3 of 4`, or `part 2 of 5, step 3 of 4` with the steps counted within the part."""
    step, steps = min(snapshot.step, snapshot.steps - 1), snapshot.steps
    number, count = snapshot.chunk, snapshot.chunks
    if count < 2:
        return f"step {step + 1} of {steps}"
    part = f"part {number} of {count}"
    each = steps // count
    if not each or steps % count:
        return f"{part}, step {step + 1} of {steps}"
    within = min(max(step - (number - 1) * each, 0), each - 1)
    return f"{part}, step {within + 1} of {each}"


def status(snapshot: Snapshot) -> str:
    """The card's headline while a job is on its way."""
    if snapshot.status == "queued":
        return waiting(snapshot)
    if snapshot.stage == "draw" and snapshot.steps:
        if snapshot.preparing:
            return snapshot.text
        return f"Generating, {step_words(snapshot)}"
    if snapshot.stage in ("load", "finish", "save") and snapshot.text:
        return snapshot.text
    return STAGE_WORDS.get(snapshot.stage, "Starting")


def progress(snapshot: Snapshot, paused: bool = False) -> dict[str, Any]:
    """The poll's answer without the preview: words and figures, ready to be shown. paused: the queue is."""
    running = snapshot.status == "running"
    held = paused and snapshot.status == "queued"
    left = duration(snapshot.remaining) + " left" if snapshot.remaining is not None and running else ""
    gone = f"{duration(snapshot.elapsed)} so far" if running and snapshot.elapsed >= 0.5 else ""
    percent = round(snapshot.percent, 1)
    words = PAUSED if held else status(snapshot)
    return {
        "version": snapshot.version,
        "status": snapshot.status,
        "stage": snapshot.stage,
        "words": words,
        "left": left,
        "gone": f"{ordinal(snapshot.ahead + 1)} in the queue" if held and snapshot.ahead else gone,
        "percent": percent,
        "spoken": f"{words}, {percent:.0f} %" + (f", {left}" if left else ""),
        "segments": [
            [stage, round(weight, 4), round(max(0.0, min(1.0, done)), 4)]
            for stage, weight, done in snapshot.segments or EMPTY_SEGMENTS
        ],
        "step": snapshot.step,
        "steps": snapshot.steps,
        "next": snapshot.status == "queued" and not snapshot.ahead,
        "preview": snapshot.preview_version,
        "connected": snapshot.connected,
        "place": ordinal(snapshot.ahead + 1) if snapshot.status == "queued" else "",
    }
