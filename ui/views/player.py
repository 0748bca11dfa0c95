"""A finished clip or picture on the stage as HTML. What a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from ui.i18n.texts import escaped, text
from ui.views import parts, wording
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


def lost() -> str:
    """What the script shows in place of a result that cannot be loaded."""
    return (
        f'<div class="lost" role="alert"><p>{escaped("player.lost")}</p><button type="button" class="btn"'
        f' data-act="redraw">{icon("again")}<span>{escaped("player.reload")}</span></button></div>'
    )


SPEEDS = ("0.25", "0.5", "1", "1.5", "2")
"""Speeds on offer, as times of the normal one."""


def player(job: JobView, url: Url, autoplay: bool = False) -> str:
    """The clip with the page's own controls; a mute button where the mode keeps sound.

    Single frames and speed are in a row of their own, which a button or a key of theirs opens.
    """
    length = wording.clock(wording.clip_seconds(job))
    play = icon("play", 24) + icon("pause", 24)
    marks = icon("fullscreen", 20) + icon("window", 20)
    label, tip = escaped("player.full_screen"), escaped("player.full_screen_tip")
    whole = _button("full", label, tip, marks, "full")
    video, poster = url(job, job.result), url(job, job.poster)
    loops = " data-loop" if job.params.get("loop") and not job.parts else ""
    return (
        f'<div class="stage player"{shape(job)} data-player data-paused data-fps="{job.fps:g}"'
        f' data-frames="{job.frames}"{loops}><video class="{fit(job)}" src="{video}"'
        f' poster="{poster}" loop playsinline preload="metadata" tabindex="-1"'
        f' aria-label="{escape(wording.title(job))}"{" data-autoplay" if autoplay else ""}></video>'
        f"{tags(job)}{lost()}"
        f'<div class="bar" role="group" aria-label="{escaped("player.label")}">{_tools(job)}'
        f"{_button('play', escaped('player.play'), escaped('player.play_tip'), play, 'toggle')}"
        '<span class="now">0:00</span>'
        f"{_position(job)}"
        f'<span class="all">{length}</span>'
        f'<button type="button" data-p="tools" aria-label="{escaped("player.tools")}"'
        f' title="{escaped("player.tools_tip")}" aria-expanded="false">{icon("film", 20)}</button>'
        f'<button type="button" data-p="loop" aria-label="{escaped("player.repeat")}"'
        f' title="{escaped("player.repeat_tip")}" aria-pressed="true">{icon("loop", 20)}</button>'
        f"{_volume(job)}"
        f"{whole}</div></div>"
    )


def _position(job: JobView) -> str:
    """The bar, with a mark where each part of a clip begins."""
    bar = (
        f'<input type="range" min="0" max="{max(0, job.frames - 1)}" step="1" value="0"'
        f' aria-label="{escaped("player.position")}">'
    )
    marks = parts.marks(job)
    return f'<span class="scrub">{bar}{marks}</span>' if marks else bar


def _tools(job: JobView) -> str:
    """Single frames, the number of the frame, and the speed."""
    options = "".join(
        f'<option value="{speed}"{" selected" if speed == "1" else ""}>'
        f"{escaped('player.times', speed=speed)}</option>"
        for speed in SPEEDS
    )
    back = _button("back", escaped("player.back"), escaped("player.back_tip"), icon("frame_back", 20))
    forward = _button("next", escaped("player.next"), escaped("player.next_tip"), icon("frame_next", 20))
    first = text("player.frame", frame=1, frames=max(1, job.frames))
    return (
        f'<div class="tools">{back}<span class="count">{escape(first)}</span>{forward}'
        f'<select data-speed aria-label="{escaped("player.speed")}" title="{escaped("player.speed_tip")}">'
        f"{options}</select></div>"
    )


def _button(act: str, label: str, tip: str, marks: str, kind: str = "") -> str:
    """label, tip: escaped; the tip names the key."""
    look = f' class="{kind}"' if kind else ""
    return f'<button type="button"{look} data-p="{act}" aria-label="{label}" title="{tip}">{marks}</button>'


def _volume(job: JobView) -> str:
    if not wording.follows(job.mode):
        return ""
    marks = icon("sound", 20) + icon("muted", 20)
    return _button("mute", escaped("player.mute"), escaped("player.mute_tip"), marks, "volume")


def still(job: JobView, url: Url) -> str:
    """A finished picture on the stage."""
    return (
        f'<div class="stage"{shape(job)}><img class="{fit(job)}" src="{url(job, job.result)}"'
        f' alt="{escape(wording.title(job))}">{tags(job)}{lost()}</div>'
    )
