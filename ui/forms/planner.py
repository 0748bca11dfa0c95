"""Before Generate and on Generate: what would be made, what stands in the way, and the job itself."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.engines.kinds import kind_of
from backend.errors import StudioError
from backend.media.facts import PictureFacts, SoundFacts, VideoFacts
from backend.notices import brief, words
from ui.forms import schema
from ui.forms.uploads import cached_copy
from ui.forms.widgets import Form
from ui.gradio_fixes.event_errors import UNEXPECTED
from ui.views import engine_badge, media_preview, media_text, missing_models, wording
from ui.views.form_messages import advanced_row, hint_line, notes_html, picture_line
from ui.views.media_preview import Trim
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView, Plan
    from backend.models.state import ModelState
    from backend.studio import Studio

    Facts = PictureFacts | SoundFacts | VideoFacts

log = logging.getLogger("wan.ui")

FILES_REMEMBERED = 256
MODELS_SECONDS = 2.0
"""How long the model files' states are taken for granted: every form asks for them at once."""
WAVE_POINTS = 280
CHOOSE = {
    "picture": "Choose a picture first.",
    "sound": "Choose a sound first.",
    "video": "Choose a video first.",
}
SUFFIXES = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif",
    "mp3": ".mp3", "flac": ".flac", "aac": ".m4a", "alac": ".m4a", "vorbis": ".ogg", "opus": ".ogg",
    "vp8": ".webm", "vp9": ".webm",
}  # fmt: skip
"""Format or codec -> the ending under which a kept file goes back to the page."""
OTHER_SUFFIX = {"picture": ".png", "sound": ".wav", "video": ".mp4"}


@dataclass(frozen=True)
class Seen:
    """What is known of an upload: its facts, and the peaks of a sound."""

    facts: Facts
    peaks: tuple[float, ...] = ()


