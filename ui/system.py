"""System as HTML: the engine, memory and disk, and which model files it has. Pure but for its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ui import present
from ui.icons import icon

if TYPE_CHECKING:
    from backend.engines.base import EngineInfo
    from backend.views import ModelState, QueueState

GROUPS = (("Image-to-Video and Fast", ("image_to_video", "fast_video")),)
"""Heading -> the modes whose files stand under it, of the modes that have a tab; the first that fits."""
STATES = {
    "ready": ("check", "Ready"),
    "missing": ("missing", "Missing"),
    "unknown": ("missing", "Not known yet"),
}


def machine(
    engines: Sequence[EngineInfo],
    queue: QueueState,
    health: Mapping[str, Any],
    disks: Mapping[str, tuple[int, int]],
) -> str:
    """The left column. disks: name -> (bytes used, bytes in all)."""
    words, _ = present.queue(queue, None)
    studio = {"Queue": "Empty" if words == "Queue empty" else words}
    if health.get("database") not in (None, "", "ok", True):
        studio["Database"] = str(health["database"])
    bars = "".join(
        _bar(name, present.file_size(used), present.file_size(total), used / total)
        for name, (used, total) in disks.items()
        if total
    )
    parts = [_engine(engine) for engine in engines[:-1]]
    parts += [_engine(engine, bars, studio) for engine in engines[-1:]]
    return (
        f'<div class="machine">{"".join(parts)}'
        f'<button type="button" class="btn quiet" data-copy="{escape(report(engines, health))}">'
        f"{icon('copy')}<span>Copy report</span></button></div>"
    )


def _engine(engine: EngineInfo, more_bars: str = "", more_facts: Mapping[str, str] = {}) -> str:
    badge = present.badge([engine])
    address = engine.address.split("//")[-1]
    local = address.split(":")[0] in ("127.0.0.1", "localhost")
    here = "on this machine" if local else f"at {address}"
    note = ""
    if engine.kind == "demo":
        line = "Runs on this machine, without WAN." if engine.state == "ok" else "Starting."
        note = f'<p class="note">{escape(present.DEMO_SENTENCE)}</p>'
    else:
        line = {
            "ok": f"ComfyUI is running {here}.",
            "starting": f"ComfyUI {here} is starting. Jobs wait for it.",
        }.get(engine.state, f"ComfyUI {here} does not answer.")
        if engine.error and engine.state != "ok":
            note = f'<p class="note">{escape(engine.error)}</p>'
    bars = ""
    if engine.vram_total and engine.kind != "demo":  # the demo draws in ordinary memory
        bars += _used("GPU memory", engine.vram_total, engine.vram_free)
    if engine.ram_total:
        bars += _used("Memory", engine.ram_total, engine.ram_free)
    name = {"demo": "Demo", "runpod": "RunPod"}.get(engine.kind, "ComfyUI")
    facts = {
        "Engine": f"{name} {engine.version}".strip(),
        "Address": address,
        "Python": engine.python.split(" ")[0],
        "PyTorch": "" if engine.kind == "demo" else engine.pytorch,
        **more_facts,
    }
    return (
        f'<div class="page-head"><h1>{escape(badge.name)}</h1>'
        f'<p class="state" data-state="{badge.state}"><i class="dot"></i><span>{escape(line)}</span></p>'
        f"</div>{note}"
        f'<div class="bars">{bars}{more_bars}</div>{_facts(facts, mono=("Address",))}'
    )


def _used(name: str, total: int, free: int) -> str:
    used = max(0, total - free)
    return _bar(name, present.memory(used), present.memory(total), used / total)


def _bar(name: str, used: str, total: str, share: float) -> str:
    return (
        f'<div class="bar-row"><span>{name}</span><span><strong>{used}</strong> of {total}</span>'
        f'<i style="--d:{max(0.0, min(1.0, share)):.3f}"></i></div>'
    )


def _facts(facts: Mapping[str, str], mono: tuple[str, ...] = ()) -> str:
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
        f" {present.memory(e.vram_free)} of {present.memory(e.vram_total)} GPU memory free,"
        f" Python {e.python}, PyTorch {e.pytorch} {e.error}".rstrip()
        for e in engines
    ]
    return "\n".join(lines)


def models(states: Sequence[ModelState], demo: bool, folder: str) -> str:
    """The right column: the files by group."""
    groups: list[tuple[str, list[ModelState]]] = []
    seen: set[str] = set()
    for title, modes in GROUPS:
        files = [s for s in states if s.name not in seen and any(m in modes for m in s.modes)]
        seen.update(s.name for s in files)
        if files:
            groups.append((title, files))
    words = _summary(groups, demo)
    where = (
        f'<p class="note">Files go into the subfolders of <code>{escape(folder)}</code>.</p>'
        if folder
        else ""
    )
    body = "".join(_group(title, files, demo) for title, files in groups)
    return (
        f'<div class="models"><div class="page-head"><h1>Models</h1><p>{escape(words)}</p></div>'
        "<table><thead><tr><th>Model</th><th>File</th><th>Size</th><th>State</th></tr></thead>"
        f"{body}</table>{where}</div>"
    )


def _missing(files: Sequence[ModelState]) -> list[ModelState]:
    return [s for s in files if s.state == "missing" and not s.optional]


def _summary(groups: Sequence[tuple[str, Sequence[ModelState]]], demo: bool) -> str:
    if demo:
        return "The demo engine needs no models. These are the files that WAN needs in ComfyUI."
    if any(s.state == "unknown" for _, files in groups for s in files):
        return "ComfyUI has not said yet which files it has."
    said = []
    for title, files in groups:
        gone = _missing(files)
        if gone:
            count = "1 more file" if len(gone) == 1 else f"{len(gone)} more files"
            verb = "need" if " and " in title else "needs"
            said.append(f"{title} {verb} {count}, {present.file_size(sum(s.bytes for s in gone))}.")
        else:
            said.append(f"{title} {'are' if ' and ' in title else 'is'} ready.")
    return " ".join(said)


def _group(title: str, files: Sequence[ModelState], demo: bool) -> str:
    gone = _missing(files)
    state = f"{len(gone)} file{'s' if len(gone) > 1 else ''} to go" if gone else "Ready"
    if demo or any(s.state == "unknown" for s in files):
        state = ""
    rows = "".join(_row(s, demo) for s in files)
    return (
        f'<tbody><tr class="group"><th colspan="3" scope="rowgroup">{escape(title)}</th><td>{state}</td></tr>'
        f"{rows}</tbody>"
    )


def _row(s: ModelState, demo: bool) -> str:
    symbol, word = STATES.get(s.state, STATES["unknown"])
    optional = " <small>optional</small>" if s.optional else ""
    stem = s.name.rsplit(".", 1)[0]
    cell = f"{icon(symbol, 16)}<span>{word}</span>" if not demo else '<span class="quiet">Not needed</span>'
    return (
        f'<tr data-state="{"demo" if demo else s.state}"><td>{escape(s.title)}{optional}</td>'
        f'<td title="{escape(f"{s.folder}/{s.name}")}"><code>{escape(stem)}</code></td>'
        f"<td>{present.file_size(s.bytes)}</td><td>{cell}</td></tr>"
    )
