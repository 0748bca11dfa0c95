"""Small pictures of clips: the strip of the latest ones, and the parts that tiles share with it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from ui.i18n.texts import escaped, plural, text
from ui.views import wording
from ui.views.buttons import attributes
from ui.views.card_state import ACTIVE, BLANK
from ui.views.player import fit
from workflows.modes.registry import media_fields

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from ui.views.card_state import CardState

RECENT = 6
"""How many the strip has."""


def recent(state: CardState) -> str:
    """The last six clips; a queued or running job that is not on the stage comes first."""
    if not state.recent:
        return ""
    thumbs = "".join(_thumb(state, job) for job in state.recent[:RECENT])
    return (
        f'<div class="recent"><div class="label-row"><h2 class="label">{escaped("card.recent")}</h2>'
        f'<button type="button" class="link" data-act="library">{escaped("card.open_library")}</button></div>'
        f'<div class="strip">{thumbs}</div></div>'
    )


def thumb_picture(job: JobView, url: Callable[[JobView, str], str]) -> str:
    """The address of a small picture of the job: its poster, the finished picture, or its input picture."""
    if job.status in ACTIVE:
        return url(job, "input") if "image" in media_fields(job.mode) else BLANK
    address = url(job, job.result if wording.is_still(job) else job.poster)
    # The sheet of a set is made again under the same name, and a page would keep the picture that it has.
    return f"{address}&amp;v={job.bytes}" if wording.is_set(job) and "?" in address else address


def length_tag(job: JobView) -> str:
    """`0:05`, `Picture`, or `4 variations`."""
    if wording.is_set(job):
        return plural("variations.tile", wording.variation_count(job))
    return text("facts.picture") if wording.is_still(job) else wording.clock(wording.clip_seconds(job))


def _thumb(state: CardState, job: JobView) -> str:
    """A small picture shown whole, in front of a blurred copy of itself; below it the speed and the seed."""
    here = state.shown is not None and state.shown.id == job.id
    data = attributes({"act": "show", "id": job.id, "key": job.key})
    picture = thumb_picture(job, state.url)
    inside = whole_picture(job, picture)
    seed = "" if wording.is_set(job) else text("facts.seed", seed=job.seed)
    facts = [fact for fact in (wording.speed(job), seed) if fact]
    if job.status in ACTIVE:
        data += " data-waits"
        running = job.status == "running"
        word = escaped("card.running") if running else escaped("card.waiting")
        inside += (
            f'<span class="len" data-left="{job.id}">{word}</span>'
            f'<i class="under-way" data-bar="{job.id}"></i>'
        )
        key = "card.running_clip" if running else "card.waiting_clip"
        # The time left changes, so the name of the button is made of what it shows.
        inside = f'<span class="sr">{escaped(key, title=wording.title(job))}</span> {inside}'
        name = ""
    else:
        length = length_tag(job)
        inside += f'<span class="len">{escape(length)}</span>'
        data += clip_data(job, state.url)
        facts_label = wording.listed(dict.fromkeys([length, *facts]))
        label = escaped("card.clip", title=wording.title(job), length=facts_label)
        name = f' aria-label="{label}"'
    current = ' aria-current="true"' if here else ""
    below = " ".join(f"<span>{escape(fact)}</span>" for fact in facts if fact != length_tag(job))
    return (
        f'<button type="button" class="thumb" {data}{name}'
        f' title="{escape(wording.title(job))}"{current}>'
        f'<span class="shot">{inside}</span> <span class="under">{below}</span></button>'
    )


def whole_picture(job: JobView, picture: str) -> str:
    """A picture shown whole, in front of a blurred copy of itself. picture: its escaped address."""
    near = " near" if "near" in fit(job) else ""
    return (
        f'<img class="blur{near}" src="{picture}" alt="" loading="lazy">'
        f'<img class="whole" src="{picture}" alt="" loading="lazy">'
    )


def clip_data(job: JobView, url: Callable[[JobView, str], str]) -> str:
    """The attribute with the address of the clip that plays under the pointer; "" for a picture."""
    return "" if wording.is_still(job) else f' data-clip="{url(job, job.result)}"'
