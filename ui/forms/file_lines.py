"""The lines and previews of a form's files: facts, the part that is used, problems and advice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.media.facts import PictureFacts, VideoFacts
from backend.notices import words
from ui.forms.page_files import Measured
from ui.forms.widgets import Form
from ui.i18n import mode_texts
from ui.views import media_preview, media_text, wording
from ui.views.form_messages import file_advice, picture_line
from ui.views.media_preview import Trim
from workflows.modes.registry import MODES
from workflows.notice import notice as notice_of

if TYPE_CHECKING:
    from backend.jobs.views import Plan
    from workflows.notice import Notice


@dataclass(frozen=True)
class Inputs:
    """A planned form and its files. `problems`: parameter -> message beside its field;
    `advice`: what to know about the pictures."""

    form: Form
    given: Mapping[str, Any]
    measured: Mapping[str, Measured]
    problems: Mapping[str, str]
    plan: Plan
    trim: Trim | None
    offers: Mapping[str, str]  # parameter -> buttons for a file that its field does not take
    advice: Sequence[Notice]
    reduced: frozenset[str]  # pictures whose original is no longer kept


def line(inputs: Inputs, name: str) -> str:
    """The line below a drop zone: the file's facts, and the problem with it."""
    form = inputs.form
    problem = picture_line([], said, form.named(name)) if (said := inputs.problems.get(name)) else ""
    if name not in inputs.measured:
        return problem + inputs.offers.get(name, "")
    facts, plan, mode = inputs.measured[name].facts, inputs.plan, form.mode
    parts = [short(Path(inputs.given[name]).name)]
    if isinstance(facts, PictureFacts) and name != "image":
        parts.insert(0, mode_texts.label(mode, name))
    if isinstance(facts, PictureFacts):
        parts += [wording.size(facts.width, facts.height), facts.note]
        if name == "image":
            parts.append(plan.crop.text if plan.crop else "")
    else:
        parts += media_text.video_facts(facts) if isinstance(facts, VideoFacts) else [facts.note]
        if inputs.trim is not None and _trimmed(mode) == name:
            start, end = inputs.trim.part(facts.seconds)
            parts += media_text.part_facts(end - start, facts.seconds, plan)
    advice = "".join(file_advice(words(one)) for one in inputs.advice if one.arg("field") == name)
    return picture_line(parts) + _reduced(inputs, name) + problem + advice


def _reduced(inputs: Inputs, name: str) -> str:
    """Says that the original of a reused picture is no longer kept; "" while it is."""
    facts = inputs.measured[name].facts
    if name not in inputs.reduced or not isinstance(facts, PictureFacts):
        return ""
    return file_advice(words(notice_of("original_gone", width=facts.width, height=facts.height)))


def preview(inputs: Inputs, name: str) -> str:
    """The preview of a sound or video, or its empty drop zone."""
    form, path = inputs.form, inputs.given.get(name)
    kind = form.spec.media[name].kind
    if path is None:
        return media_preview.empty(*form.empty_texts[name], kind)
    if name not in inputs.measured:
        return media_preview.chosen(form.mode, name, kind, str(path))
    measured = inputs.measured[name]
    seconds = 0.0 if isinstance(measured.facts, PictureFacts) else measured.facts.seconds
    part = inputs.trim if _trimmed(form.mode) == name else None
    return media_preview.chosen(form.mode, name, kind, str(path), seconds, measured.peaks, part)


def _trimmed(mode: str) -> str:
    """The file that a mode uses a part of; "" where there is none."""
    trim = MODES[mode].trim
    return "" if trim is None else trim.media


def chosen_part(mode: str, values: Mapping[str, Any]) -> Trim | None:
    """The part that the number fields choose."""
    trim = MODES[mode].trim
    if trim is None:
        return None
    return Trim(trim.start, trim.length, _seconds(values[trim.start]), _seconds(values[trim.length]))


def _seconds(value: Any) -> float:
    """The value of a number field in seconds, at least 0; anything but a finite number counts as 0."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return max(0.0, float(value)) if is_number else 0.0


def short(name: str, longest: int = 28) -> str:
    """A file name of at most `longest` characters; the middle is cut, so that the suffix stays."""
    return name if len(name) <= longest else f"{name[: longest - 9]}…{name[-8:]}"
