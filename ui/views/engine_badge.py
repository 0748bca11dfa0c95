"""The engine badge and the queue in the header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.engines.base import EngineInfo
from backend.engines.kinds import kind_of
from backend.jobs.views import QueueState
from backend.notices import words
from ui.views.wording import DEMO_SENTENCE, memory


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


def badge(engines: Sequence[EngineInfo], trouble: str = "") -> Badge:
    """One badge for all lanes: the first engine that works, and how many more there are. `trouble`: why no
    video can be begun although they work."""
    if trouble:
        return Badge("lost", "No videos", "data folder", tip=trouble)
    if not engines:
        return Badge("starting", "No engine", "starting", tip="No engine is set up yet.")
    best = next((engine for engine in engines if engine.state == "ok"), engines[0])
    kind = kind_of(best)
    if kind.simulated:
        tip = DEMO_SENTENCE if best.state == "ok" else "The demo engine is starting."
        return Badge(best.state, "Demo engine", demo=True, tip=tip)
    name = gpu_name(best.gpu) or kind.name
    if best.state == "starting":
        return Badge(
            "starting", name, "starting", tip=best.error or f"{kind.server} is starting. Jobs wait for it."
        )
    if best.state != "ok":
        return Badge(
            "lost", name, "lost", tip=best.error or f"{kind.server} at {best.address} does not answer."
        )
    if kind.has_workers:
        return Badge(
            "ok", kind.name, workers(best), tip=words(best.note) or f"{kind.service} at {best.address}"
        )
    ready = sum(engine.state == "ok" for engine in engines)
    detail = memory(round(best.vram_total / (1 << 30)) << 30) if best.vram_total else ""
    if ready > 1:
        detail = f"{detail}, {ready} GPUs".removeprefix(", ")
    return Badge("ok", name, detail, tip=f"ComfyUI {best.version} at {best.address}".replace("http://", ""))


def workers(engine: EngineInfo) -> str:
    """ "2 workers", "no workers": those of a Serverless endpoint that can work."""
    states = ("idle", "initializing", "running", "throttled", "unhealthy")  # "ready" counts idle ones again
    count = sum(engine.workers.get(state, 0) for state in states)
    return f"{count} worker{'' if count == 1 else 's'}" if count else "no workers"


def engine_note(engines: Sequence[EngineInfo]) -> str:
    """What stands where the estimate would, while no engine can be asked."""
    if engines and all(engine.state == "starting" for engine in engines):
        return "The engine is starting. Videos wait for it."
    return ""


def queue(state: QueueState | None, percent: float | None, paused: bool = False) -> tuple[str, str]:
    """The queue in the header: long words for a desk, short ones for a phone."""
    running, waits = (state.running, state.waiting) if state else (0, 0)
    if not running and not waits:
        return ("Queue paused" if paused else "Queue empty"), "0"
    parts = []
    if percent is not None:
        parts.append(f"{percent:.0f} %")
    elif running:
        parts.append(f"{running} running")
    if waits:
        parts.append(f"{waits} waiting")
    if paused:
        parts.append("paused")
    return ", ".join(parts), str(running + waits)
