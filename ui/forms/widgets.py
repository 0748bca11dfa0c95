"""The inputs of the mode tabs: drop zones, prompt, segmented choices, Advanced, Generate. Widgets only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from ui.forms import schema
from ui.forms.uploads import FileInput, PictureInput
from ui.gradio_fixes.free_inputs import Amount, Choice
from ui.views import media_preview
from ui.views.form_messages import advanced_row, hint_line
from ui.views.icons import icon
from workflows.modes.registry import MODES
from workflows.spec import ModeSpec

HTML_JS = (
    "const go = () => window.wanStudio"
    " ? window.wanStudio.{0}({{element, trigger, watch}}) : setTimeout(go, 15); go();"
)


@dataclass
class Form:
    """One mode's widgets. `widgets`: parameter name -> component; the rest is where the plan is said."""

    mode: str
    widgets: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, gr.HTML] = field(default_factory=dict)  # file parameter -> the line below it
    views: dict[str, gr.HTML] = field(default_factory=dict)  # sound or video parameter -> what is shown of it
    words: dict[str, tuple[str, str]] = field(default_factory=dict)  # of it: heading and hint while empty
    advanced: Any = None
    hint: Any = None
    button: Any = None
    needs: Any = None  # which model files are missing
    notes: Any = None  # what to know before Generate, in amber
    start: dict[str, Any] = field(default_factory=dict)  # what the widgets start with

    @property
    def spec(self) -> ModeSpec:
        """What the mode may be asked for."""
        return MODES[self.mode]

    def named(self, name: str) -> str:
        """The element id of a widget; the script puts messages beside it."""
        return f"{self.mode}-{name}"

    def outputs(self) -> list[Any]:
        """What a plan changes, in the order of plan.outcome."""
        notes = [self.notes] if self.notes is not None else []
        said = [self.advanced, self.hint, self.button]
        return [*self.lines.values(), *said, *self.views.values(), self.needs, *notes]


def new_form(mode: str, default_negative: str = "") -> Form:
    return Form(mode, start=schema.page_defaults(mode, default_negative))


def picture(to: Form, name: str, limit_mb: int, small: bool = False) -> None:
    """A drop zone and the line below it."""
    heading = to.spec.media[name].heading
    to.widgets[name] = PictureInput(
        label=heading,
        show_label=False,
        sources=["upload"],
        buttons=[],
        type="filepath",
        interactive=True,
        placeholder=f"# {heading}\nJPEG, PNG or WebP, up to {limit_mb} MB",
        elem_id=to.named(name),
        elem_classes=["ws-drop", "small"] if small else ["ws-drop"],
        container=False,
    )
    to.lines[name] = gr.HTML("", elem_classes=["ws-line"], apply_default_css=False)


