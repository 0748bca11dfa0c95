"""Plans the job that a form describes, and submits it: what would be made, what prevents it, what to show."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from backend.engines.kinds import kind_of
from backend.errors import StudioError
from backend.notices import brief, words
from ui.forms import file_lines, obstacles, offers, schema, variations
from ui.forms.form_view import FormView
from ui.forms.page_files import Measured, PageFiles
from ui.forms.variations import Wanted
from ui.forms.widgets import Form
from ui.gradio_fixes.event_errors import sentence
from ui.i18n import mode_texts
from ui.i18n.texts import text
from ui.views import engine_badge, media_text, missing_models, wording
from ui.views.form_messages import (
    Hint,
    advanced_row,
    hint_line,
    notes_html,
)
from workflows.modes.registry import MODES
from workflows.notice import ROUTE_CODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView, Plan
    from backend.models.state import ModelState
    from backend.studio import Studio

log = logging.getLogger("wan.ui")

MODELS_SECONDS = 2.0
"""How long the scanned states of the model files are reused: a page load plans every form at once."""

PICTURE_ADVICE = ("picture_enlarged", "picture_strip")
"""Warnings that are shown at the picture that they are about."""
FIELD_ADVICE = {"above_driving_rate": "fps"}
"""Warning -> the field that it is also shown at."""


@dataclass(frozen=True)
class Submission:
    """The outcome of Generate: the queued job, or None after a refusal, and what the form shows then."""

    job: JobView | None
    view: FormView


@dataclass(frozen=True)
class _Verdict:
    """What a form's values would make, and what prevents it. `wrong`, `needed`: parameter -> sentence, for a
    value that cannot be used and for what has not been given; `absent`: sentences about optional files that
    the chosen settings require; `lacking`: the missing model files, of all `states`."""

    plan: Plan
    wrong: Mapping[str, str]
    needed: Mapping[str, str]
    absent: Sequence[str]
    lacking: Sequence[ModelState]
    states: Sequence[ModelState]
    reason: obstacles.Reason


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
        verdict = self._verdict(form, given, values, measured, broken, owner, user)
        plan, reason, shown = verdict.plan, verdict.reason, {**verdict.wrong, **problems}
        here = [one for one in plan.warnings if one.arg("field") in measured and one.code in PICTURE_ADVICE]
        routes = [words(one) for one in plan.warnings if one.code in ROUTE_CODES]
        elsewhere = [one for one in plan.warnings if one not in here and one.code not in ROUTE_CODES]
        warnings = [words(warning) for warning in elsewhere]
        if route := media_text.route(plan.route):
            routes.insert(0, route)
        hint = replace(
            self._hint(form, measured, verdict),
            reason=notice or reason.words,
            missing=not notice and reason.missing,
            wrong=shown,
            advice={FIELD_ADVICE[one.code]: words(one) for one in elsewhere if one.code in FIELD_ADVICE},
            scroll=bool(problems),
            turn=turn,
        )
        if form.notes is None:
            hint = replace(hint, asides=warnings)
        elif elsewhere and not verdict.absent:
            hint = replace(hint, short_warning=brief(elsewhere[0]))
        reduced = frozenset(name for name in measured if self.files.is_reduced(Path(given[name])))
        part = file_lines.chosen_part(mode, values)
        inputs = file_lines.Inputs(form, given, measured, shown, plan, part, offered, here, reduced)
        return FormView(
            lines={name: file_lines.line(inputs, name) for name in form.lines},
            views={name: file_lines.preview(inputs, name) for name in form.views},
            advanced=advanced_row(mode, schema.summary(mode, variations.as_made(mode, given, values))),
            hint=hint_line(mode, hint),
            ready=hint.ready,
            needs=missing_models.panel(mode, verdict.lacking, verdict.states),
            notes=notes_html([*verdict.absent, *warnings], routes),
        )

    def _verdict(
        self,
        form: Form,
        given: Mapping[str, Any],
        values: Mapping[str, Any],
        measured: Mapping[str, Measured],
        broken: Mapping[str, str],
        owner: str,
        user: str,
    ) -> _Verdict:
        """Plans the job and collects what prevents it. broken: see _measure."""
        mode = form.mode
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
        ]
        states = self._model_states()
        lacking = missing_models.lacking(mode, values, states)
        if not plan.problems and plan.obstacle is None and any(one.models for one in self.studio.engines()):
            lacking = []  # a server has what the job needs, whatever the disk here says
        reason = obstacles.reason(form, plan, wrong, needed, absent, lacking)
        return _Verdict(plan, wrong, needed, absent, lacking, states, reason)

    def _hint(self, form: Form, measured: Mapping[str, Measured], verdict: _Verdict) -> Hint:
        """The hint about the result, its time and the empty fields; the rest has its defaults."""
        plan = verdict.plan
        frame = ""
        if plan.width:
            frame = wording.size(plan.width, plan.height)
            if form.spec.trim is None or form.spec.trim.media in measured:
                seconds = wording.made_seconds(form.mode, plan.frames, plan.fps)
                frame = wording.frame(plan.width, plan.height, seconds, plan.fps)
        makes = frame
        if verdict.needed.keys() & form.lines.keys():
            makes = ""
        elif plan.count > 1:
            makes = text(f"variations.makes.{form.spec.makes}", count=plan.count, frame=frame)
        return Hint(
            makes=makes,
            passing=verdict.reason.passing,
            estimate=self._estimate(plan),
            each=plan.estimate.short if plan.estimate else "",
            count=plan.count,
            frame=frame,
            needed=verdict.needed,
            blanks=_blanks(form, plan),
            ready=not verdict.reason.words,
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
    """Parameter -> what its empty number shows: the value that the default means with the present
    settings."""
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


def _required(mode: str, name: str) -> bool:
    """Whether a parameter is a required file; true for one that is not a file."""
    field = MODES[mode].media.get(name)
    return field is None or field.required
