"""The button that extends a clip, and the contents of the dialogs of Extend and Re-roll."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, text
from ui.views import wording
from ui.views.buttons import attributes
from ui.views.icons import icon
from workflows.modes.fields import LENGTHS
from workflows.modes.registry import MODES
from workflows.params.limits import PROMPT_MAX

if TYPE_CHECKING:
    from backend.jobs.views import JobView

METHODS = ("auto", "svi", "last_frame")
SECONDS = 5.0


def button(job: JobView) -> str:
    """The button that opens the dialog, with the initial values of its fields."""
    data = attributes(
        {
            "open": "extend", "id": job.id, "key": job.key, "prompt": _sentence(job),
            "pace": "fast" if wording.is_fast(job) else "quality",
        }
    )  # fmt: skip
    return (
        f'<button type="button" class="btn" aria-haspopup="dialog" {data}>{icon("extend")}'
        f"<span>{escaped('extend.button')}</span></button>"
    )


def _sentence(job: JobView) -> str:
    """The prompt of the clip; of a joined video that of its last part."""
    return job.parts[-1].prompt if job.parts else str(job.params.get("prompt") or "")


def dialogs() -> dict[str, str]:
    """Name of a dialog -> the HTML of its body, for the script."""
    return {"extend": _extend(), "reroll": _reroll()}


def _extend() -> str:
    speeds = [
        (choice.value, mode_texts.choice_label("image_to_video", "speed", choice.value))
        for choice in MODES["image_to_video"].field("speed").choices
    ]
    methods = [(name, text(f"extend.method.{name}.label")) for name in METHODS]
    notes = "".join(
        f'<p class="note" data-method="{name}">{escaped(f"extend.method.{name}.note")}</p>'
        for name in METHODS
    )
    lengths = [(f"{one:g}", text("format.seconds", seconds=f"{one:g}")) for one in LENGTHS]
    return (
        f"{_frames()}{_text('extend.prompt')}"
        f'<div class="extend-row">{_choice("seconds", text("extend.seconds"), lengths, f"{SECONDS:g}")}'
        f"{_choice('speed', text('extend.speed'), speeds, 'fast')}</div>"
        '<p class="extend-sum" role="status"><strong data-x="length"></strong><span data-x="time"></span></p>'
        f"{_end_picture()}"
        f'<details class="extend-method"><summary>{escaped("extend.method.title")}<span data-x="method">'
        f"</span>{icon('chevron')}</summary>{_choice('method', '', methods, 'auto')}{notes}</details>"
        '<div class="extend-plan" role="status" aria-live="polite"><p><span data-x="route"></span>'
        '<span data-x="reason"></span></p><p><span data-x="notes"></span></p></div>'
    )


def _frames() -> str:
    """The clip with a bar of single frames; `data-player` connects it to the page's player script."""
    return (
        f'<div class="dialog-field" data-field="frame"><span class="label" id="extend-frame-label">'
        f"{escaped('extend.frame')}</span>"
        '<div class="extend-clip" role="group" aria-labelledby="extend-frame-label" data-player data-paused>'
        '<video muted playsinline preload="auto" tabindex="-1"></video>'
        f'<div class="frames"><button type="button" data-p="back" aria-label="{escaped("player.back")}">'
        f"{icon('frame_back', 20)}</button>"
        f'<input type="range" min="0" max="0" step="1" value="0" aria-label="{escaped("player.position")}">'
        f'<button type="button" data-p="next" aria-label="{escaped("player.next")}">'
        f'{icon("frame_next", 20)}</button><span class="now" hidden></span></div>'
        '<p class="under"><span class="count"></span>'
        f'<button type="button" class="link" data-x="last">{escaped("extend.last")}</button>'
        f'<button type="button" class="link" data-x="shown">{escaped("extend.shown")}</button></p>'
        "</div></div>"
    )


def _text(key: str) -> str:
    name = f"{key.replace('.', '-')}-field"
    return (
        f'<div class="dialog-field" data-field="prompt"><label for="{name}">{escaped(key)}</label>'
        f'<textarea id="{name}" name="prompt" rows="3" dir="auto" maxlength="{PROMPT_MAX}"></textarea></div>'
    )


def _choice(name: str, label: str, choices: list[tuple[str, str]], chosen: str) -> str:
    options = "".join(
        f'<label><input type="radio" name="extend-{name}" value="{escape(value)}"'
        f"{' checked' if value == chosen else ''}>{escape(words)}</label>"
        for value, words in choices
    )
    legend = escape(label) or escaped("extend.method.title")
    hidden = "" if label else ' class="sr"'
    return (
        f'<fieldset class="dialog-field" data-field="{name}"><legend{hidden}>{legend}</legend>'
        f'<div class="dialog-choice">{options}</div></fieldset>'
    )


def _end_picture() -> str:
    return (
        '<div class="dialog-field" data-field="end_image"><span class="label" id="extend-end-label">'
        f'{escaped("extend.end")}</span><div class="extend-end"><label class="btn">{icon("picture")}'
        f'<span data-x="end-words">{escaped("extend.choose")}</span>'
        '<input type="file" accept="image/*,.heic,.heif" class="sr"'
        ' aria-labelledby="extend-end-label"></label>'
        '<img alt="" hidden data-x="end-picture"><span data-x="end-name"></span>'
        f'<button type="button" class="btn quiet" data-x="end-remove" hidden>{icon("close")}'
        f"<span>{escaped('extend.remove')}</span></button></div>"
        '<p class="note" role="status" data-x="end-said"></p>'
        f'<p class="note">{escaped("extend.end_note")}</p></div>'
    )


def _reroll() -> str:
    return (
        f'<p class="note">{escaped("extend.reroll_note")}</p>{_text("extend.reroll_prompt")}'
        '<div class="extend-plan" role="status" aria-live="polite"><p><span data-x="notes"></span></p></div>'
    )
