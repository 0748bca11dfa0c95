"""Before Generate and on Generate: what would be made, what stands in the way, and the job itself."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui import form, present
from ui.fields import Form, advanced_row, hint_line, picture_line
from ui.picture import cached_copy

if TYPE_CHECKING:
    from backend.media.facts import PictureFacts
    from backend.studio import Studio
    from backend.views import JobView

log = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong in Wan Studio. Try again. If it happens again, the log says more."
PICTURES_REMEMBERED = 256
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif"}


class Planner:
    """The studio's plan for what stands in a form. Thread-safe; keeps only facts of recent pictures."""

    def __init__(self, studio: Studio, default_negative: str) -> None:
        self.studio, self.default_negative = studio, default_negative
        self._facts: OrderedDict[str, PictureFacts] = OrderedDict()
        self._lock = Lock()

    def facts(self, path: Path, field: str = "image") -> PictureFacts:
        """Size and kind of an upload, measured once. Raises BadMedia."""
        with self._lock:
            if str(path) in self._facts:
                self._facts.move_to_end(str(path))
                return self._facts[str(path)]
        found = self.studio.inspect_picture(path, field)
        with self._lock:
            self._facts[str(path)] = found
            while len(self._facts) > PICTURES_REMEMBERED:
                self._facts.popitem(last=False)
        return found

    def values(self, to: Form, given: Mapping[str, Any]) -> dict[str, Any]:
        return form.to_values(to.mode, given, self.default_negative)

    def outcome(
        self, to: Form, given: Mapping[str, Any], problems: Mapping[str, str] = {}, notice: str = ""
    ) -> list[Any]:
        """Updates for Form.outputs(). problems, notice: what a click on Generate met, over the plan's own."""
        pictures: dict[str, PictureFacts] = {}
        said = dict(problems)
        for name in to.lines:
            path = given.get(name)
            if path is not None:
                try:
                    pictures[name] = self.facts(Path(path), name)
                except StudioError as error:
                    said.setdefault(name, sentence(error))
        plan = self.studio.plan(to.mode, self.values(to, given), pictures)
        for name, problem in plan.problems.items():
            if name not in to.lines or given.get(name) is not None:
                said.setdefault(name, problem)
        blocked = plan.obstacle if not plan.problems and not problems else ""
        lines = [self._line(name, given, pictures, plan.crop_text, said) for name in to.lines]
        frame = ""
        if plan.width:
            frame = present.frame(plan.width, plan.height, (plan.frames - 1) / plan.fps, plan.fps)
        hint = hint_line(
            to.mode,
            plan.estimate_text or present.engine_note(self.studio.engines()),
            notice or blocked,
            frame,
            json.dumps({name: text for name, text in said.items() if name not in to.lines}),
            scroll=bool(problems),
            asides=plan.warnings,
        )
        summary = advanced_row(to.mode, form.summary(to.mode, given))
        return [*lines, summary, hint, gr.Button(interactive=not blocked)]

    def _line(
        self,
        name: str,
        given: Mapping[str, Any],
        pictures: Mapping[str, Any],
        crop: str,
        said: Mapping[str, str],
    ) -> str:
        if said.get(name):
            return picture_line([], said[name])
        facts = pictures.get(name)
        if facts is None:
            return ""
        words = [short(Path(given[name]).name), present.size(facts.width, facts.height), facts.note]
        return picture_line([*words, crop] if name == "image" else words)

    def submit(self, owner: str, to: Form, given: Mapping[str, Any]) -> tuple[JobView | None, list[Any]]:
        """Queues the job. On a refusal: None, and the updates that say it beside the field."""
        if given.get("image") is None:
            return None, self.outcome(to, given, {"image": "Choose a picture first."})
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
            return self.studio.submit(owner, mode or job.mode, given, self.inputs(job))
        except StudioError as error:
            gr.Warning(sentence(error))
        except Exception:
            log.exception("Starting again failed")
            gr.Warning(UNEXPECTED)
        return None

    def inputs(self, job: JobView) -> dict[str, Path]:
        """The pictures that the job was made from."""
        found = {name: self.studio.input_path(job.id, job.key, name) for name in form.file_names(job.mode)}
        return {name: path for name, path in found.items() if path is not None}

    def for_page(self, path: Path, name: str = "picture") -> Path | None:
        """A picture of ours where the drop zone may take it from: a link in the upload folder."""
        try:
            suffix = path.suffix or SUFFIXES.get(str(self.facts(path).format).upper(), ".png")
            return cached_copy(path, name + suffix)
        except (OSError, StudioError):
            log.exception("A picture could not be put on the page")
            return None


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
