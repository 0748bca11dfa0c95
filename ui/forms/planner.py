"""Plans the job that a form describes, and submits it: what would be made, what prevents it, what to show."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from backend.engines.kinds import kind_of
from backend.errors import StudioError
from backend.media.facts import PictureFacts, VideoFacts
from backend.notices import brief, words
from ui.forms import offers, schema
from ui.forms.form_view import FormView
from ui.forms.page_files import Measured, PageFiles
from ui.forms.widgets import Form
from ui.gradio_fixes.event_errors import sentence
from ui.i18n.texts import text
from ui.views import engine_badge, media_preview, media_text, missing_models, wording
from ui.views.form_messages import advanced_row, beware_line, hint_line, notes_html, picture_line
from ui.views.media_preview import Trim
from workflows.modes.registry import MODES
from workflows.notice import notice as notice_of

if TYPE_CHECKING:
    from backend.jobs.views import JobView, Plan
    from backend.models.state import ModelState
    from backend.studio import Studio

log = logging.getLogger("wan.ui")

MODELS_SECONDS = 2.0
"""How long the scanned states of the model files are reused: a page load plans every form at once."""


@dataclass(frozen=True)
class Submission:
    """The outcome of Generate: the queued job, or None after a refusal, and what the form shows then."""

    job: JobView | None
    view: FormView


@dataclass(frozen=True)
class _Inputs:
    """A form's state while it is planned. `problems`: parameter -> message beside its field."""

    form: Form
    given: Mapping[str, Any]
    measured: Mapping[str, Measured]
    problems: Mapping[str, str]
    plan: Plan
    trim: Trim | None
    offers: Mapping[str, str]  # parameter -> buttons for a file that its field does not take
    reduced: frozenset[str]  # pictures whose original is no longer kept


class Planner:
    """Plans and submits what a form holds. Thread-safe."""

    def __init__(self, studio: Studio, default_negative: str, files: PageFiles | None = None) -> None:
        self.studio, self.default_negative = studio, default_negative
        self.files = files or PageFiles(studio)
        self._models: tuple[float, Any, list[ModelState]] = (0.0, None, [])
        self._models_lock = Lock()

    def view(
        self, form: Form, given: Mapping[str, Any], problems: Mapping[str, str] = {}, notice: str = ""
    ) -> FormView:
        """What the form shows. given: parameter -> value of its widget.

        problems, notice: the refusal of a submission; they replace the plan's own messages.
        """
        mode = form.mode
        measured, said = self._measure(form, given, dict(problems))
        offered = {
            name: self._offers(mode, name, Path(given[name]))
            for name in said
            if name in form.lines and given.get(name) is not None and name not in measured
        }
        values = schema.to_values(mode, given, self.default_negative)
        # An empty prompt is an error only once the form is submitted.
        unwritten = not form.spec.media and values["prompt"] == ""
        asked = {**values, "prompt": "..."} if unwritten else values
        plan = self.studio.plan(mode, asked, {name: one.facts for name, one in measured.items()})
        for name, problem in plan.problems.items():
            if name not in form.lines or given.get(name) is not None:
                said.setdefault(name, problem)
        absent = [
            problem
            for name, problem in plan.problems.items()
            if given.get(name) is None and not _required(mode, name)
        ]  # optional files that the chosen settings require
        missing = missing_models.lacking(mode, values, self._model_states())
        blocked = _obstacle(form, plan, absent, missing) if not problems else ""
        frame = ""
        if plan.width:
            seconds = wording.made_seconds(mode, plan.frames, plan.fps)
            frame = wording.frame(plan.width, plan.height, seconds, plan.fps)
        warnings = [words(warning) for warning in plan.warnings]
        separate = form.notes is not None
        route = media_text.route(plan.route)
        hint = hint_line(
            mode,
            self._estimate(plan),
            plan.estimate.short if plan.estimate else "",
            notice or blocked,
            frame,
            json.dumps({name: problem for name, problem in said.items() if name not in form.lines}),
            scroll=bool(problems),
            asides=() if separate else warnings,
            short_warning=brief(plan.warnings[0]) if separate and plan.warnings and not absent else "",
        )
        reduced = frozenset(name for name in measured if self.files.is_reduced(Path(given[name])))
        inputs = _Inputs(form, given, measured, said, plan, _trim(mode, values), offered, reduced)
        return FormView(
            lines={name: _line(inputs, name) for name in form.lines},
            views={name: _preview(inputs, name) for name in form.views},
            advanced=advanced_row(mode, schema.summary(mode, given)),
            hint=hint,
            ready=not blocked,
            needs=missing_models.panel(mode, missing),
            notes=notes_html([*absent, *warnings], [route] if route else []),
        )

    def submit(self, owner: str, form: Form, given: Mapping[str, Any], user: str = "") -> Submission:
        """Queues the job. A refusal is shown beside the field that it is about, else under Generate. user:
        whom the login let in."""
        job: JobView | None = None
        problems, notice = _missing_file(form, given), ""
        if not problems:
            files = {name: Path(given[name]) for name in form.lines if given.get(name) is not None}
            values = schema.to_values(form.mode, given, self.default_negative)
            try:
                job = self.studio.submit(owner, form.mode, values, files, user=user)
            except StudioError as error:
                if error.field in form.widgets:
                    problems = {error.field: sentence(error)}
                else:
                    notice = sentence(error)
            except Exception:
                log.exception("Generate failed")
                notice = text("errors.unexpected")
        return Submission(job, self.view(form, given, problems, notice))

    def _estimate(self, plan: Plan) -> str:
        """The estimate, or why there is none yet."""
        if plan.estimate is not None:
            return plan.estimate.text
        starting = engine_badge.engine_note(self.studio.engines())
        return starting or (text(f"form_messages.follows.{plan.follows}") if plan.follows else "")

    def _measure(
        self, form: Form, given: Mapping[str, Any], problems: dict[str, str]
    ) -> tuple[dict[str, Measured], dict[str, str]]:
        """The form's files, measured; `problems` with those of unusable files added."""
        measured: dict[str, Measured] = {}
        for name in form.lines:
            if (path := given.get(name)) is not None:
                try:
                    measured[name] = self.files.measure(form.mode, name, Path(path))
                except StudioError as error:
                    problems.setdefault(name, sentence(error))
        return measured, problems

    def _offers(self, mode: str, name: str, path: Path) -> str:
        """Buttons for what else can be done with a file that the field does not take."""
        return offers.buttons(offers.offers(mode, name, self.studio.file_kind(path)), mode, name, str(path))

    def _model_states(self) -> list[ModelState]:
        """The model files' states, none for a demo engine; scanned again when an engine's list changes."""
        engines = self.studio.engines()
        if engines and all(kind_of(engine).simulated for engine in engines):
            return []
        now, listed = time.monotonic(), [engine.models for engine in engines]
        with self._models_lock:
            read, before, states = self._models
            if now - read > MODELS_SECONDS or before != listed:
                states = self.studio.models()
                self._models = (now, listed, states)
        return states


