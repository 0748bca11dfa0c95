"""The job card as HTML: empty, on its way, done, failed, cancelled. Pure; what a user wrote is escaped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from backend.jobs.progress import Snapshot
from backend.notices import words
from ui.views import failure, progress, wording
from ui.views.icons import icon
from ui.views.player import fit, player, shape, still, tags
from ui.views.queue import line_list
from workflows.modes.registry import media_fields

if TYPE_CHECKING:
    from backend.jobs.views import JobView, Place

RECENT = 6
BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""One clear pixel: where a preview will be."""
CORNERS = '<span class="corners" aria-hidden="true"><i></i><i></i><i></i><i></i></span>'
ACTIVE = ("queued", "running")


@dataclass(frozen=True)
class Starter:
    """A picture to start from. `url`: of its small copy on the page."""

    title: str
    url: str


@dataclass(frozen=True)
class CardState:
    """All that the card shows. `shown`: the job on the stage, one's own or by a private link; `active`: the
    owner's own that runs or comes next; `line`: the queue; `note`: a sentence above the stage."""

    shown: JobView | None = None
    active: JobView | None = None
    recent: Sequence[JobView] = ()
    line: Sequence[Place] = ()
    paused: bool = False
    note: str = ""
    snapshot: Snapshot | None = None  # of `shown`, when it is on its way
    preview: str = ""  # data URL of the last preview of `shown`
    starters: Sequence[Starter] = ()
    begin: Mapping[str, str] = field(default_factory=dict)  # tab -> how to begin there
    autoplay: bool = False
    pictured: bool = True  # `shown` was made from a picture
    gone: bool = False  # `shown` has ended without a result, and the files it was made from are not kept
    media: Callable[[JobView, str, bool], str] = field(default=lambda job, name, download: "")

    @property
    def followed(self) -> JobView | None:
        """The job that the page asks for: the one on the stage while it is on its way, else `active`."""
        return self.shown if self.shown is not None and self.shown.status in ACTIVE else self.active

    def url(self, job: JobView, name: str, download: bool = False) -> str:
        """Escaped, and relative: the page may live under a path of a proxy."""
        return escape(self.media(job, name, download).lstrip("/"))


def attributes(values: Mapping[str, object]) -> str:
    return " ".join(f'data-{name}="{escape(str(value))}"' for name, value in values.items())


def button(
    act: str, label: str, job: JobView, symbol: str = "", kind: str = "", change: Mapping[str, object] = {}
) -> str:
    """A button whose click goes to the server as event `act`."""
    data: dict[str, object] = {"act": act, "id": job.id, "key": job.key}
    if change:
        data["change"] = json.dumps(dict(change))
    mark = icon(symbol) if symbol else ""
    return (
        f'<button type="button" class="btn {kind}" {attributes(data)}>{mark}'
        f"<span>{escape(label)}</span></button>"
    )


def link_button(job: JobView, kind: str = "") -> str:
    """Copies the private link of a job: whoever has it sees the job, and may cancel it."""
    query = escape("?" + urlencode({"job": job.id, "key": job.key}))
    what = "Anyone with the link can see this, and cancel it while it is running"
    return (
        f'<button type="button" class="btn {kind}" data-link="{query}" title="{what}">{icon("link")}'
        "<span>Copy link</span></button>"
    )


def card(state: CardState) -> str:
    """The whole card. Its data attributes tell the script what to follow."""
    job = state.shown
    status = job.status if job else "empty"
    data: dict[str, object] = {"state": status, "shown": job.id if job else ""}
    if job:
        data["shownkey"] = job.key
    if state.followed:
        data |= {"id": state.followed.id, "key": state.followed.key, "mode": state.followed.mode}
    if state.active:
        data["busy"] = 1
    if job is None:
        inside = _empty(state)
    elif status in ACTIVE:
        inside = _under_way(state, job)
    elif status == "done":
        inside = _done(state, job)
    else:
        inside = _stopped(state, job)
    note = (
        f'<p class="notice said">{icon("warn", 16)}<span>{escape(state.note)}</span></p>'
        if state.note
        else ""
    )
    line = line_list(state.line, job.id if job else "", state.paused)
    return (
        f'<section class="card" aria-label="Result" {attributes(data)}>{note}{inside}{line}{recent(state)}'
        '<p class="sr" role="status" aria-live="polite" data-live="stage"></p></section>'
    )


def facts(job: JobView) -> str:
    """The recipe line."""
    return '<p class="facts">' + "".join(f"<span>{escape(f)}</span>" for f in wording.recipe(job)) + "</p>"


