"""The prompt and the settings of a result, as HTML and as texts to copy. What a user wrote is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, text
from ui.views import seams, wording
from ui.views.buttons import copy_button
from ui.views.icons import icon
from workflows.modes.registry import MODES, media_fields
from workflows.params.field import SECONDS, Field
from workflows.params.loras import check_loras
from workflows.params.values import InvalidParam
from workflows.stages.distill import AUTO

if TYPE_CHECKING:
    from backend.jobs.views import JobView

PROMPT = "prompt"


def prompt_of(job: JobView) -> str:
    """The whole prompt."""
    return str(job.params.get(PROMPT) or "").strip()


def differing(job: JobView) -> list[tuple[str, str]]:
    """(name, value) of each setting that is not what the form starts with, and the seed that was drawn; for a
    choice left at `auto`, the value that was used; and the measured seam of a loop."""
    if job.mode not in MODES:
        return []
    found = []
    several = wording.varied(job)
    for field in MODES[job.mode].fields:
        if field.name in several or (field.name == "seed" and wording.is_set(job) and not several):
            seeds = [child.seed for child in job.children]
            values = [shown_value(job.mode, field, one) for one in several.get(field.name, seeds)]
            found.append((mode_texts.label(job.mode, field.name), wording.listed(values)))
            continue
        value = job.seed if field.name == "seed" else job.params.get(field.name, field.default)
        used = job.resolved.get(field.name, value) if value == AUTO else value
        unchanged = used == value == field.start or (field.kind == "loras" and not value)
        if field.name == PROMPT or unchanged:
            continue
        found.append((mode_texts.label(job.mode, field.name), shown_value(job.mode, field, used)))
    if job.seam is not None:
        found.append((text("seams.loop"), seams.loop_words(job.seam)))
    return found


def shown_value(mode: str, field: Field, value: Any) -> str:
    """A value as the page shows it."""
    if isinstance(value, bool):
        return text("result.switched_on") if value else text("result.switched_off")
    if field.kind == "loras":
        return _loras(value)
    if field.kind == "choice":
        return mode_texts.choice_label(mode, field.name, value)
    if value is None or value == "":
        return text("result.none")
    if field.unit == SECONDS and isinstance(value, (int, float)):
        return text("format.seconds", seconds=wording.number(value, 2))
    return wording.number(value, 3) if isinstance(value, float) else str(value)


def _loras(value: Any) -> str:
    """Names and strengths of LoRAs; of both experts where they differ."""
    try:
        found = check_loras("loras", "", value)
    except InvalidParam:
        return text("result.none")
    return wording.listed(
        text("result.lora_pair", name=one.name, high=f"{one.strength:g}", low=f"{one.strength_low:g}")
        if one.strength != one.strength_low
        else text("result.lora", name=one.name, strength=f"{one.strength:g}")
        for one in found
    )


def settings_text(job: JobView) -> str:
    """What "Copy settings" puts on the clipboard."""
    lines = [text("result.line", name=mode_texts.title(job.mode), value=wording.listed(wording.recipe(job)))]
    if prompt_of(job):
        lines.append(text("result.line", name=text("result.prompt"), value=prompt_of(job)))
    lines += [text("result.line", name=name, value=value) for name, value in differing(job)]
    return "\n".join(lines)


def read_once(job: JobView) -> str:
    """Says that text and files were read once for all variations; "" where the engine read them again."""
    if not wording.is_set(job) or not job.read_once:
        return ""
    count = sum(child.status == "done" for child in job.children)
    kinds = {field.kind for field in media_fields(job.mode).values() if not field.inner}
    if not kinds:
        return text("variations.read_once.text", count=count)
    if kinds == {"picture"}:
        return text("variations.read_once.picture", count=count)
    return text("variations.read_once.files", count=count)


def details(job: JobView) -> str:
    """A row with the start of the prompt; opened, the whole prompt and the settings."""
    prompt = prompt_of(job)
    rows = "".join(
        f'<dt>{escape(name)}</dt><dd dir="auto">{escape(value)}</dd>' for name, value in differing(job)
    )
    whole = f'<p class="prompt" dir="auto">{escape(prompt)}</p>' if prompt else ""
    copy_prompt = copy_button(text("result.copy_prompt"), prompt) if prompt else ""
    copies = copy_prompt + copy_button(text("result.copy_settings"), settings_text(job))
    start = " ".join(prompt.split())[:200] or wording.listed(
        text("result.line", name=name, value=value) for name, value in differing(job)
    )
    once = read_once(job)
    whole += f'<p class="note once">{escape(once)}</p>' if once else ""
    return (
        f'<details class="about" data-about="{escape(job.id)}"><summary>'
        f'<strong>{escaped("result.heading")}</strong><span dir="auto">{escape(start)}</span>'
        f"{icon('chevron')}</summary>{whole}<dl>{rows}</dl>"
        f'<div class="steps">{copies}</div></details>'
    )