def _obstacle(form: Form, plan: Plan, absent: Sequence[str], missing: Sequence[ModelState]) -> str:
    """Why Generate is disabled; "" while it is not. absent: problems of files that are not given."""
    obstacle = plan.obstacle if absent or not plan.problems else None
    if obstacle is None:
        return ""
    lacked = obstacle.arg("files")
    if isinstance(lacked, tuple) and any(file.name in lacked for file in missing):
        headline = missing_models.headline(form.mode, missing)  # the panel of missing files names them
        return text("forms.missing_files", headline=headline)
    return brief(obstacle) if absent and form.notes is not None else words(obstacle)


def _missing_file(form: Form, given: Mapping[str, Any]) -> dict[str, str]:
    """The first required file that is not given -> the message for it."""
    for name, field in form.spec.media.items():
        if field.required and given.get(name) is None:
            return {name: text(f"forms.choose.{field.kind}")}
    return {}


def _line(inputs: _Inputs, name: str) -> str:
    """The line below a drop zone: the file's facts, and the problem with it."""
    problem = picture_line([], inputs.problems[name]) if inputs.problems.get(name) else ""
    if name not in inputs.measured:
        return problem + inputs.offers.get(name, "")
    facts, plan, mode = inputs.measured[name].facts, inputs.plan, inputs.form.mode
    parts = [short(Path(inputs.given[name]).name)]
    if isinstance(facts, PictureFacts):
        parts += [wording.size(facts.width, facts.height), facts.note]
        if name == "image":
            parts.append(plan.crop.text if plan.crop else "")
    else:
        parts += media_text.video_facts(facts) if isinstance(facts, VideoFacts) else [facts.note]
        if inputs.trim is not None and _trimmed(mode) == name:
            start, end = inputs.trim.part(facts.seconds)
            parts += media_text.part_facts(mode, end - start, facts.seconds, plan)
    return picture_line(parts) + _reduced(inputs, name) + problem


def _reduced(inputs: _Inputs, name: str) -> str:
    """Says that the original of a reused picture is no longer kept; "" while it is."""
    facts = inputs.measured[name].facts
    if name not in inputs.reduced or not isinstance(facts, PictureFacts):
        return ""
    return beware_line(words(notice_of("original_gone", width=facts.width, height=facts.height)))


def _preview(inputs: _Inputs, name: str) -> str:
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


def _required(mode: str, name: str) -> bool:
    """Whether a parameter is a required file; true for one that is not a file."""
    field = MODES[mode].media.get(name)
    return field is None or field.required


def _trimmed(mode: str) -> str:
    """The file that a mode uses a part of; "" where there is none."""
    trim = MODES[mode].trim
    return "" if trim is None else trim.media


def _trim(mode: str, values: Mapping[str, Any]) -> Trim | None:
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
