"""Events that put values into a form: reused settings, a starter, a frame or a picture of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.actions.event_data import event_text, event_values, own_job
from ui.forms import schema, variations
from ui.forms.uploads import checked_upload
from ui.forms.widgets import Form
from ui.gradio_fixes.event_errors import sentence
from ui.head import ASSETS
from ui.i18n.texts import text
from ui.samples import sample
from ui.tabs.registry import tab_of
from ui.views.wording import is_still, thing
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.studio import Studio
    from ui.forms.planner import Planner

PICTURE_MODE = "image_to_video"
"""The mode that a picture goes to when the event names none."""


class FillForms:
    """Handlers that return component -> update."""

    def __init__(
        self,
        studio: Studio,
        planner: Planner,
        forms: Mapping[str, Form],
        tabs: Any,
        choosers: Mapping[str, Any],
        starters: Sequence[Mapping[str, str]],
    ) -> None:
        """forms: mode -> form. tabs: the component. choosers: tab id -> what chooses between its forms."""
        self.studio, self.planner, self.files = studio, planner, planner.files
        self.forms, self.tabs, self.choosers, self.starters = forms, tabs, choosers, starters

    def outputs(self) -> list[Any]:
        """Every component that a handler may update."""
        form_parts = [[*form.widgets.values(), *form.outputs()] for form in self.forms.values()]
        return [self.tabs, *self.choosers.values(), *(part for parts in form_parts for part in parts)]

    def tab_updates(self, mode: str) -> dict[Any, Any]:
        """Opens the tab of a mode and chooses its form."""
        tab = tab_of(mode)
        updates: dict[Any, Any] = {self.tabs: gr.Tabs(selected=tab.id)}
        if tab.id in self.choosers:
            updates[self.choosers[tab.id]] = mode
        return updates

    def reuse(self, owner: str, event: gr.EventData) -> dict[Any, Any]:
        """Puts a job's settings, seed and files into its form; files as they were sent while kept."""
        job = own_job(self.studio, owner, event)
        if job is None or job.mode not in self.forms:
            return self.nothing()
        filled: dict[str, Any] = schema.from_params(job.mode, job.params, self.planner.default_negative)
        filled["seed"] = job.params.get("seed", job.seed) if job.children else job.seed
        filled[variations.NAME] = variations.from_job(job)
        try:
            stored = self.files.inputs(owner, job)
        except StudioError as error:  # the settings are still useful
            gr.Warning(text("actions.settings_only", problem=error.message))
            stored = {}
        for name, field in MODES[job.mode].media.items():
            source = stored.get(name)
            filled[name] = self.files.source(source, field.file_name, job.mode, name) if source else None
        return self._fill(job.mode, filled)

    def use_starter(self, event: gr.EventData) -> dict[Any, Any]:
        """Puts a starter's picture into a form, and its prompt unless the mode uses a part of a file."""
        number = event_values(event).get("n")
        mode = event_text(event, "mode") or PICTURE_MODE
        if not isinstance(number, int) or not 0 <= number < len(self.starters) or mode not in self.forms:
            return self.nothing()
        starter = self.starters[number]
        path = ASSETS / "starters" / starter["file"]
        filled: dict[str, Any] = {}
        if "image" in self.forms[mode].widgets:
            filled["image"] = self.files.for_page(path, path.name, mode, "image")
        if MODES[mode].trim is None:
            filled["prompt"] = starter["prompt"]
        return self._fill(mode, filled)

    def use_sample(self, event: gr.EventData) -> dict[Any, Any]:
        """Fills a form with the files, the prompt and the settings of a sample; the other files are taken
        out. In a tab with two forms the one that is chosen is filled, if it takes the same."""
        chosen = sample(event_text(event, "n"))
        if chosen is None:
            return self.nothing()
        mode = chosen.mode
        shown = event_text(event, "mode")
        if not chosen.files and shown in tab_of(mode).modes:
            mode = shown
        form = self.forms[mode]
        filled: dict[str, Any] = dict.fromkeys(form.lines)
        for name, file in chosen.files.items():
            path = ASSETS / "starters" / file
            filled[name] = self.files.for_page(path, path.stem, mode, name)
        if (trim := MODES[mode].trim) is not None:
            filled |= {trim.start: 0, trim.length: 0}
        if chosen.prompt:
            filled["prompt"] = chosen.prompt
        return self._fill(mode, {**filled, **chosen.values})

    def use_frame(self, event: gr.EventData) -> dict[Any, Any]:
        """Puts a frame of a clip, which the script has uploaded, into a form as its picture."""
        mode = event_text(event, "mode")
        if "image" not in schema.file_names(mode):
            mode = PICTURE_MODE
        path = checked_upload(event_text(event, "path"))
        return self.nothing() if path is None else self._fill(mode, {"image": path})

    def use_picture(self, owner: str, event: gr.EventData) -> dict[Any, Any]:
        """Puts a finished picture into Image-to-Video."""
        return self._sent(owner, event, PICTURE_MODE, "image")

    def send(self, owner: str, event: gr.EventData) -> dict[Any, Any]:
        """Puts a result into the form that the event names: as its picture, driving video or sound."""
        return self._sent(owner, event, event_text(event, "mode"), event_text(event, "field"))

    def _sent(self, owner: str, event: gr.EventData, mode: str, name: str) -> dict[Any, Any]:
        field = MODES[mode].media.get(name) if mode in self.forms else None
        job = own_job(self.studio, owner, event)
        if job is None or field is None or (field.kind == "picture") != is_still(job):
            return self.nothing()
        try:
            made = self.studio.result_path(job.id, job.key)
            if field.kind == "sound" and not self.files.has_sound(job, made):
                gr.Warning(text("next.no_sound"))
                return self.nothing()
        except StudioError as error:
            gr.Warning(sentence(error))
            return self.nothing()
        path = self.files.for_page(made, f"{thing(job)}-{job.seed}", mode, name)
        if path is None:
            return self.nothing()
        trim = MODES[mode].trim
        whole = {trim.start: 0, trim.length: 0} if trim is not None and trim.media == name else {}
        return self._fill(mode, {name: path, **whole})

    def put(self, mode: str, name: str, path: Path) -> dict[Any, Any]:
        """Opens the form of a mode with this upload in one of its fields."""
        return self._fill(mode, {name: path})

    def settings(self, mode: str, filled: Mapping[str, Any]) -> dict[Any, Any]:
        """Opens the form of a mode with these values of its widgets; the others stay as they are."""
        return self._fill(mode, filled) if mode in self.forms else self.nothing()

    def nothing(self) -> dict[Any, Any]:
        """No change. Gradio takes an empty dictionary for a missing result."""
        return {self.tabs: gr.skip()}

    def _fill(self, mode: str, filled: Mapping[str, Any]) -> dict[Any, Any]:
        """Opens the form of a mode with these values; a complete set is planned at once."""
        updates = {**self.tab_updates(mode), **self.widget_updates(mode, filled)}
        if {"prompt", "seed"} <= filled.keys():
            form = self.forms[mode]
            updates.update(self.planner.view(form, filled).updates(form))
        return updates

    def widget_updates(self, mode: str, filled: Mapping[str, Any]) -> dict[Any, Any]:
        """The widgets of a form with these values. filled: parameter -> value of its widget, or path."""
        form = self.forms[mode]
        updates: dict[Any, Any] = {}
        for name, value in filled.items():
            widget = form.widgets[name]
            if name in form.lines:
                updates[widget] = str(value) if value else None
            elif name != variations.NAME and form.spec.field(name).offered:
                updates[widget] = gr.Radio(choices=schema.options(mode, name, value), value=value)
            else:
                updates[widget] = value
        return updates
