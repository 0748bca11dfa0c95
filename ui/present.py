"""What the page says: durations, sizes, stages, progress and failures in words. Pure; gives text, no HTML."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.engines.base import EngineInfo
    from backend.progress import Snapshot
    from backend.views import JobView, QueueState

STAGE_WORDS = {
    "wait": "Waiting",
    "load": "Loading models",
    "read": "Reading the prompt",
    "draw": "Drawing",
    "finish": "Finishing",
    "save": "Saving",
}
EMPTY_SEGMENTS = tuple((stage, 1 / len(STAGE_WORDS), 0.0) for stage in STAGE_WORDS)
MODE_WORDS = {"image_to_video": "Image-to-Video", "fast_video": "Fast 4-step"}
VARIANT_WORDS = {
    "balanced": "Balanced",
    "dynamic": "Dynamic",
    "subtle": "Subtle",
    "480p": "480p",
    "anti_slow_motion": "Anti slow motion",
}
DEMO_SENTENCE = "Demo: videos are made from your picture without WAN. Connect ComfyUI to make real ones."
KEPT = "Your picture, prompt and settings are still here."


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


def clip_seconds(job: JobView) -> float:
    """A clip's length as chosen: WAN makes one frame more than seconds x fps (4n+1 frames)."""
    if job.fps and job.frames > 1:
        return (job.frames - 1) / job.fps
    return job.seconds


def size(width: int, height: int) -> str:
    return f"{width} × {height}"


def frame(width: int, height: int, seconds: float, fps: float) -> str:
    """The frame to be made: `832 × 480, 5 s at 16 fps`."""
    return f"{size(width, height)}, {number(seconds)} s at {number(fps)} fps"


def speed(job: JobView) -> str:
    """`Fast` or `Quality`."""
    fast = job.mode == "fast_video" or job.params.get("speed") == "fast"
    return "Fast" if fast else "Quality"


def recipe(job: JobView) -> list[str]:
    """The facts under a clip: `832 × 480`, `5 s`, `16 fps`, `Fast, 4 steps`, `Seed 271828`."""
    steps = f"{speed(job)}, {job.steps} steps" if job.steps else speed(job)
    facts = [size(job.width, job.height), f"{number(clip_seconds(job))} s", f"{number(job.fps)} fps", steps]
    return [*facts, f"Seed {job.seed}"]


def resolution(job: JobView) -> str:
    """`480p` as chosen, or the height where the size was given by hand."""
    if job.params.get("width") or job.params.get("height"):
        return size(job.width, job.height)
    chosen = str(job.params.get("resolution") or "480p")
    return {"draft": "Draft"}.get(chosen, chosen)


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


def waiting(snapshot: Snapshot) -> str:
    """`Waiting, 2nd in line`; jobs of other clients on the same server are said."""
    if snapshot.others:
        jobs = "1 job of others" if snapshot.others == 1 else f"{snapshot.others} jobs of others"
        return f"Waiting, {jobs} ahead" if not snapshot.ahead else f"Waiting, {snapshot.ahead} + {jobs} ahead"
    return f"Waiting, {ordinal(snapshot.ahead + 1)} in line" if snapshot.ahead else "Waiting to start"


def status(snapshot: Snapshot) -> str:
    """The card's headline while a job is on its way."""
    if snapshot.status == "queued":
        return waiting(snapshot)
    if snapshot.stage == "draw" and snapshot.steps:
        return f"Drawing, step {min(snapshot.step + 1, snapshot.steps)} of {snapshot.steps}"
    if snapshot.stage in ("load", "read", "finish", "save") and snapshot.text:
        return snapshot.text
    return STAGE_WORDS.get(snapshot.stage, "Starting")


def progress(snapshot: Snapshot) -> dict[str, Any]:
    """The poll's answer without the preview: words and figures, ready to be shown."""
    running = snapshot.status == "running"
    left = duration(snapshot.remaining) + " left" if snapshot.remaining is not None and running else ""
    percent = round(snapshot.percent, 1)
    words = status(snapshot)
    return {
        "version": snapshot.version,
        "status": snapshot.status,
        "stage": snapshot.stage,
        "words": words,
        "left": left,
        "gone": f"{duration(snapshot.elapsed)} so far" if running and snapshot.elapsed >= 0.5 else "",
        "percent": percent,
        "spoken": f"{words}, {percent:.0f} %" + (f", {left}" if left else ""),
        "segments": [
            [stage, round(weight, 4), round(max(0.0, min(1.0, done)), 4)]
            for stage, weight, done in snapshot.segments or EMPTY_SEGMENTS
        ],
        "step": snapshot.step,
        "steps": snapshot.steps,
        "preview": snapshot.preview_version,
        "connected": snapshot.connected,
    }


