"""The queue's panel as HTML: every running and waiting job, the visitor's own with buttons. What a user wrote
is escaped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, plural, text
from ui.views import wording
from ui.views.buttons import attributes
from ui.views.icons import icon
from workflows.modes.registry import MODES, media_fields

if TYPE_CHECKING:
    from backend.jobs.views import JobView, QueueRow

ROWS = 60
"""Jobs that are listed; further ones are counted."""
HEADING = "ws-queue-heading"


@dataclass(frozen=True)
class QueuePanel:
    """Everything that the panel shows. `pictured`: ids of jobs with a picture that their mode can do without;
    `admin`: whether the visitor pauses the queue and cancels any job; `note`: a sentence above the list;
    `known`: whether the rows have been asked for."""

    rows: Sequence[QueueRow] = ()
    pictured: Collection[str] = ()
    paused: bool = False
    admin: bool = False
    note: str = ""
    known: bool = True
    media: Callable[[JobView, str, bool], str] = field(default=lambda job, name, download: "")


def panel(state: QueuePanel) -> str:
    """The whole panel."""
    running = sum(row.position == 0 for row in state.rows)
    counts = wording.listed(
        (
            plural("queue.running", running) if running else "",
            plural("queue.waiting", len(state.rows) - running) if len(state.rows) > running else "",
        )
    )
    words = counts or text("queue.empty")
    if state.paused:
        words = text("queue_panel.paused", counts=words)
    if not state.known:
        words = text("first_paint.loading")
    rows = "".join(_row(state, row) for row in state.rows[:ROWS])
    nothing = f'<p class="none">{escaped("queue_panel.none")}</p>' if state.known else ""
    listed = f"<ol>{rows}</ol>" if rows else nothing
    hidden = len(state.rows) - ROWS
    more = f'<p class="note">{escape(plural("queue_panel.more", hidden))}</p>' if hidden > 0 else ""
    note = f'<p class="notice">{icon("warn", 16)}<span>{escape(state.note)}</span></p>' if state.note else ""
    return (
        f'<section class="queue-panel" role="dialog" aria-labelledby="{HEADING}">'
        f'<div class="queue-head"><div><h2 id="{HEADING}" tabindex="-1">{escaped("queue.heading")}</h2>'
        f'<p class="{"paused" if state.paused else "counts"}">{escape(words)}</p></div>'
        f'<button type="button" class="round" data-q="close" aria-label="{escaped("queue_panel.close")}"'
        f' title="{escaped("queue_panel.close")}">{icon("close")}</button></div>'
        f'{note}{listed}{more}{_foot(state)}<p class="sr" role="status" aria-live="polite" data-q="said"></p>'
        "</section>"
    )


def _foot(state: QueuePanel) -> str:
    mine = sum(row.mine for row in state.rows)
    buttons = ""
    if mine > 1:
        sure = escape(text("queue_panel.cancel_all_sure", count=mine))
        buttons += (
            f'<button type="button" class="btn" data-act="cancel_all" data-sure="{sure}">'
            f"<span>{escaped('queue_panel.cancel_all')}</span></button>"
        )
    if state.admin:
        act = "resume" if state.paused else "pause"
        buttons += (
            f'<button type="button" class="btn" data-act="{act}">{icon("play" if state.paused else "pause")}'
            f"<span>{escaped(f'queue_panel.admin.{act}')}</span></button>"
        )
    return f'<div class="queue-foot">{buttons}</div>' if buttons else ""


def _row(state: QueuePanel, row: QueueRow) -> str:
    job = row.job
    running = row.position == 0
    mode = mode_texts.title(row.mode)
    if job is None:
        name, facts = text("queue_panel.foreign"), [mode]
    else:
        name, facts = wording.title(job), [mode, *_settings(job)]
        if not row.mine:
            facts.insert(0, text("queue_panel.other_visitor"))
    data = attributes({"id": job.id, "key": job.key}) if job is not None else ""
    times = escape(_times(row, state.paused))
    live = f' data-left="{escape(job.id)}"' if running and row.mine and job is not None else ""
    buttons = ""
    if job is not None and row.mine and not running:
        buttons += _button("up", "up", job, name, not row.earlier) + _button(
            "down", "chevron", job, name, not row.later
        )
    if job is not None:
        buttons += _button("cancel", "close", job, name)
    shown = "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
    title = escape(name)
    return (
        f'<li {data} data-state="{"running" if running else "queued"}"'
        f'{"" if row.mine else " data-foreign"}><span class="place">{row.place}</span>'
        f'{_thumb(state, row)}<div class="words"><p class="name" dir="auto" title="{title}">{title}</p>'
        f'<p class="facts">{shown}</p><p class="times"{live}>{times}</p></div>'
        f'<div class="moves">{buttons}</div></li>'
    )


def _settings(job: JobView) -> list[str]:
    length = "" if wording.is_still(job) else wording.length(wording.clip_seconds(job))
    return [wording.size(job.width, job.height), length, wording.speed(job)]


def _times(row: QueueRow, paused: bool) -> str:
    """`Starts in 40 s, done in 1 min 45 s`; of the running job `12 s left`."""
    if row.position == 0:
        if row.end is None:
            return text("card.running")
        return text("progress.left", duration=wording.duration(row.end))
    if paused:
        return text("queue_panel.held")
    if row.start is None:
        return text("queue_panel.unknown")
    start = wording.duration(row.start) if row.start >= 1 else ""
    if row.end is None:
        return text("queue_panel.starts", start=start) if start else text("queue_panel.starts_now")
    end = wording.duration(row.end)
    if not start:
        return text("queue_panel.now_ends", end=end)
    return text("queue_panel.starts_ends", start=start, end=end)


def _thumb(state: QueuePanel, row: QueueRow) -> str:
    """The job's input picture, else a sign of its kind."""
    media = media_fields(row.mode) if row.mode in MODES else {}
    inside = icon("wave" if any(field.kind == "sound" for field in media.values()) else "film", 20)
    if row.job is not None and "image" in media and (media["image"].required or row.job.id in state.pictured):
        address = escape(state.media(row.job, "input", False).lstrip("/"))
        inside = f'<img src="{address}" alt="">'
    return f'<span class="pic" aria-hidden="true">{inside}</span>'


def _button(act: str, sign: str, job: JobView, name: str, off: bool = False) -> str:
    label, tip = escaped(f"queue_panel.button_of.{act}", title=name), escaped(f"queue_panel.button.{act}")
    return (
        f'<button type="button" class="round" {attributes({"act": act, "id": job.id, "key": job.key})}'
        f' aria-label="{label}" title="{tip}"{" disabled" if off else ""}>{icon(sign, 18)}</button>'
    )