def warnings(job: JobView) -> str:
    if not job.warnings:
        return ""
    rows = "".join(f"<li>{icon('warn', 16)}<span>{escape(words(one))}</span></li>" for one in job.warnings)
    return f'<ul class="warnings">{rows}</ul>'


def _empty(state: CardState) -> str:
    starters = "".join(
        f'<button type="button" class="starter" data-act="starter" data-n="{n}">'
        f'<img src="{escape(s.url)}" alt="" loading="lazy"><span>{escape(s.title)}</span></button>'
        for n, s in enumerate(state.starters)
    )
    if starters:
        starters = (
            '<div class="starters"><h2 class="label">No picture handy? Try one of these</h2>'
            f'<div class="strip">{starters}</div></div>'
        )
    begin = "".join(f'<p data-tab="{key}">{escape(words)}</p>' for key, words in state.begin.items())
    return (
        f'<div class="stage empty">{CORNERS}<div class="empty-words">'
        '<h2>Your <span data-makes="video">video</span><span data-makes="picture">picture</span>'
        " appears here</h2>"
        f"{begin}</div>"
        f'<p class="frame" data-live="frame"></p></div>{starters}'
    )


def _under_way(state: CardState, job: JobView) -> str:
    words = progress.progress(state.snapshot or Snapshot(), state.paused)
    picture, tag = _picture(state, job)
    kind = fit(job) if state.preview else f"{fit(job)} soft"
    bell = "Notify me when it's done"
    return (
        f'<div class="stage"{shape(job)}>{"" if tag else CORNERS}'
        f'<img class="{kind}" data-live="preview" src="{picture}" alt="Preview">{tags(job, tag)}</div>'
        f'<div class="head"><h2 class="status" data-live="words">{escape(words["words"])}</h2>'
        f'<p class="times"><span data-live="gone">{escape(words["gone"])}</span>'
        f'<strong data-live="left">{escape(words["left"])}</strong></p></div>'
        f"{segments(words)}"
        f'<p class="notice" data-live="notice" hidden>{icon("warn", 16)}<span></span></p>'
        f'<div class="foot">{facts(job)}<span class="foot-buttons">'
        f'<button type="button" class="btn quiet" data-notify hidden title="{bell}" aria-label="{bell}">'
        f"{icon('bell')}</button>{link_button(job, 'quiet')}"
        f"{button('cancel', 'Cancel', job, 'close', 'quiet')}</span></div>"
        f"{warnings(job)}"
    )


def _picture(state: CardState, job: JobView) -> tuple[str, str]:
    """(address, tag) of what stands on the stage until there is a result."""
    if state.preview:
        return state.preview, "Preview"
    return (state.url(job, "input"), "Your picture") if state.pictured else (BLANK, "")


def segments(words: Mapping[str, Any]) -> str:
    """Six bars weighted by time, the stage's word under each; words: present.progress."""
    bars = []
    for stage, weight, done in words["segments"]:
        kind = "now" if stage == words["stage"] else "past" if done >= 1 else ""
        bars.append(
            f'<div class="{kind}" data-stage="{escape(stage)}" style="--w:{weight:.4f};--d:{done:.4f}">'
            f"<i></i><span>{progress.STAGE_WORDS.get(stage, '')}</span></div>"
        )
    return (
        '<div class="segments" role="progressbar" aria-label="Progress" aria-valuemin="0"'
        f' aria-valuemax="100" aria-valuenow="{words["percent"]:.0f}"'
        f' aria-valuetext="{escape(words["spoken"])}" data-live="bar">{"".join(bars)}</div>'
    )


def _done(state: CardState, job: JobView) -> str:
    took = f"Done in {wording.duration(job.elapsed)}" if job.elapsed else "Done"
    download = (
        f'<a class="btn ink" href="{state.url(job, job.result, True)}" download>{icon("download")}'
        f"<span>Download</span><small>{wording.file_size(job.bytes) if job.bytes else ''}</small></a>"
    )
    steps = [button("again", "Try another seed", job, "seed")]
    if wording.speed(job) == "Fast":
        steps.append(button("quality", "Re-render in Quality", job, "gem"))
    if wording.is_still(job):
        steps.append(button("picture", "Animate this picture", job, "frame"))
    else:
        steps.append(button("frame", "Use this frame as start", job, "frame"))
    steps += [
        button("reuse", "Reuse settings", job, "again"),
        f'<a class="btn" href="{state.url(job, "workflow.json", True)}" download'
        f' title="The graph of this {wording.thing(job)}, to open in ComfyUI">'
        f"{icon('graph')}<span>Workflow</span></a>",
        link_button(job),
    ]
    return (
        f"{still(job, state.url) if wording.is_still(job) else player(job, state.url, state.autoplay)}"
        f'<div class="head done"><div><h2 class="status">{escape(took)}</h2>{facts(job)}</div>'
        f"{download}</div>"
        f'<div class="steps">{"".join(steps)}</div>{warnings(job)}'
    )


