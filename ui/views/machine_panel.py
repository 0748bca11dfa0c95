"""System's left column as HTML: servers, queue, memory and disks. Pure; what a server says is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.engines.kinds import kind_of
from backend.notices import words
from ui.views import engine_badge, wording
from ui.views.icons import icon

if TYPE_CHECKING:
    from backend.engines.base import EngineInfo
    from backend.jobs.views import QueueState

Facts = Mapping[str, str]
NONE: Facts = MappingProxyType({})


def machine(
    engines: Sequence[EngineInfo],
    queue: QueueState,
    health: Mapping[str, Any],
    disks: Mapping[str, tuple[int, int]],
    paused: bool = False,
    admin: bool = False,
) -> str:
    """The column. disks: name -> (bytes used, bytes in all); admin: may pause the queue."""
    studio = {
        "Studio queue": queue_words(queue, paused, admin),
        "Database": database_words(health.get("database")),
    }
    bars = "".join(
        _bar(name, wording.file_size(used), wording.file_size(total), used / total)
        for name, (used, total) in disks.items()
        if total
    )
    engines = list({(e.kind, e.address): e for e in engines}.values())  # all lanes of an endpoint are one
    known = {str(server.get("address")): server for server in health.get("servers", ())}
    parts = [f'<p class="note">{escape(words)}</p>' for words in health.get("notes", ())]
    if len(engines) == 1:
        parts.append(_server(engines[0], known.get(engines[0].address, {}), bars, studio))
    else:
        parts += [_server(engine, known.get(engine.address, {}), small=True) for engine in engines]
        parts.append(
            f'<section class="server small"><h2>Studio</h2><div class="bars">{bars}</div>{_facts(studio)}'
            "</section>"
        )
    return f'<div class="machine">{"".join(parts)}{_buttons(engines, health, paused, admin)}</div>'


def queue_words(queue: QueueState, paused: bool, admin: bool) -> str:
    """`Empty`, `1 running, 2 waiting`, and who has paused it."""
    words, _ = engine_badge.queue(queue, None)
    words = words if queue.running or queue.waiting else "Empty"
    if not paused:
        return words
    return f"{words}. {'Queue paused' if admin else wording.PAUSED}."


def database_words(state: object) -> str:
    """What the store said of itself: "ok", or what is wrong."""
    if state in (None, ""):
        return ""
    return "OK" if state in ("ok", True) else str(state)


def _buttons(engines: Sequence[EngineInfo], health: Mapping[str, Any], paused: bool, admin: bool) -> str:
    act, word, symbol = ("resume", "Resume queue", "play") if paused else ("pause", "Pause queue", "pause")
    pause = (
        f'<button type="button" class="btn" data-act="{act}">{icon(symbol)}<span>{word}</span></button>'
        if admin
        else ""
    )
    return (
        f'<div class="steps">{pause}<button type="button" class="btn quiet"'
        f' data-copy="{escape(report(engines, health))}">{icon("copy")}<span>Copy report</span></button>'
        "</div>"
    )


def _server(
    engine: EngineInfo,
    more: Mapping[str, Any],
    bars: str = "",
    facts: Facts = NONE,
    small: bool = False,
) -> str:
    """more: what health says of this server; keys that are not there are not shown."""
    badge = engine_badge.badge([engine])
    line, note = _state(engine)
    used = ""
    kind = kind_of(engine)
    if engine.vram_total and kind.reports_gpu:
        used += _used("GPU memory", engine.vram_total, engine.vram_free)
    if engine.ram_total and not small:
        used += _used("Memory", engine.ram_total, engine.ram_free)
    rows = {
        "Engine": f"{kind.name} {engine.version}".strip(),
        "Address": engine.address.split("//")[-1],
        **_endpoint(engine),
        **_life(engine, more),
        "Python": "" if small else engine.python.split(" ")[0],
        "PyTorch": engine.pytorch if kind.reports_gpu and not small else "",
        **facts,
    }
    heading = "h2" if small else "h1"
    return (
        f'<section class="server{" small" if small else ""}"><div class="page-head">'
        f"<{heading}>{escape(badge.name)}</{heading}>"
        f'<p class="state" data-state="{badge.state}"><i class="dot"></i><span>{escape(line)}</span></p>'
        f'</div>{note}<div class="bars">{used}{bars}</div>{_facts(rows, mono=("Address",))}</section>'
    )


def _state(engine: EngineInfo) -> tuple[str, str]:
    """(how it is, a note about it)."""
    address = engine.address.split("//")[-1]
    local = address.split(":")[0] in ("127.0.0.1", "localhost")
    here = "on this machine" if local else f"at {address}"
    if kind_of(engine).simulated:
        line = "Running on this machine." if engine.state == "ok" else "Starting."
        said = wording.DEMO_SENTENCE
    elif kind_of(engine).has_workers:
        line = {
            "ok": "RunPod takes jobs for this endpoint.",
            "starting": "RunPod has not answered yet.",
        }.get(engine.state, "RunPod does not answer.")
        said = words(engine.note) if engine.state == "ok" else engine.error
    else:
        line = {
            "ok": f"ComfyUI is running {here}.",
            "starting": f"ComfyUI {here} is starting. Jobs wait for it.",
        }.get(engine.state, f"ComfyUI {here} does not answer.")
        said = engine.error if engine.state != "ok" else ""
    return line, f'<p class="note">{escape(said)}</p>' if said else ""


def _life(engine: EngineInfo, more: Mapping[str, Any]) -> dict[str, str]:
    """A server's own queue, and how often it had to be started again."""
    if kind_of(engine).has_workers:
        return {}
    rows = {}
    if more.get("running") or more.get("pending"):
        rows["Engine queue"] = f"{more.get('running') or 0} running, {more.get('pending') or 0} waiting"
    if more.get("restarts"):
        count = more["restarts"]
        rows["Restarts"] = "1 since the studio started" if count == 1 else f"{count} since the studio started"
    if more.get("error") and engine.state == "ok":
        rows["Last error"] = str(more["error"])
    if kind_of(engine).adoptable and more.get("ours"):
        rows["Started by"] = "This studio"
    return rows


