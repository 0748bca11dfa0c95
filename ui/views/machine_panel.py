"""System's left column as HTML: servers, queue, memory and disks. What a server reports is escaped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.engines.kinds import kind_of
from backend.notices import words
from ui.i18n.texts import escaped, plural, table, text, with_markup
from ui.views import engine_badge, wording
from ui.views.icons import icon

if TYPE_CHECKING:
    from backend.engines.base import EngineInfo
    from backend.jobs.views import QueueState

Facts = Mapping[str, str]
"""Name of a fact (`machine.fact.<name>` is its label) -> text; "" is not shown."""
NONE: Facts = MappingProxyType({})


def machine(
    engines: Sequence[EngineInfo],
    queue: QueueState,
    health: Mapping[str, Any],
    disks: Mapping[str, tuple[int, int]],
    paused: bool = False,
    admin: bool = False,
) -> str:
    """The column. disks: label -> (bytes used, bytes in total); admin: may pause the queue."""
    studio = {
        "studio_queue": queue_words(queue, paused, admin),
        "database": database_words(health.get("database")),
    }
    bars = "".join(
        _bar(name, wording.file_size(used), wording.file_size(total), used / total)
        for name, (used, total) in disks.items()
        if total
    )
    engines = list(
        {(e.kind, e.address): e for e in engines}.values()
    )  # the lanes of one endpoint are one row
    known = {str(server.get("address")): server for server in health.get("servers", ())}
    parts = [f'<p class="note">{escape(note)}</p>' for note in health.get("notes", ())]
    if len(engines) == 1:
        parts.append(_server(engines[0], known.get(engines[0].address, {}), bars, studio))
    else:
        parts += [_server(engine, known.get(engine.address, {}), small=True) for engine in engines]
        parts.append(
            f'<section class="server small"><h2>{escaped("machine.studio")}</h2>'
            f'<div class="bars">{bars}</div>{_facts(studio)}</section>'
        )
    return f'<div class="machine">{"".join(parts)}{_buttons(engines, health, paused, admin)}</div>'


def queue_words(queue: QueueState, paused: bool, admin: bool) -> str:
    """`Empty`, `1 running, 2 waiting`, and that the queue is paused."""
    state = text("machine.queue_empty")
    if queue.running or queue.waiting:
        state, _ = engine_badge.queue(queue, None)
    if not paused:
        return state
    return text("machine.queue_paused" if admin else "machine.queue_paused_by_admin", queue=state)


def database_words(state: object) -> str:
    """The state of the job database: `OK`, or the store's description of the fault."""
    if state in (None, ""):
        return ""
    return text("machine.database_ok") if state in ("ok", True) else str(state)


def _buttons(engines: Sequence[EngineInfo], health: Mapping[str, Any], paused: bool, admin: bool) -> str:
    act, symbol = ("resume", "play") if paused else ("pause", "pause")
    label = escaped("machine.resume") if paused else escaped("machine.pause")
    pause = (
        f'<button type="button" class="btn" data-act="{act}">{icon(symbol)}<span>{label}</span></button>'
        if admin
        else ""
    )
    return (
        f'<div class="steps">{pause}<button type="button" class="btn quiet"'
        f' data-copy="{escape(report(engines, health))}">{icon("copy")}'
        f"<span>{escaped('machine.copy_report')}</span></button></div>"
    )


def _server(
    engine: EngineInfo,
    more: Mapping[str, Any],
    bars: str = "",
    facts: Facts = NONE,
    small: bool = False,
) -> str:
    """One server. more: the health report's entry for it; absent keys are not shown."""
    badge = engine_badge.badge([engine])
    line, note = _state(engine)
    used = ""
    kind = kind_of(engine)
    if engine.vram_total and kind.reports_gpu:
        used += _used(escaped("machine.gpu_memory"), engine.vram_total, engine.vram_free)
    if engine.ram_total and not small:
        used += _used(escaped("machine.memory"), engine.ram_total, engine.ram_free)
    rows = {
        "engine": f"{kind.name} {engine.version}".strip(),
        "address": engine.address.split("//")[-1],
        **_endpoint(engine),
        **_life(engine, more),
        "python": "" if small else engine.python.split(" ")[0],
        "pytorch": engine.pytorch if kind.reports_gpu and not small else "",
        **facts,
    }
    return (
        f'<section class="server{" small" if small else ""}"><div class="page-head">'
        f"<h2>{escape(badge.name)}</h2>"
        f'<p class="state" data-state="{badge.state}"><i class="dot"></i><span>{escape(line)}</span></p>'
        f'</div>{note}<div class="bars">{used}{bars}</div>{_facts(rows, mono=("address",))}</section>'
    )


