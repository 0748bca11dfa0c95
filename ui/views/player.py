"""A finished clip or picture on the stage as HTML. What a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from ui.i18n.texts import escaped
from ui.views import wording
from ui.views.icons import icon

if TYPE_CHECKING:
    from backend.jobs.views import JobView

    Url = Callable[[JobView, str], str]


def fit(job: JobView) -> str:
    """The CSS classes of a job's picture. `near`: about 16:9, so that the stage takes its shape."""
    near = job.height > 0 and abs(job.width / job.height * 9 / 16 - 1) < 0.03
    return "fit near" if near else "fit"


def shape(job: JobView) -> str:
    """The stage's style attribute: width and height of the job in pixels, from which the style sheet computes
    one frame for input picture, preview, video and poster; "" for unknown sizes."""
    return f' style="--wide:{job.width};--high:{job.height}"' if job.width > 0 and job.height > 0 else ""


def demo_tag() -> str:
    """The mark of a result of the demo engine."""
    return f'<span class="tag demo" title="{escaped("app.demo")}">{escaped("app.demo_tag")}</span>'


def tags(job: JobView, word: str = "") -> str:
    """The tags over the stage: `word`, and DEMO for a simulated result."""
    found = f'<span class="tag" data-live="tag">{escape(word)}</span>' if word else ""
    if job.demo:
        found += demo_tag()
    return f'<div class="tags">{found}</div>' if found else ""


def player(job: JobView, url: Url, autoplay: bool = False) -> str:
    """The clip with the page's own controls; a mute button where the mode keeps sound."""
    length = wording.clock(wording.clip_seconds(job))
    play = f"{icon('play', 24)}{icon('pause', 24)}"
    video, poster = url(job, "result.mp4"), url(job, "poster.jpg")
    return (
        f'<div class="stage player"{shape(job)} data-player data-paused>'
        f'<video class="{fit(job)}" src="{video}"'
        f' poster="{poster}" loop playsinline preload="metadata" tabindex="-1"'
        f' aria-label="{escape(wording.title(job))}"{" data-autoplay" if autoplay else ""}></video>'
        f"{tags(job)}"
        f'<div class="bar" role="group" aria-label="{escaped("player.label")}">'
        f'<button type="button" class="toggle" data-p="play"'
        f' aria-label="{escaped("player.play")}">{play}</button>'
        '<span class="now">0:00</span>'
        f'<input type="range" min="0" max="1000" step="1" value="0"'
        f' aria-label="{escaped("player.position")}">'
        f'<span class="all">{length}</span>'
        f'<button type="button" data-p="loop" aria-label="{escaped("player.repeat")}" aria-pressed="true">'
        f"{icon('loop', 20)}</button>"
        f"{_volume(job)}"
        f'<button type="button" data-p="full" aria-label="{escaped("player.full_screen")}">'
        f"{icon('fullscreen', 20)}</button>"
        "</div></div>"
    )


def _volume(job: JobView) -> str:
    if not wording.follows(job.mode):
        return ""
    marks = f"{icon('sound', 20)}{icon('muted', 20)}"
    label = escaped("player.mute")
    return f'<button type="button" class="volume" data-p="mute" aria-label="{label}">{marks}</button>'


def still(job: JobView, url: Url) -> str:
    """A finished picture on the stage."""
    return (
        f'<div class="stage"{shape(job)}><img class="{fit(job)}" src="{url(job, job.result)}"'
        f' alt="{escape(wording.title(job))}">{tags(job)}</div>'
    )