def _stopped(state: CardState, job: JobView) -> str:
    failed = job.status == "failed"
    snapshot = state.snapshot
    picture, tag = _picture(state, job)
    if state.preview:
        tag = "Last preview"
        if snapshot and snapshot.steps:
            tag += f", {progress.step_words(replace(snapshot, step=max(0, snapshot.step - 1)))}"
    if failed:
        what, why = failure.failure(job, state.gone)
        remedies = [] if state.gone else failure.remedies(job)
        buttons = [
            button(
                "retry",
                r.label,
                job,
                "" if i else "again",
                "" if i else "ink",
                r.change or {"seed": job.seed},
            )
            for i, r in enumerate(remedies)
        ]
        if state.gone:
            buttons.append(button("reuse", "Reuse settings", job, "again", "ink"))
        buttons.append(
            f'<button type="button" class="btn quiet" data-copy="{escape(failure.details(job))}">'
            f"{icon('copy')}<span>Copy details</span></button>"
        )
    else:
        what = f"Cancelled after {wording.duration(job.elapsed)}" if job.elapsed else "Cancelled"
        said = str((job.error or {}).get("message") or "")  # when it was not the creator who stopped it
        why = f"{said} {failure.kept(job.mode, state.gone)}".strip()
        if state.gone:
            buttons = [button("reuse", "Reuse settings", job, "again", "ink")]
        else:
            buttons = [
                button("retry", "Start again", job, "again", "ink", {"seed": job.seed}),
                button("reuse", "Reuse settings", job),
            ]
    alert = ' role="alert"' if failed else ""
    mark = f'<span class="mark">{icon("alert", 21)}</span>' if failed else ""
    return (
        f'<div class="stage"{shape(job)}><img class="{fit(job)} grey" src="{picture}" alt="">'
        f"{tags(job, tag)}</div>"
        f'<div class="stopped{" failed" if failed else ""}">{mark}<div>'
        f'<div{alert}><h2 class="status">{escape(what)}</h2><p class="why">{escape(why)}</p></div>'
        f'<div class="steps">{"".join(buttons)}</div></div></div>'
    )


def recent(state: CardState) -> str:
    """The last six clips; a job on its way that is not on the stage comes first."""
    if not state.recent:
        return ""
    thumbs = "".join(_thumb(state, job) for job in state.recent[:RECENT])
    return (
        '<div class="recent"><div class="label-row"><h2 class="label">Recent</h2>'
        '<button type="button" class="link" data-act="library">Open the library</button></div>'
        f'<div class="strip">{thumbs}</div></div>'
    )


def thumb_picture(job: JobView, url: Callable[[JobView, str], str]) -> str:
    """The address of a small picture of the job: its poster, the picture itself, or what it is made from."""
    if job.status in ACTIVE:
        return url(job, "input") if "image" in media_fields(job.mode) else BLANK
    return url(job, job.result if wording.is_still(job) else "poster.jpg")


def length_tag(job: JobView) -> str:
    """`0:05`; a picture says that it is one."""
    return "Picture" if wording.is_still(job) else wording.clock(wording.clip_seconds(job))


def _thumb(state: CardState, job: JobView) -> str:
    here = state.shown is not None and state.shown.id == job.id
    data = attributes({"act": "show", "id": job.id, "key": job.key})
    name = escape(wording.title(job))
    if job.status in ACTIVE:
        data += " data-waits"
        word = "Running" if job.status == "running" else "Waiting"
        inside = (
            f'<img src="{thumb_picture(job, state.url)}" alt="">'
            f'<span class="len" data-left="{job.id}">{word}</span>'
            f'<i class="under-way" data-bar="{job.id}"></i>'
        )
        label = f"{word}: {name}"
    else:
        length = length_tag(job)
        poster = thumb_picture(job, state.url)
        inside = f'<img src="{poster}" alt="" loading="lazy"><span class="len">{length}</span>'
        label = f"{name}, {length}"
    current = ' aria-current="true"' if here else ""
    return (
        f'<button type="button" class="thumb" {data} aria-label="{label}" title="{name}"{current}>'
        f"{inside}</button>"
    )