@dataclass(frozen=True)
class Badge:
    """The engine in the header. state: ok, starting, lost; detail: its memory or state; tip: a sentence."""

    state: str
    name: str
    detail: str = ""
    demo: bool = False
    tip: str = ""


def gpu_name(name: str) -> str:
    """A GPU's name as people say it: `NVIDIA GeForce RTX 4090` is `RTX 4090`."""
    short = name.removeprefix("cuda:0 ").split(" : ")[0]
    for brand in ("NVIDIA ", "GeForce ", "AMD "):
        short = short.removeprefix(brand)
    return short.strip()


def badge(engines: Sequence[EngineInfo]) -> Badge:
    """One badge for all lanes: the first engine that works, and how many more there are."""
    if not engines:
        return Badge("starting", "No engine", "starting", tip="No engine is set up yet.")
    best = next((engine for engine in engines if engine.state == "ok"), engines[0])
    if best.kind == "demo":
        tip = DEMO_SENTENCE if best.state == "ok" else "The demo engine is starting."
        return Badge(best.state, "Demo engine", demo=True, tip=tip)
    name = gpu_name(best.gpu) or {"runpod": "RunPod"}.get(best.kind, "ComfyUI")
    if best.state == "starting":
        return Badge("starting", name, "starting", tip=best.error or "ComfyUI is starting. Jobs wait for it.")
    if best.state != "ok":
        return Badge("lost", name, "lost", tip=best.error or f"ComfyUI at {best.address} does not answer.")
    ready = sum(engine.state == "ok" for engine in engines)
    detail = memory(round(best.vram_total / (1 << 30)) << 30) if best.vram_total else ""
    if ready > 1:
        detail = f"{detail}, {ready} GPUs".removeprefix(", ")
    return Badge("ok", name, detail, tip=f"ComfyUI {best.version} at {best.address}".replace("http://", ""))


def engine_note(engines: Sequence[EngineInfo]) -> str:
    """What stands where the estimate would, while no engine can be asked."""
    if engines and all(engine.state == "starting" for engine in engines):
        return "The engine is starting. Videos wait for it."
    return ""


def queue(state: QueueState | None, percent: float | None) -> tuple[str, str]:
    """The queue in the header: long words for a desk, short ones for a phone."""
    running, waits = (state.running, state.waiting) if state else (0, 0)
    if not running and not waits:
        return "Queue empty", "0"
    parts = []
    if percent is not None:
        parts.append(f"{percent:.0f} %")
    elif running:
        parts.append(f"{running} running")
    if waits:
        parts.append(f"{waits} waiting")
    return ", ".join(parts), str(running + waits)


@dataclass(frozen=True)
class Remedy:
    """A button under a failure: `change` goes over the job's own values."""

    label: str
    change: Mapping[str, Any]


def remedies(job: JobView) -> list[Remedy]:
    """What to try after a failure, best first; the first is the ink button."""
    code = (job.error or {}).get("code", "")
    params = job.params
    if code == "out_of_memory":
        found = []
        smaller = {"720p": "480p", "480p": "draft"}.get(str(params.get("resolution") or "480p"))
        if params.get("width") or params.get("height"):
            smaller = "480p" if job.width * job.height > 832 * 480 else "draft"
        if smaller:
            change = {"resolution": smaller, "width": 0, "height": 0}
            found.append(
                Remedy("Try again as a draft" if smaller == "draft" else f"Try again at {smaller}", change)
            )
        shorter = next((s for s in (5.0, 3.0, 2.0) if s < clip_seconds(job)), None)
        if shorter:
            found.append(Remedy(f"Try again with {shorter:g} s", {"seconds": shorter}))
        return found or [Remedy("Try again", {})]
    return [Remedy("Try again", {})]


def failure(job: JobView) -> tuple[str, str]:
    """What happened, and why with what is kept, for a failed job."""
    error = job.error or {}
    message = str(error.get("message") or "The video was not made").strip()
    hint = str(error.get("hint") or "").strip()
    head, _, rest = message.partition(". ")
    why = " ".join(part for part in (rest, hint) if part)
    if KEPT.lower() not in why.lower() and "still here" not in why:
        why = f"{why} {KEPT}".strip()
    return head.rstrip("."), why


def details(job: JobView) -> str:
    """What Copy details puts on the clipboard: for a bug report, without the prompt."""
    error = job.error or {}
    lines = [
        f"Wan Studio, {MODE_WORDS.get(job.mode, job.mode)}, job {job.id}",
        f"{error.get('code', '')}: {error.get('message', '')}",
        ", ".join(recipe(job)),
        f"Engine: {job.engine}" if job.engine else "",
    ]
    kept = ("speed", "motion", "experts", "variant", "resolution", "fit", "cfg", "shift")
    lines.append(", ".join(f"{name} {job.params[name]}" for name in kept if name in job.params))
    return "\n".join(line for line in lines if line)
