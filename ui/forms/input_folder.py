"""The input folder in the forms: the admin picks a file there instead of uploading it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.views.wording import file_size
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.storage.input_folder import InputFile
    from backend.studio import Studio
    from ui.forms.planner import Planner
    from ui.forms.widgets import Form

LABEL = "From the input folder"
INFO = "The file you choose goes into the first empty field that accepts it."


class Inbox:
    """One dropdown per form. Nobody but the admin sees it, or can use it."""

    def __init__(self, studio: Studio, planner: Planner) -> None:
        self.studio, self.planner = studio, planner
        self.boxes: dict[str, gr.Dropdown] = {}

    def box(self, mode: str) -> None:
        """The dropdown, hidden until `shown` knows who is looking."""
        self.boxes[mode] = gr.Dropdown(
            [], value=None, label=LABEL, info=INFO, visible=False, interactive=True, allow_custom_value=True,
            elem_id=f"{mode}-inbox", elem_classes=["ws-inbox"],
        )  # fmt: skip

    def outputs(self) -> list[Any]:
        """What `shown` writes."""
        return list(self.boxes.values())

    def shown(self, owner: str, user: str) -> list[Any]:
        """The dropdowns with the files that each form can use; hidden for everybody else."""
        files = self._files(owner, user)
        updates = []
        for mode in self.boxes:
            fitting = choices(mode, files)
            updates.append(gr.Dropdown(choices=fitting, value=None, visible=True) if fitting else gr.skip())
        return updates

    def _files(self, owner: str, user: str) -> Sequence[InputFile]:
        try:
            return self.studio.input_files(owner, user) if self.studio.is_admin(owner, user) else ()
        except StudioError:
            return ()

    def wire(self, to: Form, owner: Any, **options: Any) -> None:
        """A choice fills a field of this form, as an upload would."""
        names = list(to.lines)
        box = self.boxes[to.mode]

        def pick(request: gr.Request, token: str, chosen: Any, *given: Any) -> list[Any]:
            held = dict(zip(names, given, strict=True))
            filled = self.filled(token, request.username or "", to.mode, chosen, held)
            return [None, *(filled.get(name, gr.skip()) for name in names)]

        fields = [to.widgets[name] for name in names]
        box.input(pick, [owner, box, *fields], [box, *fields], trigger_mode="once", **options)

    def filled(
        self, owner: str, user: str, mode: str, chosen: Any, held: dict[str, Path | None]
    ) -> dict[str, str]:
        """field -> a link to the chosen file in the upload folder; none, and a word of why, without one."""
        if not chosen:
            return {}
        try:
            path = self.studio.input_file(owner, chosen, user)
            kind = next(
                (file.kind for file in self.studio.input_files(owner, user) if file.name == chosen), ""
            )
        except StudioError as error:
            gr.Warning(f"{error.message} {error.hint}".strip())
            return {}
        name = target(mode, kind, held)
        link = self.planner.for_page(path, path.stem, mode, name) if name else None
        if link is None:
            gr.Warning("This file cannot be used here. Upload it instead.")
            return {}
        return {name: str(link)}


def choices(mode: str, files: Sequence[InputFile]) -> list[tuple[str, str]]:
    """(words, name) of the files that a form of this mode has a field for."""
    kinds = {field.kind for field in MODES[mode].media.values()}
    if "sound" in kinds:
        kinds = {*kinds, "video"}  # a video's sound
    return [(f"{file.name}, {file_size(file.bytes)}", file.name) for file in files if file.kind in kinds]


def target(mode: str, kind: str, held: dict[str, Any]) -> str:
    """The first empty field for a file of this kind, else the first one; "" when there is none."""
    fitting = [name for name, field in MODES[mode].media.items() if field.kind == kind]
    if kind == "video" and not fitting:
        fitting = [name for name, field in MODES[mode].media.items() if field.kind == "sound"]
    empty = [name for name in fitting if held.get(name) is None]
    return next(iter([*empty, *fitting]), "")
