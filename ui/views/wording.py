"""Durations, sizes, dates and the facts of a clip as texts, without markup."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend.jobs.job import VARIATIONS
from ui.i18n import mode_texts
from ui.i18n.texts import plural, table, text
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView


def is_still(job: JobView) -> bool:
    """Whether the job makes a picture."""
    return job.result.endswith(".png")


def is_set(job: JobView) -> bool:
    """Whether the job is made of variations."""
    return job.assembly == VARIATIONS


def varied(job: JobView) -> Mapping[str, Sequence[Any]]:
    """The setting in which variations differ, with its values; empty for their seeds, and for any other
    job."""
    found = job.params.get("vary") if is_set(job) else None
    return found if isinstance(found, Mapping) else {}


def variation_count(job: JobView) -> int:
    """The number of variations that exist."""
    return len(job.children) or int(job.params.get("variations") or 0)


def thing(job: JobView) -> str:
    """`video` or `picture`: what the job makes; a part of text keys, not a text."""
    return "picture" if is_still(job) else "video"


def model_state(state: str) -> str:
    """A model file's state in a word or two; an unlisted state is shown by its own name."""
    unlisted = state.replace("_", " ").capitalize() or text("models.state.unknown")
    return table().get(f"models.state.{state}", unlisted)


def listed(facts: Iterable[str]) -> str:
    """The facts that are not empty as one list: `1 running, 2 waiting`."""
    joined = ""
    for fact in filter(None, facts):
        joined = text("format.list", head=joined, tail=fact) if joined else fact
    return joined


def duration(seconds: float) -> str:
    """`41 s`, `1 min 5 s`, `3 h 12 min`; rounded to seconds, from an hour on to minutes, at least 1 s."""
    whole = max(1, round(seconds))
    if whole < 60:
        return text("format.seconds", seconds=whole)
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        key = "format.minutes_seconds" if rest else "format.minutes"
        return text(key, minutes=minutes, seconds=rest)
    hours, rest = divmod(round(whole / 60), 60)
    return text("format.hours_minutes" if rest else "format.hours", hours=hours, minutes=rest)


def clock(seconds: float) -> str:
    """A clip's length as players show it: `0:05`."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def number(value: float, digits: int = 1) -> str:
    """A number without a trailing `.0`."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def model_size(count: float) -> str:
    """The size of a model file; a dash where no source gives it."""
    return file_size(count) if count else text("format.no_size")


def file_size(count: float) -> str:
    """Bytes of a file or disk in decimal units, as disks and browsers count: `3.1 MB`, `254 MB`."""
    if count < 1000:
        return text("format.bytes.b", value=int(count))
    for unit in ("kb", "mb", "gb"):
        count /= 1000
        if count < 999.5:
            return text(f"format.bytes.{unit}", value=number(count, 1 if count < 100 else 0))
    return text("format.bytes.tb", value=number(count / 1000))


def memory(count: float) -> str:
    """Bytes of memory in binary gigabytes, the unit that GPUs are sold by: `24 GB`, `17.2 GB`."""
    return text("format.bytes.gb", value=number(count / (1 << 30)))


def ordinal(count: int) -> str:
    """`1st`, `2nd`, `11th`."""
    form = {1: "first", 2: "second", 3: "third"}.get(count % 10, "any")
    return text(f"format.ordinal.{'any' if count % 100 in (11, 12, 13) else form}", count=count)


def made_seconds(mode: str, frames: int, fps: float) -> float:
    """A clip's length in seconds as chosen: from pictures and prompts WAN makes a frame more than
    seconds x fps (4n+1), which a loop drops."""
    if not fps:
        return 0.0
    return (frames if follows(mode) or frames % 4 != 1 else frames - 1) / fps


def clip_seconds(job: JobView) -> float:
    """A clip's length in seconds, as chosen."""
    if job.fps and job.frames > 1:
        return made_seconds(job.mode, job.frames, job.fps)
    return job.seconds


def follows(mode: str) -> bool:
    """Whether a clip of this mode is as long as the file that it follows."""
    return mode in MODES and MODES[mode].trim is not None


def chunk_words(job: JobView) -> str:
    """`9 parts`, as the model that drew the job needed, or "" for one."""
    if job.mode not in MODES:
        return ""
    return parts(MODES[job.mode].chunk_count(job.frames, job.drawn_by))