FILE_TYPES = {
    "sound": ["audio", "video", ".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".oga", ".opus", ".mkv"],
    "video": ["video", ".mp4", ".mov", ".webm", ".mkv", ".m4v"],
}
"""kind -> what the browser's file dialog offers."""


def media(to: Form, name: str, limit_mb: int = 0, small: bool = False) -> None:
    """A drop zone for a sound or a video, what is shown of the chosen one, and the line below it.

    limit_mb: said in the empty drop zone; 0 leaves it out.
    """
    spec = to.spec.media[name]
    hint = f"{spec.hint}, up to {limit_mb} MB" if limit_mb else spec.hint
    to.words[name] = (spec.heading, hint)
    with gr.Column(elem_classes=["ws-media", "small"] if small else ["ws-media"]):
        widget = FileInput(
            label=spec.heading,
            show_label=False,
            file_types=FILE_TYPES[spec.kind],
            interactive=True,
            elem_id=to.named(name),
            elem_classes=["ws-drop", "ws-file"],
            container=False,
        )
        widget.what = spec.kind
        to.widgets[name] = widget
        to.views[name] = gr.HTML(
            media_preview.empty(spec.heading, hint, spec.kind),
            elem_classes=["ws-view"],
            apply_default_css=False,
        )
        to.lines[name] = gr.HTML("", elem_classes=["ws-line"], apply_default_css=False)


def whole_again(to: Form) -> None:
    """A new file is used from its start to its end."""
    trim = to.spec.trim
    if trim is None:
        raise ValueError(f"{to.mode} uses no part of a file")
    gr.on(
        [to.widgets[trim.media].upload, to.widgets[trim.media].clear],
        lambda: [0, 0],
        None,
        [to.widgets[trim.start], to.widgets[trim.length]],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def needs(to: Form) -> None:
    """Where missing model files are said."""
    to.needs = gr.HTML("", elem_classes=["ws-needs"], apply_default_css=False)


def notes(to: Form) -> None:
    """Where warnings are said that must be read before Generate."""
    to.notes = gr.HTML("", elem_classes=["ws-notes"], apply_default_css=False)


def heading(text: str) -> None:
    """A label above a part of Advanced."""
    gr.HTML(f'<p class="label">{escape(text)}</p>', apply_default_css=False, elem_classes=["ws-label"])


def note(text: str) -> None:
    """A quiet sentence below a field."""
    gr.HTML(f'<p class="note">{escape(text)}</p>', apply_default_css=False, elem_classes=["ws-note"])


def prompt(to: Form, name: str = "prompt", lines: int = 4) -> None:
    """A text of several lines."""
    field = to.spec.field(name)
    to.widgets[name] = gr.Textbox(
        value=to.start[name],
        label=field.label,
        placeholder=field.placeholder,
        lines=lines,
        max_lines=10,
        interactive=True,
        elem_id=to.named(name),
        elem_classes=["ws-text", "short"] if lines < 3 else ["ws-text"],
    )


def segmented(to: Form, name: str, classes: tuple[str, ...] = ()) -> None:
    """One of a few values, or of the lengths on offer, side by side."""
    field = to.spec.field(name)
    choices: list[Any] = [*schema.lengths(field)] if field.offered else schema.options(field)
    to.widgets[name] = Choice(
        choices=choices,
        value=to.start[name],
        label=field.label,
        info=field.note or None,
        interactive=True,
        min_width=0,
        elem_id=to.named(name),
        elem_classes=["ws-seg", *classes],
    )


def number(to: Form, name: str) -> None:
    """A number in a box of its own."""
    field = to.spec.field(name)
    to.widgets[name] = gr.Number(
        value=to.start[name],
        label=field.label,
        info=field.note or None,
        interactive=True,
        step=field.step,
        min_width=0,
        elem_id=to.named(name),
        elem_classes=["ws-number"],
    )


def slider(to: Form, name: str) -> None:
    """A number between its two limits."""
    field = to.spec.field(name)
    to.widgets[name] = Amount(
        field.low,
        field.high,
        value=to.start[name],
        step=field.step,
        label=field.label,
        info=field.note or None,
        interactive=True,
        buttons=[],
        elem_id=to.named(name),
        elem_classes=["ws-slider"],
    )


def pair(to: Form, *names: str, classes: tuple[str, ...] = ("even",)) -> None:
    """Numbers side by side."""
    with gr.Row(elem_classes=["ws-pair", *classes]):
        for name in names:
            number(to, name)


def run_numbers(to: Form) -> None:
    """Steps, cfg, shift, seed."""
    pair(to, "steps", "cfg")
    with gr.Row(elem_classes=["ws-pair", "even"]):
        number(to, "shift")
        seed(to)


def negative(to: Form) -> None:
    """The negative prompt and when it counts."""
    prompt(to, "negative_prompt", lines=3)
    note(to.spec.field("negative_prompt").note)


def switch(to: Form, name: str) -> None:
    """On or off."""
    field = to.spec.field(name)
    to.widgets[name] = gr.Checkbox(
        value=bool(to.start[name]),
        label=field.label,
        info=field.note,
        interactive=True,
        min_width=0,
        elem_id=to.named(name),
        elem_classes=["ws-switch"],
    )


def seed(to: Form) -> None:
    """The seed with a dice that draws another one."""
    with gr.Row(elem_classes=["ws-seed"]):
        number(to, "seed")
        gr.HTML(
            f'<button type="button" class="dice" data-dice="{to.named("seed")}" aria-label="Randomise seed"'
            f' title="Randomise seed">{icon("dice", 20)}</button>',
            apply_default_css=False,
            elem_classes=["ws-dice"],
        )


@contextmanager
def advanced(to: Form) -> Iterator[None]:
    """The hairline row and what it opens."""
    to.advanced = gr.HTML(
        advanced_row(to.mode, schema.summary(to.mode, to.start)),
        apply_default_css=False,
        elem_classes=["ws-advanced"],
        js_on_load=HTML_JS.format("advanced"),
    )
    with gr.Column(elem_id=f"{to.mode}-advanced", elem_classes=["ws-advanced-body"]):
        yield


def generate(to: Form) -> None:
    """The one lime button, and the line that says how long or why not."""
    with gr.Column(elem_classes=["ws-generate-box"]):
        to.button = gr.Button(
            "Generate", variant="primary", elem_id=to.named("generate"), elem_classes=["ws-generate"]
        )
        to.hint = gr.HTML(
            hint_line(to.mode),
            apply_default_css=False,
            elem_classes=["ws-hint"],
            js_on_load=HTML_JS.format("hint"),
        )
