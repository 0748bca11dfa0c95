"""The texts of the engine badge and of the queue in the header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.engines.base import EngineInfo
from backend.engines.kinds import kind_of
from backend.jobs.views import QueueState
from backend.notices import words
from ui.i18n.texts import plural, text
from ui.views.wording import listed, memory


@dataclass(frozen=True)
class Badge:
    """The engine in the header. state: ok, starting, lost, or "" before it is known; detail: its memory or
    state; tip: a sentence."""

    state: str
    name: str
    detail: str = ""
    demo: bool = False
    tip: str = ""


def opening(engines: Sequence[EngineInfo]) -> Badge:
    """The badge of a page that has just been opened, until the first poll: only what stays the same while the
    studio runs."""
    if not engines:
        return Badge("", "")
    kind = kind_of(engines[0])
    if kind.simulated:
        return Badge("", text("header.badge.demo"), demo=True, tip=text("app.demo"))
    return Badge("", kind.name)


def gpu_name(name: str) -> str:
    """A GPU's name without its brand: `NVIDIA GeForce RTX 4090` is `RTX 4090`."""
    short = name.removeprefix("cuda:0 ").split(" : ")[0]
    for brand in ("NVIDIA ", "GeForce ", "AMD "):
        short = short.removeprefix(brand)
    return short.strip()


def badge(engines: Sequence[EngineInfo], trouble: str = "") -> Badge:
    """One badge for all lanes: the first engine that works, and how many there are. `trouble`: why no
    video can be started although they work."""
    if trouble:
        name, detail = text("header.badge.no_videos"), text("header.badge.data_folder")
        return Badge("lost", name, detail, tip=trouble)
    starting = text("header.badge.starting")
    if not engines:
        tip = text("header.badge.no_engine_tip")
        return Badge("starting", text("header.badge.no_engine"), starting, tip=tip)
    best = next((engine for engine in engines if engine.state == "ok"), engines[0])
    kind = kind_of(best)
    if kind.simulated:
        tip = text("app.demo") if best.state == "ok" else text("header.badge.demo_starting")
        return Badge(best.state, text("header.badge.demo"), demo=True, tip=tip)
    name = gpu_name(best.gpu) or kind.name
    if best.fault is not None and best.state != "ok":
        return Badge("lost", name, text("header.badge.unusable"), tip=words(best.fault))
    if best.state == "starting":
        tip = words(best.error) or text("header.badge.starting_tip", server=kind.subject)
        return Badge("starting", name, starting, tip=tip)
    if best.state != "ok":
        tip = words(best.error) or text("header.badge.lost_tip", server=kind.subject, address=best.address)
        return Badge("lost", name, text("header.badge.lost"), tip=tip)
    if kind.has_workers:
        tip = words(best.note) or text(
            "header.badge.endpoint_tip", service=kind.service, address=best.address
        )
        return Badge("ok", kind.name, workers(best), tip=tip)
    ready = sum(engine.state == "ok" for engine in engines)
    detail = memory(round(best.vram_total / (1 << 30)) << 30) if best.vram_total else ""
    if ready > 1:
        gpus = plural("header.badge.gpus", ready)
        detail = text("header.badge.memory_gpus", memory=detail, gpus=gpus) if detail else gpus
    address = best.address.replace("http://", "")
    return Badge(
        "ok", name, detail, tip=text("header.badge.server_tip", version=best.version, address=address)
    )


def server(engines: Sequence[EngineInfo]) -> str:
    """The engine within a sentence: `ComfyUI`, `the demo engine`."""
    return kind_of(engines[0]).server if engines else text("header.badge.engine")


def workers(engine: EngineInfo) -> str:
    """`2 workers`, `no workers`: the workers of a Serverless endpoint."""
    states = ("idle", "initializing", "running", "throttled", "unhealthy")  # "ready" counts idle ones again
    count = sum(engine.workers.get(state, 0) for state in states)
    return plural("header.badge.workers", count) if count else text("header.badge.no_workers")


def engine_note(engines: Sequence[EngineInfo]) -> str:
    """Replaces the estimate while every engine is starting; "" otherwise."""
    if engines and all(engine.state == "starting" and engine.fault is None for engine in engines):
        return text("header.engine_starting")
    return ""


def queue(state: QueueState | None, percent: float | None, paused: bool = False) -> tuple[str, str]:
    """The queue in the header: (text for wide screens, number of jobs for phones). percent: of the job that
    runs, 0 to 100. state: None before it is known."""
    if state is None:
        return text("queue.heading"), ""
    running, waits = state.running, state.waiting
    if not running and not waits:
        return (text("queue.paused") if paused else text("queue.empty")), "0"
    now = plural("queue.running", running) if running else ""
    if percent is not None:
        now = text("format.percent", percent=f"{percent:.0f}")
    waiting = plural("queue.waiting", waits) if waits else ""
    return listed((now, waiting, text("queue.paused_part") if paused else "")), str(running + waits)
