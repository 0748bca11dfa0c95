"""The job card as HTML: empty, queued or running, done, failed, cancelled. What a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from backend.jobs.snapshot import Snapshot
from backend.notices import words
from ui.i18n.texts import escaped, text
from ui.samples import SAMPLES
from ui.views import failure, keeping, parts, progress, times, variation_set, wording
from ui.views.buttons import attributes, button, copy_button, link_button
from ui.views.card_state import ACTIVE, BLANK, CardState, Starter
from ui.views.icons import icon
from ui.views.next_steps import download, next_steps, rows
from ui.views.player import fit, player, shape, still, tags
from ui.views.queue import line_list
from ui.views.recipe import from_file
from ui.views.relations import relations
from ui.views.result_details import details
from ui.views.samples import lesson, strips
from ui.views.thumbs import recent, thumb_picture

if TYPE_CHECKING:
    from backend.jobs.views import JobView

CORNERS = '<span class="corners" aria-hidden="true"><i></i><i></i><i></i><i></i></span>'


def card(state: CardState) -> str:
    """The whole card. Its data attributes name the job that the script follows."""
    job = state.shown
    status = job.status if job else "empty"
    data: dict[str, object] = {"state": status, "shown": job.id if job else ""}
    if job:
        data["shownkey"] = job.key
    if state.followed:
        data |= {"id": state.followed.id, "key": state.followed.key, "mode": state.followed.mode}
    if state.active:
        data["busy"] = 1
    if state.made:
        data["made"] = state.made
    if state.whole:
        data |= {"set": state.whole.id, "setkey": state.whole.key}
    if job is None:
        inside = _empty(state)
    elif status in ACTIVE:
        inside = _active(state, job)
    elif status == "done":
        inside = _done(state, job)
    else:
        inside = _stopped(state, job)
    note = (
        f'<p class="notice said"{_about_field(state)}>{icon("warn", 16)}<span>{escape(state.note)}</span></p>'
        if state.note
        else ""
    )
    if state.whole:
        note += variation_set.back(state.whole)
    line = line_list(state.line, job.id if job else "", state.paused)
    return (
        f'<section class="card" aria-label="{escaped("card.label")}" {attributes(data)}>{note}{inside}{line}'
        f"{recent(state)}"
        '<p class="sr" role="status" aria-live="polite" data-live="stage"></p></section>'
    )


def _about_field(state: CardState) -> str:
    return f' data-field="{escape(state.note_field)}"' if state.note_field else ""


def facts(job: JobView) -> str:
    """The recipe line: size, length, speed and seed of a job."""
    return '<p class="facts">' + "".join(f"<span>{escape(f)}</span>" for f in wording.recipe(job)) + "</p>"


def warnings(job: JobView) -> str:
    """The job's warnings as a list, "" without any."""
    if not job.warnings:
        return ""
    sentences = [words(warning) for warning in job.warnings]
    rows = "".join(f"<li>{icon('warn', 16)}<span>{escape(sentence)}</span></li>" for sentence in sentences)
    return f'<ul class="warnings">{rows}</ul>'


def starter_tiles(starters: Sequence[Starter]) -> str:
    """A button with its picture for each."""
    return "".join(
        f'<button type="button" class="starter" data-act="starter" data-n="{n}">'
        f'<img src="{escape(s.url)}" alt="" loading="lazy"><span>{escape(s.title)}</span></button>'
        for n, s in enumerate(starters)
    )


def _empty(state: CardState) -> str:
    starters = starter_tiles(state.starters)
    if starters:
        starters = (
            f'<div class="starters"><h2 class="label">{escaped("card.starters")}</h2>'
            f'<div class="strip">{starters}</div></div>'
        )
    starters += strips(SAMPLES, state.folder) + from_file()
    begin = "".join(lesson(key, words) for key, words in state.begin.items())
    return (
        f'<div class="stage empty">{CORNERS}<div class="empty-words">'
        f'<h2><span data-makes="video">{escaped("card.empty.video")}</span>'
        f'<span data-makes="picture">{escaped("card.empty.picture")}</span></h2>{begin}</div>'
        f'<p class="frame" data-live="frame"></p></div>{starters}'
    )


def _active(state: CardState, job: JobView) -> str:
    words = progress.progress(state.snapshot or Snapshot(), state.paused)
    picture, tag = _picture(state, job)
    kind = fit(job) if state.preview else f"{fit(job)} soft"
    bell = escaped("card.notify")
    stage, picks = "", ""
    if state.children:
        stage, picks = variation_set.stage(state, job), variation_set.picks(state, job)
    else:
        stage = (
            f'<div class="stage"{shape(job)}>{"" if tag else CORNERS}'
            f'<img class="{kind}" data-live="preview" src="{picture}" alt="{escaped("card.preview")}">'
            f"{tags(job, tag)}</div>"
        )
    return (
        f'{stage}<div class="head"><h2 class="status" data-live="words">{escape(words["words"])}</h2>'
        f'<p class="times"><span data-live="elapsed">{escape(words["elapsed"])}</span>'
        f'<strong data-live="left">{escape(words["left"])}</strong></p></div>'
        f"{segments(words)}"
        f'<p class="notice" data-live="notice" hidden>{icon("warn", 16)}<span></span></p>'
        f'<div class="foot">{facts(job)}<span class="foot-buttons">'
        f'<button type="button" class="btn quiet" data-notify hidden title="{bell}" aria-label="{bell}">'
        f"{icon('bell')}</button>{link_button(job, 'quiet')}"
        f"{button('cancel', text('card.cancel'), job, 'close', 'quiet')}</span></div>"
        f"{picks}{relations(job, state.relations)}{warnings(job)}"
    )