class Planner:
    """The studio's plan for what stands in a form. Thread-safe; keeps only facts of recent files."""

    def __init__(self, studio: Studio, default_negative: str) -> None:
        self.studio, self.default_negative = studio, default_negative
        self._seen: OrderedDict[tuple[str, str], Seen] = OrderedDict()
        self._models: tuple[float, Any, list[ModelState]] = (0.0, None, [])
        self._lock, self._models_lock = Lock(), Lock()

    def look(self, mode: str, field: str, path: Path) -> Seen:
        """What an upload is, measured once. Raises BadMedia."""
        kind = MODES[mode].media[field].kind
        key = (kind, str(path))
        with self._lock:
            if key in self._seen:
                self._seen.move_to_end(key)
                return self._seen[key]
        found = Seen(self.studio.inspect(mode, field, path))
        if kind == "sound":
            found = replace(found, peaks=tuple(self.studio.waveform(path, WAVE_POINTS)))
        with self._lock:
            self._seen[key] = found
            while len(self._seen) > FILES_REMEMBERED:
                self._seen.popitem(last=False)
        return found

    def values(self, to: Form, given: Mapping[str, Any]) -> dict[str, Any]:
        return schema.to_values(to.mode, given, self.default_negative)

    def outcome(
        self, to: Form, given: Mapping[str, Any], problems: Mapping[str, str] = {}, notice: str = ""
    ) -> list[Any]:
        """Updates for Form.outputs(). problems, notice: what a click on Generate met, over the plan's own."""
        seen: dict[str, Seen] = {}
        said = dict(problems)
        for name in to.lines:
            path = given.get(name)
            if path is not None:
                try:
                    seen[name] = self.look(to.mode, name, Path(path))
                except StudioError as error:
                    said.setdefault(name, sentence(error))
        values = self.values(to, given)
        wordless = not MODES[to.mode].media and values["prompt"] == ""
        asked = {**values, "prompt": "..."} if wordless else values  # nobody is blamed before the first word
        plan = self.studio.plan(to.mode, asked, {name: one.facts for name, one in seen.items()})
        for name, problem in plan.problems.items():
            if name not in to.lines or given.get(name) is not None:
                said.setdefault(name, problem)
        absent = [
            text
            for name, text in plan.problems.items()
            if given.get(name) is None and not _required(to.mode, name)
        ]  # files that only these settings need
        obstacle = plan.obstacle if not problems and (absent or not plan.problems) else None
        blocked = words(obstacle)
        if absent and obstacle is not None and to.notes is not None:
            blocked = brief(obstacle)
        gone = missing_models.lacking(to.mode, values, self._model_states())
        lacked = obstacle.arg("files") if obstacle is not None else None
        if isinstance(lacked, tuple) and any(file.name in lacked for file in gone):
            blocked = f"{missing_models.headline(to.mode, gone)}."  # the panel names them
        trim = self._trim(to.mode, values)
        frame = wording.frame(plan.width, plan.height, _made(to.mode, plan), plan.fps) if plan.width else ""
        told = tuple(words(warning) for warning in plan.warnings)
        cautioned = to.notes is not None and plan.warnings and not absent
        route = media_text.route(plan.route)
        hint = hint_line(
            to.mode,
            plan.estimate.text if plan.estimate else engine_badge.engine_note(self.studio.engines()),
            plan.estimate.short if plan.estimate else "",
            notice or blocked,
            frame,
            json.dumps({name: text for name, text in said.items() if name not in to.lines}),
            scroll=bool(problems),
            asides=told if to.notes is None else (),
            beware=brief(plan.warnings[0]) if cautioned else "",
        )
        lines = [self._line(to, name, given, seen, plan, trim, said) for name in to.lines]
        views = [self._view(to, name, given, seen, trim) for name in to.views]
        summary = advanced_row(to.mode, schema.summary(to.mode, given))
        updates = [
            *lines,
            summary,
            hint,
            gr.Button(interactive=not blocked),
            *views,
            missing_models.panel(to.mode, gone),
        ]
        return (
            [*updates, notes_html([*absent, *told], [route] if route else [])]
            if to.notes is not None
            else updates
        )

    def _model_states(self) -> list[ModelState]:
        """The studio's model files, none for a demo; asked for again when an engine sees other files."""
        engines = self.studio.engines()
        if engines and all(kind_of(engine).simulated for engine in engines):
            return []
        now, seen = time.monotonic(), [engine.models for engine in engines]
        with self._models_lock:
            read, before, states = self._models
            if now - read > MODELS_SECONDS or before != seen:
                states = self.studio.models()
                self._models = (now, seen, states)
        return states

    def _trim(self, mode: str, values: Mapping[str, Any]) -> Trim | None:
        """The part that the number fields choose; nonsense in them counts as 0."""
        trim = MODES[mode].trim
        if trim is None:
            return None
        return Trim(trim.start, trim.length, _seconds(values[trim.start]), _seconds(values[trim.length]))

    def _line(
        self,
        to: Form,
        name: str,
        given: Mapping[str, Any],
        seen: Mapping[str, Seen],
        plan: Plan,
        trim: Trim | None,
        said: Mapping[str, str],
    ) -> str:
        if name not in seen:
            return picture_line([], said[name]) if said.get(name) else ""
        facts = seen[name].facts
        parts = [short(Path(given[name]).name)]
        if isinstance(facts, PictureFacts):
            parts += [wording.size(facts.width, facts.height), facts.note]
            if name == "image":
                parts.append(plan.crop.text if plan.crop else "")
        else:
            parts += media_text.video_facts(facts) if isinstance(facts, VideoFacts) else [facts.note]
            if trim is not None and _trimmed(to.mode) == name:
                start, end = trim.part(facts.seconds)
                parts += media_text.part_facts(to.mode, end - start, facts.seconds, plan)
        problem = picture_line([], said[name]) if said.get(name) else ""
        return picture_line(parts) + problem

    def _view(
        self,
        to: Form,
        name: str,
        given: Mapping[str, Any],
        seen: Mapping[str, Seen],
        trim: Trim | None,
    ) -> str:
        kind = MODES[to.mode].media[name].kind
        if given.get(name) is None:
            return media_preview.empty(*to.words[name], kind)
        if name not in seen:
            return media_preview.chosen(to.mode, name, kind, str(given[name]))
        facts = seen[name].facts
        seconds = 0.0 if isinstance(facts, PictureFacts) else facts.seconds
        part = trim if trim is not None and _trimmed(to.mode) == name else None
        return media_preview.chosen(to.mode, name, kind, str(given[name]), seconds, seen[name].peaks, part)

    def submit(self, owner: str, to: Form, given: Mapping[str, Any]) -> tuple[JobView | None, list[Any]]:
        """Queues the job. On a refusal: None, and the updates that say it beside the field."""
        for name, field in to.spec.media.items():
            if field.required and given.get(name) is None:
                return None, self.outcome(to, given, {name: CHOOSE[field.kind]})
        files = {name: Path(given[name]) for name in to.lines if given.get(name) is not None}
        try:
            job = self.studio.submit(owner, to.mode, self.values(to, given), files)
        except StudioError as error:
            if error.field in to.widgets:
                return None, self.outcome(to, given, {error.field: sentence(error)})
            return None, self.outcome(to, given, notice=sentence(error))
        except Exception:
            log.exception("Generate failed")
            return None, self.outcome(to, given, notice=UNEXPECTED)
        return job, self.outcome(to, given)

    def again(self, owner: str, job: JobView, change: Mapping[str, Any], mode: str = "") -> JobView | None:
        """Another job with this one's picture and settings, and `change` over them.

        mode: another one, then `change` must hold all of its values.
        """
        given = dict(change) if mode else {**job.params, **change}
        try:
            earlier = job if job.status == "failed" else None
            return self.studio.submit(owner, mode or job.mode, given, self.inputs(job), earlier)
        except StudioError as error:
            gr.Warning(sentence(error))
        except Exception:
            log.exception("Starting again failed")
            gr.Warning(UNEXPECTED)
        return None

    def inputs(self, job: JobView) -> dict[str, Path]:
        """The files that the job was made from. Raises InputsGone when they are not kept any more."""
        found = {name: self.studio.input_path(job.id, job.key, name) for name in schema.file_names(job.mode)}
        return {name: path for name, path in found.items() if path is not None}

    def for_page(self, path: Path, name: str, mode: str, field: str) -> Path | None:
        """A file of ours where the drop zone may take it from: a link in the upload folder."""
        try:
            suffix = path.suffix or self._suffix(mode, field, path)
            return cached_copy(path, name + suffix)
        except (OSError, StudioError):
            log.exception("A file could not be put on the page")
            return None

    def _suffix(self, mode: str, field: str, path: Path) -> str:
        facts = self.look(mode, field, path).facts
        known = facts.format.upper() if isinstance(facts, PictureFacts) else facts.codec
        return SUFFIXES.get(known, OTHER_SUFFIX[MODES[mode].media[field].kind])


