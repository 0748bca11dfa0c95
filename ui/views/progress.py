"""How far a job is, in words and segments of the bar."""

from __future__ import annotations

import re
from typing import Any

from backend.jobs.progress import Snapshot
from ui.views.wording import PAUSED, duration, ordinal

STAGE_WORDS = {
    "wait": "Waiting",
    "load": "Loading models",
    "read": "Reading the prompt",
    "draw": "Drawing",
    "finish": "Finishing",
    "save": "Saving",
}


PART = re.compile(r"part \d+ of \d+")
"""How the labels of a job in several chunks count them: "Drawing, part 2 of 5"."""


EMPTY_SEGMENTS = tuple((stage, 1 / len(STAGE_WORDS), 0.0) for stage in STAGE_WORDS)


def waiting(snapshot: Snapshot) -> str:
    """`Waiting, 2nd in line`; jobs of other clients on the same server are said. A reason goes before."""
    if snapshot.text:
        return snapshot.text
    if snapshot.others:
        jobs = "1 job of others" if snapshot.others == 1 else f"{snapshot.others} jobs of others"
        return f"Waiting, {jobs} ahead" if not snapshot.ahead else f"Waiting, {snapshot.ahead} + {jobs} ahead"
    return f"Waiting, {ordinal(snapshot.ahead + 1)} in line" if snapshot.ahead else "Waiting to start"


def status(snapshot: Snapshot) -> str:
    """The card's headline while a job is on its way."""
    if snapshot.status == "queued":
        return waiting(snapshot)
    if snapshot.stage == "draw" and snapshot.steps:
        step = f"step {min(snapshot.step + 1, snapshot.steps)} of {snapshot.steps}"
        part = PART.search(snapshot.text)
        if snapshot.text.startswith("Preparing"):  # the next part's media are being cut
            return snapshot.text
        return f"Drawing, {part[0]}, {step}" if part else f"Drawing, {step}"
    if snapshot.stage in ("load", "read", "finish", "save") and snapshot.text:
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
        "gone": f"{ordinal(snapshot.ahead + 1)} in line" if held and snapshot.ahead else gone,
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
