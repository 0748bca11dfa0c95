"""System's right column as HTML: the model files by group of modes, with their states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from html import escape
from typing import TYPE_CHECKING

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, plural, text, with_markup
from ui.views import wording
from ui.views.icons import icon
from ui.views.missing_models import FINE
from ui.views.model_choice import details, shown_file
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.models.state import ModelState


Group = tuple[str, ...]
"""Modes whose files are listed below one heading."""


def _mode_groups() -> tuple[Group, ...]:
    """The modes with the same first model, as a group each.

    A file of several groups is listed under the first that needs it.
    """
    catalog = load_catalog()
    found: dict[str, list[str]] = {}
    for name in MODES:
        sets = catalog.sets(name)
        first = sets[0][1][0].role if sets and sets[0][1] else name
        found.setdefault(first, []).append(name)
    return tuple(tuple(names) for names in found.values())


GROUPS = _mode_groups()
COLUMNS = ("model", "file", "size", "state")
MARKS = {"ready": "check", "missing": "missing", "unknown": "missing"}
"""state -> icon; any other state is a fault."""


def group_title(group: Group) -> str:
    """`Image-to-Video and Fast 4-step`."""
    titles = [mode_texts.title(mode) for mode in group]
    return reduce(lambda first, second: text("format.pair", first=first, second=second), titles)


def models(
    states: Sequence[ModelState],
    demo: bool,
    folder: str,
    disk: Mapping[str, int] = {},
    endpoint: bool = False,
    admin: bool = False,
) -> str:
    """The right column. disk: mode -> bytes that its files take, shared ones included; endpoint: the files
    are on the volume of a RunPod endpoint, which this machine cannot read; admin: may choose files."""
    groups = _groups(states)
    summary = text("models.endpoint") if endpoint else _summary(states, [group for group, _ in groups], demo)
    where = ""
    if folder and not endpoint:
        where = with_markup("models.folder", folder=f"<code>{escape(folder)}</code>")
        where = f'<p class="note">{where}</p>'
    body = "".join(_group(group, files, states, demo, disk, admin) for group, files in groups)
    columns = "".join(f"<th>{escaped(f'models.column.{name}')}</th>" for name in COLUMNS)
    return (
        f'<div class="models"><div class="page-head"><h2>{escaped("models.heading")}</h2>'
        f"<p>{escape(summary)}</p></div>"
        f"<table><thead><tr>{columns}</tr></thead>{body}</table>{where}</div>"
    )


def _needed_by(state: ModelState) -> tuple[str, ...]:
    file = load_catalog().by_name(state.name)
    if file is None:
        return () if state.optional else state.modes
    return file.needed_by


def _groups(states: Sequence[ModelState]) -> list[tuple[Group, list[ModelState]]]:
    """The groups that have files, each with those listed below it."""
    found: dict[Group, list[ModelState]] = {group: [] for group in GROUPS}
    for state in states:
        for modes in (_needed_by(state), state.modes):
            group = next((group for group in GROUPS if set(group) & set(modes)), None)
            if group:
                found[group].append(state)
                break
    return [(group, files) for group, files in found.items() if files]


def _lacking(group: Group, states: Sequence[ModelState]) -> list[ModelState]:
    """Files that the modes of a group need and that are not ready, those listed in other groups included."""
    modes = set(group)
    catalog = load_catalog()
    ready = {file.role for s in states if s.state == "ready" and (file := catalog.by_name(s.name))}
    replaced = {
        file.stands_in_for for file in catalog.files if file.role in ready and modes & set(file.modes)
    }
    return [
        s
        for s in states
        if modes & set(_needed_by(s))
        and s.state not in FINE
        and not ((file := catalog.by_name(s.name)) and file.role in replaced)
    ]


def _summary(states: Sequence[ModelState], groups: Sequence[Group], demo: bool) -> str:
    if demo:
        return text("models.demo")
    if any(s.state == "unknown" for s in states):
        return text("models.not_listed")
    lacking = {group: _lacking(group, states) for group in groups}
    if len(groups) > 1 and not any(lacking.values()):
        return text("models.every_ready")
    return " ".join(_group_summary(group, missing) for group, missing in lacking.items())


def _group_summary(group: Group, missing: Sequence[ModelState]) -> str:
    """`Animate is ready.`, or how many files the modes of a group still need, and their size."""
    title, several = group_title(group), len(group) > 1
    if not missing:
        return text("models.modes_ready", modes=title) if several else text("models.mode_ready", mode=title)
    size = wording.file_size(sum(state.bytes for state in missing))
    if several:
        return plural("models.modes_need", len(missing), modes=title, size=size)
    return plural("models.mode_needs", len(missing), mode=title, size=size)


def _group(
    group: Group,
    files: Sequence[ModelState],
    states: Sequence[ModelState],
    demo: bool,
    disk: Mapping[str, int],
    admin: bool,
) -> str:
    missing = len(_lacking(group, states))
    state = plural("models.some_missing", missing) if missing else text("models.all_ready")
    if demo or any(s.state == "unknown" for s in files):
        state = ""
    taken = max((disk.get(mode, 0) for mode in group), default=0)
    room = f" <small>{escaped('models.on_disk', size=wording.file_size(taken))}</small>" if taken else ""
    rows = "".join(_row(s, demo, admin, extra=not set(group) & set(_needed_by(s))) for s in files)
    return (
        f'<tbody><tr class="group"><th colspan="3" scope="rowgroup">{escape(group_title(group))}{room}</th>'
        f"<td>{escape(state)}</td></tr>{rows}</tbody>"
    )


def _row(s: ModelState, demo: bool, admin: bool, extra: bool) -> str:
    optional = f" <small>{escaped('models.optional')}</small>" if extra else ""
    stem = shown_file(s).rsplit(".", 1)[0]
    word = escape(wording.model_state(s.state))
    cell = f"{icon(MARKS.get(s.state, 'warn'), 16)}<span>{word}</span>"
    if demo:
        cell = f'<span class="quiet">{escaped("models.not_needed")}</span>'
    more = "" if demo else details(s, admin)
    kind = "demo" if demo else s.state if s.state in MARKS else "fault"
    return (
        f'<tr data-state="{kind}"><td>{escape(s.title)}{optional}</td>'
        f'<td title="{escape(f"{s.folder}/{s.used or s.name}")}"><code>{escape(stem)}</code>{more}</td>'
        f"<td>{wording.model_size(s.bytes)}</td><td>{cell}</td></tr>"
    )