def _required(mode: str, name: str) -> bool:
    """Whether a parameter is a file that must be given; yes for one that is no file."""
    field = MODES[mode].media.get(name)
    return field is None or field.required


def _trimmed(mode: str) -> str:
    """The file of which a part is used; "" where there is none."""
    trim = MODES[mode].trim
    return "" if trim is None else trim.media


def _made(mode: str, plan: Plan) -> float:
    return wording.made_seconds(mode, plan.frames, plan.fps)


def _seconds(value: Any) -> float:
    """A number field's seconds; what is no number counts as 0."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return max(0.0, float(value)) if is_number else 0.0


def sentence(error: StudioError) -> str:
    """What happened, then what to do."""
    return " ".join(part for part in (error.message, error.hint) if part)


def short(name: str, longest: int = 28) -> str:
    """A file name that fits on the line, its end kept."""
    return name if len(name) <= longest else f"{name[: longest - 9]}…{name[-8:]}"


def wire(planner: Planner, to: Form, *events: Callable[..., Any]) -> list[Any]:
    """Plans on every change of the form, and on `events` (the page loads, a job ended, ...)."""
    names, widgets = list(to.widgets), list(to.widgets.values())

    def run(*given: Any) -> list[Any]:
        return planner.outcome(to, dict(zip(names, given, strict=True)))

    triggers = []
    for widget in widgets:
        if isinstance(widget, (gr.Number, gr.Textbox)):
            triggers += [widget.blur, widget.submit]
        else:
            triggers.append(widget.change)
    options: dict[str, Any] = {
        "fn": run,
        "inputs": widgets,
        "outputs": to.outputs(),
        "show_progress": "hidden",
        "trigger_mode": "always_last",
        "queue": False,
        "api_visibility": "private",
    }
    gr.on(triggers, **options)
    for event in events:
        event(**options)
    return widgets
