"""System as HTML: the engine, memory and disk, and which model files it has. Pure but for its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ui import present
from ui.icons import icon
from ui.needs import FINE
from workflows.catalog import load_catalog

if TYPE_CHECKING:
    from backend.engines.base import EngineInfo
    from backend.views import ModelState, QueueState

GROUPS = (
    ("Image-to-Video and Fast", ("image_to_video", "fast_video")),
    ("Sound-to-Video", ("sound_to_video",)),
    ("Animate", ("animate",)),
    ("Text", ("text_to_video", "text_to_image")),
)
"""Heading -> the modes whose files stand under it; a file of several stands under the first that needs it."""
MARKS = {"ready": "check", "missing": "missing", "unknown": "missing"}
"""state -> icon; any other state is a fault."""


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
    engines = list({(e.kind, e.address): e for e in engines}.values())  # all lanes of an endpoint are one
    parts = [f'<p class="note">{escape(words)}</p>' for words in health.get("notes", ())]
    parts += [_engine(engine) for engine in engines[:-1]]
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
    elif engine.kind == "runpod":
        line = {
            "ok": "RunPod takes jobs for this endpoint.",
            "starting": "RunPod has not answered yet.",
        }.get(engine.state, "RunPod does not answer.")
        said = engine.note if engine.state == "ok" else engine.error
        note = f'<p class="note">{escape(said)}</p>' if said else ""
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
        **_endpoint(engine),
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


def _endpoint(engine: EngineInfo) -> dict[str, str]:
    """Workers and jobs of a Serverless endpoint."""
    if engine.kind != "runpod" or engine.state != "ok":
        return {}
    workers = ", ".join(f"{count} {state}" for state, count in engine.workers.items() if count)
    return {
        "Workers": workers or "none",
        "Jobs at RunPod": f"{engine.running} running, {engine.pending} waiting",
    }


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


def models(
    states: Sequence[ModelState],
    demo: bool,
    folder: str,
    disk: Mapping[str, int] = {},
) -> str:
    """The right column: the files by group. disk: mode -> bytes that its files take, shared ones too."""
    groups = _groups(states)
    words = _summary(states, [title for title, _ in groups], demo)
    where = (
        f'<p class="note">Files go into the subfolders of <code>{escape(folder)}</code>.</p>'
        if folder
        else ""
    )
    body = "".join(_group(title, files, states, demo, disk) for title, files in groups)
    return (
        f'<div class="models"><div class="page-head"><h1>Models</h1><p>{escape(words)}</p></div>'
        "<table><thead><tr><th>Model</th><th>File</th><th>Size</th><th>State</th></tr></thead>"
        f"{body}</table>{where}</div>"
    )


def _needed_by(state: ModelState) -> tuple[str, ...]:
    file = load_catalog().by_name(state.name)
    if file is None:
        return () if state.optional else state.modes
    return file.needed_by


def _groups(states: Sequence[ModelState]) -> list[tuple[str, list[ModelState]]]:
    found: dict[str, list[ModelState]] = {title: [] for title, _ in GROUPS}
    for state in states:
        for wanted in (_needed_by(state), state.modes):
            title = next((t for t, modes in GROUPS if set(modes) & set(wanted)), "")
            if title:
                found[title].append(state)
                break
    return [(title, files) for title, files in found.items() if files]


def _lacking(title: str, states: Sequence[ModelState]) -> list[ModelState]:
    """Files that the modes of a group need and that are not ready, those of other groups too."""
    modes = set(dict(GROUPS)[title])
    catalog = load_catalog()
    ready = {file.role for s in states if s.state == "ready" and (file := catalog.by_name(s.name))}
    replaced = {file.stands_in_for for file in catalog.files if file.role in ready}
    return [
        s
        for s in states
        if modes & set(_needed_by(s))
        and s.state not in FINE
        and not ((file := catalog.by_name(s.name)) and file.role in replaced)
    ]


def _summary(states: Sequence[ModelState], titles: Sequence[str], demo: bool) -> str:
    if demo:
        return "The demo engine needs no models. These are the files that WAN needs in ComfyUI."
    if any(s.state == "unknown" for s in states):
        return "ComfyUI has not said yet which files it has."
    said = []
    for title in titles:
        gone = _lacking(title, states)
        if gone:
            count = "1 more file" if len(gone) == 1 else f"{len(gone)} more files"
            verb = "need" if " and " in title else "needs"
            said.append(f"{title} {verb} {count}, {present.file_size(sum(s.bytes for s in gone))}.")
        else:
            said.append(f"{title} {'are' if ' and ' in title else 'is'} ready.")
    return " ".join(said)


def _group(
    title: str,
    files: Sequence[ModelState],
    states: Sequence[ModelState],
    demo: bool,
    disk: Mapping[str, int],
) -> str:
    gone = _lacking(title, states)
    state = f"{len(gone)} file{'s' if len(gone) > 1 else ''} to go" if gone else "Ready"
    if demo or any(s.state == "unknown" for s in files):
        state = ""
    modes = dict(GROUPS)[title]
    taken = max((disk.get(mode, 0) for mode in modes), default=0)
    room = f" <small>{present.file_size(taken)} on disk</small>" if taken else ""
    rows = "".join(_row(s, demo, extra=not set(modes) & set(_needed_by(s))) for s in files)
    return (
        f'<tbody><tr class="group"><th colspan="3" scope="rowgroup">{escape(title)}{room}</th>'
        f"<td>{state}</td></tr>{rows}</tbody>"
    )


def _row(s: ModelState, demo: bool, extra: bool) -> str:
    optional = " <small>optional</small>" if extra else ""
    stem = s.name.rsplit(".", 1)[0]
    word = escape(present.model_state(s.state))
    cell = f"{icon(MARKS.get(s.state, 'warn'), 16)}<span>{word}</span>"
    if demo:
        cell = '<span class="quiet">Not needed</span>'
    kind = "demo" if demo else s.state if s.state in MARKS else "fault"
    return (
        f'<tr data-state="{kind}"><td>{escape(s.title)}{optional}</td>'
        f'<td title="{escape(f"{s.folder}/{s.name}")}"><code>{escape(stem)}</code></td>'
        f"<td>{present.file_size(s.bytes)}</td><td>{cell}</td></tr>"
    )