def parts(count: int) -> str:
    """`9 parts`, or "" for one."""
    return plural("common.parts", count) if count > 1 else ""


def size(width: int, height: int) -> str:
    """`832 × 480`."""
    return text("format.size", width=width, height=height)


def frame(width: int, height: int, seconds: float, fps: float) -> str:
    """The frame to be made: `832 × 480, 5 s at 16 fps`; a picture has its size alone."""
    if not fps:
        return size(width, height)
    if not seconds:  # not known yet
        return text("format.frame_rate", size=size(width, height), fps=number(fps))
    return text("format.frame", size=size(width, height), length=length(seconds), fps=number(fps))


def length(seconds: float) -> str:
    """A clip's length: `5 s`, `4.9 s`, from a minute on `1 min 5 s`."""
    return text("format.seconds", seconds=number(seconds)) if seconds < 59.95 else duration(seconds)


def is_fast(job: JobView) -> bool:
    """Whether the clip is made in few steps; a picture never counts as fast."""
    if is_still(job):
        return False
    return (job.mode in MODES and MODES[job.mode].always_fast) or job.params.get("speed") == "fast"


def speed(job: JobView) -> str:
    """`Fast` or `Quality`; a picture's model, `WAN` or `Flux`."""
    if is_still(job):
        return choice(job, "model")
    return text("facts.fast") if is_fast(job) else text("facts.quality")


def choice(job: JobView, name: str) -> str:
    """The chosen value of a job's parameter as the page shows it, "" for a parameter that its mode lacks."""
    if job.mode not in MODES or name not in MODES[job.mode].by_name:
        return ""
    value = job.params.get(name) or MODES[job.mode].field(name).default
    return mode_texts.choice_label(job.mode, name, value)


def cancelled(job: JobView) -> str:
    """`Cancelled after 12 s`, or `Cancelled` for a job that was not started."""
    if not job.elapsed:
        return text("card.cancelled")
    return text("card.cancelled_after", duration=duration(job.elapsed))


def recipe(job: JobView) -> list[str]:
    """The facts under a clip: `832 × 480`, `5 s`, `16 fps`, `Fast, 4 steps`, `Seed 271828`."""
    steps = plural("facts.steps", job.steps, speed=speed(job)) if job.steps else speed(job)
    if varied(job).keys() & {"speed", "steps", "model"}:
        steps = ""
    facts = [plural("variations.tile", variation_count(job))] if is_set(job) else []
    facts.append(size(*job.drawn))
    if not is_still(job):
        facts += [length(clip_seconds(job)), text("format.fps", fps=number(job.fps))]
    facts += [choice(job, name) for name in (MODES[job.mode].tells if job.mode in MODES else ())]
    count = chunk_words(job)
    seed = "" if is_set(job) and not varied(job) else text("facts.seed", seed=job.seed)
    return [*facts, *filter(None, (count, steps, seed))]


def resolution(job: JobView) -> str:
    """`480p` as chosen, or the size where it was given by hand."""
    if job.params.get("width") or job.params.get("height"):
        return size(*job.drawn)
    if "resolution" not in job.params and is_still(job):
        return size(job.width, job.height)
    return choice(job, "resolution") or size(job.width, job.height)


def title(job: JobView) -> str:
    """One line for a tile; a clip without a prompt is named by its seed."""
    return job.title or text("facts.seed", seed=job.seed)


def when(created: float, now: float) -> str:
    """`Now`, `Today 14:02`, `Yesterday`, `3 Nov`, in local time of the machine that serves the page.

    created, now: Unix time in seconds.
    """
    if now - created < 60:
        return text("format.now")
    then, today = time.localtime(created), time.localtime(now)
    if then[:3] == today[:3]:
        return text("format.today", time=time.strftime("%H:%M", then))
    if time.localtime(now - 86_400)[:3] == then[:3]:
        return text("format.yesterday")
    return text("format.day", day=then.tm_mday, month=text(f"format.month.{then.tm_mon}"))


def line_counts(waits: int, mine: int) -> str:
    """`7 waiting, 2 yours`; only the total when all are the visitor's own."""
    return (
        plural("queue.waiting", waits) if mine == waits else plural("queue.waiting_yours", waits, mine=mine)
    )