def _state(engine: EngineInfo) -> tuple[str, str]:
    """(the server's state as a sentence, a note about it as HTML or "")."""
    address = engine.address.split("//")[-1]
    local = address.split(":")[0] in ("127.0.0.1", "localhost")
    state = engine.state if engine.state in ("ok", "starting") else "lost"
    if kind_of(engine).simulated:
        line = text("machine.demo.ok" if state == "ok" else "machine.demo.starting")
        note = text("app.demo")
    elif kind_of(engine).has_workers:
        line = text(f"machine.endpoint.{state}")
        note = words(engine.note if state == "ok" else engine.error)
    else:
        if state != "ok" and engine.fault is not None:
            line = text("machine.unusable_here") if local else text("machine.unusable_at", address=address)
        else:
            line = text(f"machine.local.{state}" if local else f"machine.remote.{state}", address=address)
        note = words(engine.error) if state != "ok" else ""
    return line, f'<p class="note">{escape(note)}</p>' if note else ""


def _life(engine: EngineInfo, more: Mapping[str, Any]) -> dict[str, str]:
    """The server's own queue, restarts, last error, and whether this studio started it."""
    if kind_of(engine).has_workers:
        return {}
    rows = {}
    if more.get("running") or more.get("pending"):
        running, waiting = more.get("running") or 0, more.get("pending") or 0
        rows["engine_queue"] = text("machine.running_waiting", running=running, waiting=waiting)
    if more.get("restarts"):
        rows["restarts"] = _restarts(more)
    if more.get("error") and engine.state == "ok":
        rows["last_error"] = str(more["error"])
    if kind_of(engine).adoptable and more.get("ours"):
        rows["started_by"] = text("machine.started_by_studio")
    return rows


def _restarts(more: Mapping[str, Any]) -> str:
    """`1 since the studio started. Last today 14:02: it crashed.`"""
    count = plural("machine.restarts", more["restarts"])
    exited, cause = float(more.get("exited") or 0.0), str(more.get("exit_cause") or "")
    if not exited:
        return count
    at = time.strftime("%H:%M", time.localtime(exited))
    why = table().get(f"machine.exit.{cause}", text("machine.exit.ended"))
    return text("machine.restarts_last", restarts=count, time=at, cause=why)


def _endpoint(engine: EngineInfo) -> dict[str, str]:
    """Workers and jobs of a Serverless endpoint."""
    if not kind_of(engine).has_workers or engine.state != "ok":
        return {}
    workers = wording.listed(_workers(state, count) for state, count in engine.workers.items() if count)
    return {
        "workers": workers or text("machine.no_workers"),
        "endpoint_jobs": text("machine.running_waiting", running=engine.running, waiting=engine.pending),
    }


def _workers(state: str, count: int) -> str:
    """`2 idle`; a state that is not in the table is shown by its own name."""
    if f"machine.workers.{state}" in table():
        return text(f"machine.workers.{state}", count=count)
    return text("machine.unlisted_workers", count=count, state=state)


def _used(name: str, total: int, free: int) -> str:
    used = max(0, total - free)
    return _bar(name, wording.memory(used), wording.memory(total), used / total)


def _bar(name: str, used: str, total: str, share: float) -> str:
    """A bar with its label; name is escaped already, share: 0 to 1."""
    amount = with_markup("machine.used", used=f"<strong>{escape(used)}</strong>", total=escape(total))
    return (
        f'<div class="bar-row"><span>{name}</span><span>{amount}</span>'
        f'<i style="--d:{max(0.0, min(1.0, share)):.3f}"></i></div>'
    )


def _facts(facts: Facts, mono: tuple[str, ...] = ()) -> str:
    rows = "".join(
        f"<dt>{escaped(f'machine.fact.{name}')}</dt>"
        f"<dd{' class=mono' if name in mono else ''}>{escape(value)}</dd>"
        for name, value in facts.items()
        if value
    )
    return f"<dl>{rows}</dl>"


def report(engines: Sequence[EngineInfo], health: Mapping[str, Any]) -> str:
    """The text that "Copy report" puts on the clipboard."""
    status, database = health.get("status", ""), health.get("database", "")
    lines = [text("machine.report.studio", status=status, database=database)]
    lines += [
        text(
            "machine.report.engine",
            kind=engine.kind,
            version=engine.version,
            address=engine.address,
            state=engine.state,
            gpu=engine.gpu or text("machine.report.no_gpu"),
            free=wording.memory(engine.vram_free),
            total=wording.memory(engine.vram_total),
            python=engine.python,
            pytorch=engine.pytorch,
            error=words(engine.error),
        ).rstrip()
        for engine in engines
    ]
    return "\n".join(lines)
