"""System's right column as HTML: which model files the engine has. Pure but for its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.views import wording
from ui.views.icons import icon
from ui.views.missing_models import FINE
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES
from workflows.modes.registry import title as mode_title

if TYPE_CHECKING:
    from backend.models.state import ModelState


def _mode_groups() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Heading -> the modes whose files are listed below it; modes with the same first model share one.

    A file of several groups is listed under the first that needs it.
    """
    catalog = load_catalog()
    found: dict[str, list[str]] = {}
    for name in MODES:
        sets = catalog.sets(name)
        first = sets[0][1][0].role if sets and sets[0][1] else name
        found.setdefault(first, []).append(name)
    return tuple((" and ".join(mode_title(name) for name in names), tuple(names)) for names in found.values())


GROUPS = _mode_groups()
MARKS = {"ready": "check", "missing": "missing", "unknown": "missing"}
"""state -> icon; any other state is a fault."""


ENDPOINT_WORDS = (
    "The files are on the endpoint's volume, in models. A video that lacks one fails at once and names it."
)


def models(
    states: Sequence[ModelState],
    demo: bool,
    folder: str,
    disk: Mapping[str, int] = {},
    endpoint: bool = False,
) -> str:
    """The right column: the files by group. disk: mode -> bytes that its files take, shared ones too;
    endpoint: they are wanted by workers of RunPod, whose volume nobody can look at from here."""
    groups = _groups(states)
    words = ENDPOINT_WORDS if endpoint else _summary(states, [title for title, _ in groups], demo)
    where = (
        f'<p class="note">Files go into the subfolders of <code>{escape(folder)}</code>.</p>'
        if folder and not endpoint
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
        return "ComfyUI has not listed its files yet."
    said = []
    for title in titles:
        gone = _lacking(title, states)
        if gone:
            count = "1 more file" if len(gone) == 1 else f"{len(gone)} more files"
            verb = "need" if " and " in title else "needs"
            said.append(f"{title} {verb} {count}, {wording.file_size(sum(s.bytes for s in gone))}.")
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
    state = f"{len(gone)} file{'s' if len(gone) > 1 else ''} missing" if gone else "Ready"
    if demo or any(s.state == "unknown" for s in files):
        state = ""
    modes = dict(GROUPS)[title]
    taken = max((disk.get(mode, 0) for mode in modes), default=0)
    room = f" <small>{wording.file_size(taken)} on disk</small>" if taken else ""
    rows = "".join(_row(s, demo, extra=not set(modes) & set(_needed_by(s))) for s in files)
    return (
        f'<tbody><tr class="group"><th colspan="3" scope="rowgroup">{escape(title)}{room}</th>'
        f"<td>{state}</td></tr>{rows}</tbody>"
    )


def _row(s: ModelState, demo: bool, extra: bool) -> str:
    optional = " <small>optional</small>" if extra else ""
    stem = s.name.rsplit(".", 1)[0]
    word = escape(wording.model_state(s.state))
    cell = f"{icon(MARKS.get(s.state, 'warn'), 16)}<span>{word}</span>"
    if demo:
        cell = '<span class="quiet">Not needed</span>'
    kind = "demo" if demo else s.state if s.state in MARKS else "fault"
    return (
        f'<tr data-state="{kind}"><td>{escape(s.title)}{optional}</td>'
        f'<td title="{escape(f"{s.folder}/{s.name}")}"><code>{escape(stem)}</code></td>'
        f"<td>{wording.file_size(s.bytes)}</td><td>{cell}</td></tr>"
    )
