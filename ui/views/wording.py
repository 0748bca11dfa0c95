"""What the page says: durations, sizes, stages, progress and failures in words. Pure; gives text, no HTML."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView

MODEL_STATES = {
    "ready": "Ready",
    "missing": "Missing",
    "unseen": "Not seen by ComfyUI",
    "wrong_size": "Wrong size",
    "damaged": "Damaged",
    "unreadable": "Not readable",
    "unknown": "Not known yet",
}
PAUSED = "Queue paused by the admin"
DEMO_SENTENCE = "Demo mode: simulated results, no AI model. Connect ComfyUI to generate real videos."


def is_still(job: JobView) -> bool:
    """Whether the job makes a picture."""
    return job.result.endswith(".png")


def thing(job: JobView) -> str:
    """`video` or `picture`: what the job makes."""
    return "picture" if is_still(job) else "video"


def model_state(state: str) -> str:
    """A model file's state in a word or two."""
    return MODEL_STATES.get(state, state.replace("_", " ").capitalize() or "Not known yet")


def duration(seconds: float) -> str:
    """`41 s`, `1 min 5 s`, `3 h 12 min`; below ten seconds of work still whole seconds, at least 1."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(whole / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def clock(seconds: float) -> str:
    """A clip's length as players write it: `0:05`."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def number(value: float, digits: int = 1) -> str:
    """A number without a trailing `.0`."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def file_size(count: float) -> str:
    """Bytes of a file or disk in decimal units, as disks and browsers count: `3.1 MB`, `254 MB`."""
    if count < 1000:
        return f"{int(count)} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.5:
            return f"{number(count, 1 if count < 100 else 0)} {unit}"
    return f"{number(count / 1000)} TB"


def memory(count: float) -> str:
    """Bytes of memory in binary gigabytes, as GPUs are sold: `24 GB`, `17.2 GB`."""
    return f"{number(count / (1 << 30))} GB"


def ordinal(count: int) -> str:
    """`1st`, `2nd`, `11th`."""
    if count % 100 in (11, 12, 13):
        return f"{count}th"
    return f"{count}{({1: 'st', 2: 'nd', 3: 'rd'}).get(count % 10, 'th')}"


def made_seconds(mode: str, frames: int, fps: float) -> float:
    """A clip's length as chosen: from pictures and words WAN makes a frame more than seconds x fps (4n+1)."""
    if not fps:
        return 0.0
    return (frames if follows(mode) else max(0, frames - 1)) / fps


def clip_seconds(job: JobView) -> float:
    """A clip's length in seconds, as chosen."""
    if job.fps and job.frames > 1:
        return made_seconds(job.mode, job.frames, job.fps)
    return job.seconds


def follows(mode: str) -> bool:
    """Whether a clip of this mode is as long as the file that it follows."""
    return mode in MODES and MODES[mode].trim is not None


def chunks(mode: str, frames: int) -> int:
    """How many pieces the model draws for this many frames, one after the other."""
    return MODES[mode].chunks(frames) if mode in MODES else 1


def chunk_words(mode: str, frames: int) -> str:
    """`9 parts`, or nothing for one."""
    count = chunks(mode, frames)
    return f"{count} parts" if count > 1 else ""


def size(width: int, height: int) -> str:
    return f"{width} × {height}"


def frame(width: int, height: int, seconds: float, fps: float) -> str:
    """The frame to be made: `832 × 480, 5 s at 16 fps`; a picture has its size alone."""
    if not fps:
        return size(width, height)
    return f"{size(width, height)}, {length(seconds)} at {number(fps)} fps"


def length(seconds: float) -> str:
    """A clip's length: `5 s`, `4.9 s`, from a minute on `1 min 5 s`."""
    return f"{number(seconds)} s" if seconds < 59.95 else duration(seconds)


def speed(job: JobView) -> str:
    """`Fast` or `Quality`; a picture's model, `WAN` or `Flux`."""
    if is_still(job):
        return choice(job, "model")
    always = job.mode in MODES and MODES[job.mode].always_fast
    return "Fast" if always or job.params.get("speed") == "fast" else "Quality"


def choice(job: JobView, name: str) -> str:
    """The chosen value of a job's parameter as the page shows it, "" for a parameter that its mode lacks."""
    if job.mode not in MODES or name not in MODES[job.mode].by_name:
        return ""
    field = MODES[job.mode].field(name)
    return field.word(job.params.get(name) or field.default)


def recipe(job: JobView) -> list[str]:
    """The facts under a clip: `832 × 480`, `5 s`, `16 fps`, `Fast, 4 steps`, `Seed 271828`."""
    steps = f"{speed(job)}, {job.steps} steps" if job.steps else speed(job)
    facts = [size(job.width, job.height)]
    if not is_still(job):
        facts += [length(clip_seconds(job)), f"{number(job.fps)} fps"]
    facts += [choice(job, name) for name in (MODES[job.mode].tells if job.mode in MODES else ())]
    count = chunk_words(job.mode, job.frames)
    return [*facts, *([count] if count else []), steps, f"Seed {job.seed}"]


def resolution(job: JobView) -> str:
    """`480p` as chosen, or the height where the size was given by hand."""
    if job.params.get("width") or job.params.get("height"):
        return size(job.width, job.height)
    if "resolution" not in job.params and is_still(job):
        return size(job.width, job.height)
    return choice(job, "resolution") or size(job.width, job.height)


def title(job: JobView) -> str:
    """One line for a tile; a clip without a prompt is named by its seed."""
    return job.title or f"Seed {job.seed}"


def when(created: float, now: float) -> str:
    """`Now`, `Today 14:02`, `Yesterday`, `3 Nov`: in the time of the machine that the studio runs on."""
    if now - created < 60:
        return "Now"
    then, today = time.localtime(created), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("Today %H:%M", then)
    if time.localtime(now - 86_400)[:3] == then[:3]:
        return "Yesterday"
    return f"{then.tm_mday} {time.strftime('%b', then)}"


def line_counts(waits: int, mine: int) -> str:
    """`7 waiting, 2 yours`; only the total when all are one's own."""
    return f"{waits} waiting" if mine == waits else f"{waits} waiting, {mine} yours"
