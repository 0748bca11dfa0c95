"""Plans the job that a form describes, and submits it: what would be made, what prevents it, what to show."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from backend.engines.kinds import kind_of
from backend.errors import StudioError
from backend.media.facts import PictureFacts, VideoFacts
from backend.notices import brief, words
from ui.forms import obstacles, offers, schema, variations
from ui.forms.form_view import FormView
from ui.forms.page_files import Measured, PageFiles
from ui.forms.variations import Wanted
from ui.forms.widgets import Form
from ui.gradio_fixes.event_errors import sentence
from ui.i18n import mode_texts
from ui.i18n.texts import text
from ui.views import engine_badge, media_preview, media_text, missing_models, wording
from ui.views.form_messages import (
    Hint,
    advanced_row,
    file_advice,
    hint_line,
    notes_html,
    picture_line,
)
from ui.views.media_preview import Trim
from workflows.modes.registry import MODES
from workflows.notice import ROUTE_CODES
from workflows.notice import notice as notice_of

if TYPE_CHECKING:
    from backend.jobs.views import JobView, Plan
    from backend.models.state import ModelState
    from backend.studio import Studio
    from workflows.notice import Notice

log = logging.getLogger("wan.ui")

MODELS_SECONDS = 2.0
"""How long the scanned states of the model files are reused: a page load plans every form at once."""

PICTURE_ADVICE = ("picture_enlarged", "picture_strip")
"""Warnings that are shown at the picture that they are about."""


@dataclass(frozen=True)
class Submission:
    """The outcome of Generate: the queued job, or None after a refusal, and what the form shows then."""

    job: JobView | None
    view: FormView


@dataclass(frozen=True)
class _Inputs:
    """A form's state while it is planned. `problems`: parameter -> message beside its field;
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


