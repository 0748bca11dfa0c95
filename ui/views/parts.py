"""A joined video: the strip below its video and the marks on the player's bar."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.i18n.texts import escaped, text
from ui.views import seams, wording
from ui.views.buttons import attributes
from ui.views.icons import icon
from workflows.params.sizes import FPS

if TYPE_CHECKING:
    from backend.jobs.views import JobView, PartView

ROUTES = ("svi", "last_frame")
"""The routes by which a part continues the one before it."""


def route_words(route: str) -> str:
    """ "SVI Pro", "Last frame"; "" for the first part and for a route of a later version."""
    return text(f"extend.route.{route}") if route in ROUTES else ""


def length_words(job: JobView, before: float, after: float) -> str:
    """ "5 s now, 10 s then", as the card says them."""
    return text("extend.length", before=_length(job, before), after=_length(job, after))


def _length(job: JobView, seconds: float) -> str:
    rate = job.fps or FPS
    return wording.length(wording.made_seconds(job.mode, round(seconds * rate), rate))


def strip(job: JobView, mine: bool) -> str:
    """One row for each part; "" for a clip of a single part. mine: whether the visitor may make anything from
    it."""
    if len(job.parts) < 2:
        return ""
    rows = "".join(_row(job, part, mine) for part in job.parts)
    return (
        f'<section class="parts" aria-label="{escaped("extend.parts")}"><h3 class="label">'
        f"{escaped('extend.parts')}</h3><ol>{rows}</ol></section>"
    )


def _row(job: JobView, part: PartView, mine: bool) -> str:
    name = text("extend.part", number=part.number)
    facts = [_length(job, part.frames / (job.fps or FPS)), route_words(part.route)]
    said = "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
    if part.seam is not None:
        said += f'<span class="seam">{escape(seams.part_words(part.seam))}</span>'
    stale = f'<p class="stale">{icon("warn", 16)}<span>{escaped("extend.stale")}</span></p>'
    return (
        f'<li data-part="{part.number}"{" data-stale" if part.stale else ""}>'
        f'<div class="what"><strong>{escape(name)}</strong><p class="facts">{said}</p>'
        f"{stale if part.stale else ''}</div>"
        f'<div class="part-steps">{_jump(part)}{_reroll(job, part) if mine else ""}</div></li>'
    )


def _jump(part: PartView) -> str:
    label = text("extend.jump_to", number=part.number)
    return (
        f'<button type="button" class="btn quiet" data-jump="{part.start}" aria-label="{escape(label)}">'
        f"{icon('play')}<span>{escaped('extend.jump')}</span></button>"
    )


def _reroll(job: JobView, part: PartView) -> str:
    label = text("extend.reroll_part", number=part.number)
    data = attributes(
        {
            "open": "reroll", "id": job.id, "key": job.key, "number": part.number, "prompt": part.prompt,
        }
    )  # fmt: skip
    return (
        f'<button type="button" class="btn quiet" aria-haspopup="dialog" aria-label="{escape(label)}"'
        f" {data}>{icon('seed')}<span>{escaped('extend.reroll')}</span></button>"
    )


def marks(job: JobView) -> str:
    """The places on the player's bar where a part begins; "" for a clip of a single part."""
    if len(job.parts) < 2 or job.frames < 2:
        return ""
    return "".join(
        f'<i style="--at:{min(1.0, part.start / (job.frames - 1)):.4f}" data-part="{part.number}"></i>'
        for part in job.parts[1:]
    )