def _endpoint(engine: EngineInfo) -> dict[str, str]:
    """Workers and jobs of a Serverless endpoint."""
    if not kind_of(engine).has_workers or engine.state != "ok":
        return {}
    workers = ", ".join(f"{count} {state}" for state, count in engine.workers.items() if count)
    return {
        "Workers": workers or "none",
        "Jobs at RunPod": f"{engine.running} running, {engine.pending} waiting",
    }


def _used(name: str, total: int, free: int) -> str:
    used = max(0, total - free)
    return _bar(name, wording.memory(used), wording.memory(total), used / total)


def _bar(name: str, used: str, total: str, share: float) -> str:
    return (
        f'<div class="bar-row"><span>{name}</span><span><strong>{used}</strong> of {total}</span>'
        f'<i style="--d:{max(0.0, min(1.0, share)):.3f}"></i></div>'
    )


def _facts(facts: Facts, mono: tuple[str, ...] = ()) -> str:
    rows = "".join(
        f"<dt>{name}</dt><dd{' class=mono' if name in mono else ''}>{escape(text)}</dd>"
        for name, text in facts.items()
        if text
    )
    return f"<dl>{rows}</dl>"


def report(engines: Sequence[EngineInfo], health: Mapping[str, Any]) -> str:
    """What Copy report puts on the clipboard."""
    lines = [f"Wan Studio: {health.get('status', '')}, database {health.get('database', '')}"]
    lines += [
        f"{e.kind} {e.version} at {e.address}: {e.state}, {e.gpu or 'no GPU'},"
        f" {wording.memory(e.vram_free)} of {wording.memory(e.vram_total)} GPU memory free,"
        f" Python {e.python}, PyTorch {e.pytorch} {e.error}".rstrip()
        for e in engines
    ]
    return "\n".join(lines)
