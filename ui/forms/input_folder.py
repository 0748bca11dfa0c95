"""The input folder in the forms: the admin chooses a file in it instead of uploading one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.gradio_fixes.event_errors import sentence
from ui.gradio_fixes.no_form import no_form
from ui.i18n.texts import text
from ui.views.wording import file_size
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.storage.input_folder import InputFile
    from backend.studio import Studio
    from ui.forms.page_files import PageFiles
    from ui.forms.widgets import Form


class InputFolder:
    """One dropdown per form with files. Only the admin sees and can use it."""

    def __init__(self, studio: Studio, files: PageFiles) -> None:
        self.studio, self.files = studio, files
        self.boxes: dict[str, gr.Dropdown] = {}

    def box(self, mode: str) -> None:
        """The dropdown, hidden until `updates` shows it."""
        self.boxes[mode] = no_form(
            gr.Dropdown(
                [],
                value=None,
                label=text("forms.input_folder.label"),
                info=text("forms.input_folder.info"),
                visible=False,
                interactive=True,
                allow_custom_value=True,
                elem_id=f"{mode}-inbox",
                elem_classes=["ws-inbox"],
            )
        )

    def updates(self, owner: str, user: str) -> dict[Any, Any]:
        """dropdown -> the files that its form accepts; empty for everyone but the admin."""
        files = self._files(owner, user)
        fitting = {box: choices(mode, files) for mode, box in self.boxes.items()}
        return {
            box: gr.Dropdown(choices=offered, value=None, visible=True)
            for box, offered in fitting.items()
            if offered
        }

    def _files(self, owner: str, user: str) -> Sequence[InputFile]:
        try:
            return self.studio.input_files(owner, user) if self.studio.is_admin(owner, user) else ()
        except StudioError:
            return ()

    def wire(self, form: Form, owner: Any, **options: Any) -> None:
        """Choosing a file fills a field of this form, like an upload."""
        names = list(form.lines)
        box = self.boxes[form.mode]

        def pick(request: gr.Request, token: str, chosen: Any, *given: Any) -> dict[Any, Any]:
            held = dict(zip(names, given, strict=True))
            filled = self.filled(token, request.username or "", form.mode, chosen, held)
            return {box: None, **{form.widgets[name]: path for name, path in filled.items()}}

        fields = [form.widgets[name] for name in names]
        box.input(pick, [owner, box, *fields], [box, *fields], trigger_mode="once", **options)

    def filled(
        self, owner: str, user: str, mode: str, chosen: Any, held: dict[str, Path | None]
    ) -> dict[str, str]:
        """field -> a link to the chosen file in the upload folder; empty, with a message, after a refusal."""
        if not chosen:
            return {}
        try:
            path = self.studio.input_file(owner, chosen, user)
            kind = next(
                (file.kind for file in self.studio.input_files(owner, user) if file.name == chosen), ""
            )
        except StudioError as error:
            gr.Warning(sentence(error))
            return {}
        name = target(mode, kind, held)
        link = self.files.for_page(path, path.name, mode, name) if name else None
        if link is None:
            gr.Warning(text("forms.input_folder.refused"))
            return {}
        return {name: str(link)}


def choices(mode: str, files: Sequence[InputFile]) -> list[tuple[str, str]]:
    """(text, name) of the files that a form of this mode has a field for."""
    kinds = {field.kind for field in MODES[mode].media.values()}
    if "sound" in kinds:
        kinds = {*kinds, "video"}  # a video's sound
    return [
        (text("forms.input_folder.file", name=file.name, size=file_size(file.bytes)), file.name)
        for file in files
        if file.kind in kinds
    ]


def target(mode: str, kind: str, held: dict[str, Any]) -> str:
    """The first empty field for a file of this kind, else the first one; "" when there is none."""
    fitting = [name for name, field in MODES[mode].media.items() if field.kind == kind]
    if kind == "video" and not fitting:
        fitting = [name for name, field in MODES[mode].media.items() if field.kind == "sound"]
    empty = [name for name in fitting if held.get(name) is None]
    return next(iter([*empty, *fitting]), "")