def _picture(state: CardState, job: JobView) -> tuple[str, str]:
    """(address, tag) of the picture on the stage until there is a result."""
    if state.preview:
        return state.preview, text("card.preview")
    return (state.url(job, "input"), text("card.your_picture")) if state.has_picture else (BLANK, "")


def segments(words: Mapping[str, Any]) -> str:
    """Six bars weighted by time, each with its stage's name; words: progress.progress()."""
    bars = []
    for stage, weight, done in words["segments"]:
        kind = "now" if stage == words["stage"] else "past" if done >= 1 else ""
        bars.append(
            f'<div class="{kind}" data-stage="{escape(stage)}" style="--w:{weight:.4f};--d:{done:.4f}">'
            f"<i></i><span>{escape(progress.stage_words(stage))}</span></div>"
        )
    return (
        f'<div class="segments" role="progressbar" aria-label="{escaped("card.progress")}" aria-valuemin="0"'
        f' aria-valuemax="100" aria-valuenow="{words["percent"]:.0f}"'
        f' aria-valuetext="{escape(words["spoken"])}" data-live="bar">{"".join(bars)}</div>'
    )


def _done(state: CardState, job: JobView) -> str:
    took = text("card.done")
    if job.elapsed:
        took = text("card.done_in", duration=wording.duration(job.elapsed))
    if state.children:
        return _done_set(state, job, took)
    shown = still(job, state.url) if wording.is_still(job) else player(job, state.url, state.autoplay)
    strip = _strip(job, thumb_picture(job, state.url), took)
    return (
        f'{strip}{shown}{parts.strip(job, state.mine)}<div class="head done"><div>'
        f'<h2 class="status">{escape(took)}</h2>{facts(job)}'
        f"{relations(job, state.relations)}{times.details(job.timings)}</div>{download(job, state.url)}</div>"
        f"{next_steps(job, state.url, state.mine)}{details(job)}{warnings(job)}"
    )


def _done_set(state: CardState, job: JobView, took: str) -> str:
    autoplay = " data-autoplay" if state.autoplay else ""
    return (
        f"{_strip(job, thumb_picture(job, state.url), took)}{variation_set.stage(state, job)}"
        f'<div class="head done"{autoplay}><div><h2 class="status">{escape(took)}</h2>{facts(job)}'
        f"{times.details(job.timings)}</div>{variation_set.download(job, state.url)}</div>"
        f"{relations(job, state.relations)}{variation_set.steps(state, job)}{details(job)}{warnings(job)}"
    )


def _strip(job: JobView, picture: str, words: str) -> str:
    """The line to which a phone folds what has ended while another tab is worked in. picture: its escaped
    address."""
    return (
        f'<button type="button" class="reopen" title="{escaped("card.reopen")}">'
        f'<img src="{picture}" alt=""><span><strong>{escape(words)}</strong>'
        f'<small dir="auto">{escape(wording.title(job))}</small></span>{icon("chevron")}</button>'
    )


def _stopped(state: CardState, job: JobView) -> str:
    failed = job.status == "failed"
    picture, tag = _stopped_picture(state, job)
    what, why = _stopped_words(state, job)
    having = [copy_button(text("card.copy_details"), failure.details(job))] if failed else []
    if state.mine:
        having.append(keeping.delete_button(job, "quiet"))
    stage = (
        f'<div class="stage"{shape(job)}><img class="{fit(job)} grey" src="{picture}" alt="">'
        f"{tags(job, tag)}</div>"
    )
    if state.children:
        stage = variation_set.stage(state, job)
    picks = variation_set.picks(state, job) if state.children else ""
    alert = ' role="alert"' if failed else ""
    mark = f'<span class="mark">{icon("alert", 21)}</span>' if failed else ""
    return (
        f"{_strip(job, picture, what)}{stage}"
        f'<div class="stopped{" failed" if failed else ""}">{mark}<div>'
        f'<div{alert}><h2 class="status">{escape(what)}</h2><p class="why">{escape(why)}</p></div>'
        f"{relations(job, state.relations)}"
        f"{rows(_ways_on(state, job), having, 'again')}</div></div>{picks}"
    )


def _stopped_picture(state: CardState, job: JobView) -> tuple[str, str]:
    """(address, tag) of the last preview, which says the step that it is of; else of the job's picture."""
    picture, tag = _picture(state, job)
    if state.preview:
        tag = text("card.last_preview")
        if state.snapshot and state.snapshot.steps:
            last = replace(state.snapshot, step=max(0, state.snapshot.step - 1))
            tag = text("card.last_preview_step", step=progress.step_words(last))
    return picture, tag


def _stopped_words(state: CardState, job: JobView) -> tuple[str, str]:
    """(what happened, why and what is kept) of a job that ended without a result."""
    if job.status == "failed":
        return failure.failure(job, state.files, state.inputs_deleted, state.mine)
    why = str((job.error or {}).get("message") or "")  # "" where a visitor cancelled it
    if state.mine:
        why = f"{why} {failure.kept(job, state.files, state.inputs_deleted)}".strip()
    return wording.cancelled(job), why


def _ways_on(state: CardState, job: JobView) -> list[str]:
    """The buttons that make the owner's job again; the first is the primary one."""
    if not state.mine:
        return []
    if state.inputs_deleted:
        return [button("reuse", text("card.reuse"), job, "again", "ink")]
    same = {"seed": job.seed}
    if job.status != "failed":
        return [
            button("retry", text("card.start_again"), job, "again", "ink", same),
            button("reuse", text("card.reuse"), job),
        ]
    first, *others = failure.remedies(job)
    return [
        button("retry", first.label, job, "again", "ink", first.change or same),
        *(button("retry", one.label, job, change=one.change or same) for one in others),
    ]