class Planner:
    """Plans and submits what a form holds. Thread-safe."""

    def __init__(self, studio: Studio, default_negative: str, files: PageFiles | None = None) -> None:
        self.studio, self.default_negative = studio, default_negative
        self.files = files or PageFiles(studio)
        self._models: tuple[float, Any, list[ModelState]] = (0.0, None, [])
        self._models_lock = Lock()

    def view(
        self,
        form: Form,
        given: Mapping[str, Any],
        owner: str = "",
        user: str = "",
        problems: Mapping[str, str] = {},
        notice: str = "",
        turn: str = "",
    ) -> FormView:
        """What the form shows. given: parameter -> value of its widget; user: whom the login let
        in; turn: see Hint.

        problems, notice: the refusal of a submission; they replace the plan's own messages.
        """
        mode = form.mode
        measured, broken = self._measure(form, given)
        offered = {name: self._offers(mode, name, Path(given[name])) for name in broken}
        values = schema.to_values(mode, given, self.default_negative)
        wanted = variations.read(mode, given.get(variations.NAME))
        fault, missing = variations.problem(mode, values, wanted)
        possible = replace(wanted, name="") if fault else wanted
        plan, needed = self._plan(form, values, measured, owner, user, possible)
        wrong = {**broken}
        if fault:
            (needed if missing else wrong)[variations.NAME] = fault
        for name, problem in plan.problems.items():
            if name not in form.lines or given.get(name) is not None:
                wrong.setdefault(name, problem)
        needed = {**obstacles.missing_files(form, given), **needed}
        absent = [
            problem
            for name, problem in plan.problems.items()
            if given.get(name) is None and not _required(mode, name)
        ]  # optional files that the chosen settings require
        states = self._model_states()
        lacking = missing_models.lacking(mode, values, states)
        if not plan.problems and plan.obstacle is None and any(one.models for one in self.studio.engines()):
            lacking = []  # a server has what the job needs, whatever the disk here says
        reason = obstacles.reason(form, plan, wrong, needed, absent, lacking)
        shown = {**wrong, **problems}
        frame = ""
        if plan.width:
            frame = wording.size(plan.width, plan.height)
            if form.spec.trim is None or form.spec.trim.media in measured:
                seconds = wording.made_seconds(mode, plan.frames, plan.fps)
                frame = wording.frame(plan.width, plan.height, seconds, plan.fps)
        makes = text(f"variations.makes.{form.spec.makes}", count=plan.count, frame=frame)
        here = [one for one in plan.warnings if one.arg("field") in measured and one.code in PICTURE_ADVICE]
        routes = [words(one) for one in plan.warnings if one.code in ROUTE_CODES]
        elsewhere = [one for one in plan.warnings if one not in here and one.code not in ROUTE_CODES]
        warnings = [words(warning) for warning in elsewhere]
        separate = form.notes is not None
        route = media_text.route(plan.route)
        hint = hint_line(
            mode,
            Hint(
                makes="" if needed.keys() & form.lines.keys() else makes if plan.count > 1 else frame,
                reason=notice or reason.words,
                missing=not notice and reason.missing,
                passing=reason.passing,
                estimate=self._estimate(plan),
                each=plan.estimate.short if plan.estimate else "",
                count=plan.count,
                frame=frame,
                wrong=shown,
                needed=needed,
                blanks=_blanks(form, plan),
                scroll=bool(problems),
                asides=() if separate else warnings,
                short_warning=brief(elsewhere[0]) if separate and elsewhere and not absent else "",
                turn=turn,
                ready=not reason.words,
            ),
        )
        reduced = frozenset(name for name in measured if self.files.is_reduced(Path(given[name])))
        inputs = _Inputs(form, given, measured, shown, plan, _trim(mode, values), offered, here, reduced)
        return FormView(
            lines={name: _line(inputs, name) for name in form.lines},
            views={name: _preview(inputs, name) for name in form.views},
            advanced=advanced_row(mode, schema.summary(mode, given)),
            hint=hint,
            ready=not reason.words,
            needs=missing_models.panel(mode, lacking, states),
            notes=notes_html([*absent, *warnings], [*([route] if route else []), *routes]),
        )

    def _plan(
        self, form: Form, values: Mapping[str, Any], measured: Mapping[str, Measured], owner: str, user: str,
        wanted: Wanted,
    ) -> tuple[Plan, dict[str, str]]:  # fmt: skip
        """The plan, and parameter -> sentence for a text that is required and not written yet: without it the
        rest is planned all the same. wanted: variations without a problem of their own."""
        facts = {name: one.facts for name, one in measured.items()}
        given, several = _several(form.mode, values, wanted)
        plan = self.studio.plan(form.mode, given, facts, owner, user, **several)
        unwritten = {
            name: problem
            for name, problem in plan.problems.items()
            if isinstance(value := values.get(name), str) and not value.strip()
        }
        if unwritten:
            given = {**given, **dict.fromkeys(unwritten, "...")}
            plan = self.studio.plan(form.mode, given, facts, owner, user, **several)
        if wanted.count > 1:
            named = {variations.field_of(name, wanted): said for name, said in plan.problems.items()}
            plan = replace(plan, problems=named)
        return plan, unwritten

    def submit(self, owner: str, form: Form, given: Mapping[str, Any], user: str = "") -> Submission:
        """Queues the job. A refusal is shown beside the field that it is about, else under Generate. user:
        whom the login let in."""
        job: JobView | None = None
        problems, notice = dict([*obstacles.missing_files(form, given).items()][:1]), ""
        values = schema.to_values(form.mode, given, self.default_negative)
        wanted = variations.read(form.mode, given.get(variations.NAME))
        if not problems and (fault := variations.problem(form.mode, values, wanted)[0]):
            problems = {variations.NAME: fault}
        if not problems:
            files = {name: Path(given[name]) for name in form.lines if given.get(name) is not None}
            values, several = _several(form.mode, values, wanted)
            try:
                job = self.studio.submit(owner, form.mode, values, files, user=user, **several)
            except StudioError as error:
                field = variations.field_of(error.field, wanted)
                if field in form.widgets:
                    problems = {field: sentence(error)}
                else:
                    notice = sentence(error)
            except Exception:
                log.exception("Generate failed")
                notice = text("errors.unexpected")
        return Submission(job, self.view(form, given, owner, user, problems, notice))

    def _estimate(self, plan: Plan) -> str:
        """The estimate, or why there is none yet."""
        if plan.estimate is not None:
            said = plan.estimate.text
            if plan.count > 1 and not plan.estimate.is_first:
                return text("variations.estimate", estimate=said, count=plan.count)
            return said
        starting = engine_badge.engine_note(self.studio.engines())
        return starting or (text(f"form_messages.follows.{plan.follows}") if plan.follows else "")

    def _measure(self, form: Form, given: Mapping[str, Any]) -> tuple[dict[str, Measured], dict[str, str]]:
        """The form's files, measured, and parameter -> what is wrong with an unusable one."""
        measured: dict[str, Measured] = {}
        broken: dict[str, str] = {}
        for name in form.lines:
            if (path := given.get(name)) is not None:
                try:
                    measured[name] = self.files.measure(form.mode, name, Path(path))
                except StudioError as error:
                    broken[name] = sentence(error)
        return measured, broken

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


def _several(mode: str, values: Mapping[str, Any], wanted: Wanted) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the values, further arguments of the studio) of what is wanted."""
    given, count, vary = variations.submitted(mode, values, wanted)
    return given, {"variations": count, "vary": vary} if count > 1 else {}


def _blanks(form: Form, plan: Plan) -> dict[str, str]:
    """Parameter -> what its empty number shows: what the default stands for with the present settings."""
    own = {**plan.own, "width": plan.width, "height": plan.height}
    shown: dict[str, str] = {}
    if plan.problems:
        return shown  # the page keeps what it shows
    for spec in form.spec.fields:
        if spec.blank:
            blank = mode_texts.blank(form.mode, spec.name)
            value = own.get(spec.name)
            shown[spec.name] = text("advanced.blank", blank=blank, value=f"{value:g}") if value else blank
    return shown


def _line(inputs: _Inputs, name: str) -> str:
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


def _reduced(inputs: _Inputs, name: str) -> str:
    """Says that the original of a reused picture is no longer kept; "" while it is."""
    facts = inputs.measured[name].facts
    if name not in inputs.reduced or not isinstance(facts, PictureFacts):
        return ""
    return file_advice(words(notice_of("original_gone", width=facts.width, height=facts.height)))


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
