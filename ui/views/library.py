"""The Library as HTML: one tile per clip, unfinished jobs first. What a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, plural, text
from ui.views import wording
from ui.views.buttons import attributes
from ui.views.card import starter_tiles
from ui.views.card_state import ACTIVE, Starter
from ui.views.icons import icon
from ui.views.next_steps import tile_menu
from ui.views.player import demo_tag
from ui.views.stopped_tile import STOPPED, stopped_tile
from ui.views.thumbs import clip_data, length_tag, thumb_picture, whole_picture

if TYPE_CHECKING:
    from backend.jobs.views import JobView

Media = Callable[["JobView", str, bool], str]


def heading(clips: int | None, size: int, keep_days: int) -> str:
    """`48 clips, 1.2 GB. Kept for 30 days. Pinned clips stay.` clips: None before they are counted."""
    if clips is None:
        summary = text("first_paint.loading")
    elif not clips:
        summary = text("library.empty", days=keep_days)
    else:
        summary = plural("library.count", clips, size=wording.file_size(size), days=keep_days)
    return f'<div class="page-head"><h1>{escaped("library.heading")}</h1><p>{escape(summary)}</p></div>'


def grid(
    jobs: Sequence[JobView],
    media: Media,
    now: float,
    nothing: str = "",
    more: bool = False,
    lacking: Collection[str] = (),
    first: Sequence[Starter] = (),
) -> str:
    """Tiles of the jobs. now: Unix time in seconds; nothing: said when a filter leaves none; lacking: ids of
    jobs whose input files are deleted; first: pictures to start from, offered to a visitor without a clip."""
    if not jobs and nothing:
        return f'<div class="nothing"><p>{escape(nothing)}</p></div>'
    if not jobs:
        return _nothing(first)
    tiles = "".join(
        stopped_tile(job, media, now, job.id in lacking) if job.status in STOPPED else _tile(job, media, now)
        for job in jobs
    )
    button = (
        f'<button type="button" class="btn" data-act="more">{escaped("library.more")}</button>'
        if more
        else ""
    )
    return f'<ul class="tiles">{tiles}</ul><div class="more">{button}</div>'


def _nothing(first: Sequence[Starter]) -> str:
    """What will be here, and pictures to make the first clip from."""
    tiles = starter_tiles(first)
    if tiles:
        tiles = f'<p class="label">{escaped("library.first")}</p><div class="strip">{tiles}</div>'
    return (
        f'<div class="nothing first"><h2>{escaped("library.nothing")}</h2>'
        f"<p>{escaped('library.nothing_more')}</p>{tiles}</div>"
    )


def _tile(job: JobView, media: Media, now: float) -> str:
    def url(name: str, download: bool = False) -> str:
        return escape(media(job, name, download).lstrip("/"))

    name = escape(wording.title(job))
    active = job.status in ACTIVE
    state = escaped("library.starting") if job.status == "running" else escaped("library.waiting")
    picture = thumb_picture(job, lambda _, name: url(name))
    inside = whole_picture(job, picture)
    if active:
        inside += (
            f'<span class="len bare" data-left="{escape(job.id)}">{state}</span>'
            f'<i class="under-way" data-bar="{escape(job.id)}"></i>'
        )
    else:
        inside += f'<span class="len">{escape(length_tag(job))}</span>'
    if job.demo:
        inside += demo_tag()
    data = attributes({"act": "show", "id": job.id, "key": job.key})
    data += " data-waits" if active else clip_data(job, lambda _, name: url(name))
    pinned = ""
    if job.pinned:
        tip = escaped("library.pinned_tip")
        pinned = f'<span class="pinned" title="{tip}">{icon("pin", 14)}{escaped("library.pinned")}</span>'
    facts = [wording.when(job.created, now), *_kind(job), wording.speed(job), wording.resolution(job)]
    live = f' data-words="{escape(job.id)}"' if active else ""
    shown = state if active else name
    label = escaped("library.open", title=wording.title(job))
    return (
        f'<li class="tile" data-state="{job.status}"><button type="button" class="open" {data}>'
        f'<span class="sr">{label}</span>{inside}</button>{"" if active else _actions(job, url)}'
        f'<p class="name" dir="auto" title="{name}"{live}>{shown}</p><p class="facts">{pinned}'
        + "".join(f"<span>{escape(f)}</span>" for f in facts)
        + "</p></li>"
    )


def _kind(job: JobView) -> list[str]:
    return [mode_texts.title(job.mode)] if wording.follows(job.mode) else []


def _actions(job: JobView, url: Callable[[str, bool], str]) -> str:
    data = {"id": job.id, "key": job.key}
    pin_tip = escaped("library.unpin_tip") if job.pinned else escaped("library.pin_tip")

    def named(action: str, tip: str = "") -> str:
        """The name of a button, with the clip's; the tip (escaped) is short."""
        name = escaped("library.action", action=action, title=wording.title(job))
        return f'aria-label="{name}" title="{tip or escape(action)}"'

    download, reuse, delete = text("library.download"), text("library.reuse"), text("library.delete")
    return (
        '<div class="actions">'
        f'<a href="{url(job.result, True)}" download {named(download)}>'
        f"{icon('download')}</a>"
        f'<button type="button" {attributes({"act": "unpin" if job.pinned else "pin", **data})}'
        f' {named(text("library.pin"), pin_tip)} aria-pressed="{str(job.pinned).lower()}">'
        f"{icon('pin')}</button>"
        f'<button type="button" {attributes({"act": "reuse", **data})} {named(reuse)}>'
        f"{icon('again')}</button>"
        f'<button type="button" {attributes({"act": "delete", **data})}'
        f" {named(delete)}>{icon('trash')}</button>"
        f"{tile_menu(job, lambda _, name, download: url(name, download))}</div>"
    )
