"""The widgets of a form: prompt, segmented choices, numbers, Advanced, Generate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from ui.forms import schema
from ui.gradio_fixes.free_inputs import Amount, Choice, Figure
from ui.gradio_fixes.no_form import no_form
from ui.i18n import mode_texts
from ui.i18n.texts import text
from ui.views.draft_row import draft_row
from ui.views.form_messages import advanced_row, hint_line
from ui.views.preset_row import preset_row
from ui.views.prompt_help import prompt_help
from workflows.modes.registry import MODES
from workflows.params.field import Field
from workflows.spec import ModeSpec

HTML_JS = (
    "const go = () => window.wanStudio"
    " ? window.wanStudio.{0}({{element, trigger, watch}}) : setTimeout(go, 15); go();"
)

MOST_LETTERS = 40
"""Of all values of a choice that stand side by side; the narrowest column has room for them."""


@dataclass
class Form:
    """One mode's components. `widgets`: parameter name -> component; the others show the plan."""

    mode: str
    widgets: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, gr.HTML] = field(default_factory=dict)  # file parameter -> the line below it
    views: dict[str, gr.HTML] = field(default_factory=dict)  # sound or video parameter -> what is shown of it
    empty_texts: dict[str, tuple[str, str]] = field(default_factory=dict)  # its heading and hint while empty
    advanced: Any = None
    hint: Any = None
    button: Any = None
    needs: Any = None  # the tab's heading, and which model files are missing
    heading: str = ""  # the tab's heading as HTML
    notes: Any = None  # warnings above Generate
    start: dict[str, Any] = field(default_factory=dict)  # initial values of the widgets

    @property
    def spec(self) -> ModeSpec:
        """The mode's specification."""
        return MODES[self.mode]

    def named(self, name: str) -> str:
        """The element id of a widget; the script puts messages beside it."""
        return f"{self.mode}-{name}"

    def outputs(self) -> list[Any]:
        """The components that FormView.updates writes."""
        notes = [self.notes] if self.notes is not None else []
        said = [self.advanced, self.hint, self.button]
        return [*self.lines.values(), *said, *self.views.values(), self.needs, *notes]


def new_form(mode: str, default_negative: str = "") -> Form:
    return Form(mode, start=schema.page_defaults(mode, default_negative))


def needs(form: Form, title: str) -> None:
    """The tab's heading, for screen readers, and the place for the list of missing model files."""
    form.heading = f'<h1 class="sr">{escape(title)}</h1>'
    form.needs = gr.HTML(form.heading, elem_classes=["ws-needs"], apply_default_css=False)


def preset(form: Form) -> None:
    """The row with the preset of the form."""
    gr.HTML(
        preset_row(form.mode),
        apply_default_css=False,
        elem_classes=["ws-preset"],
        js_on_load=HTML_JS.format("presets.row"),
    )


def notes(form: Form) -> None:
    """The place for warnings that should be read before Generate."""
    form.notes = gr.HTML("", elem_classes=["ws-notes"], apply_default_css=False)


def prompt(form: Form, name: str = "prompt", lines: int = 4) -> None:
    """The prompt, and what helps to write it."""
    text_box(form, name, lines)
    gr.HTML(prompt_help(form.mode, name), apply_default_css=False, elem_classes=["ws-prompt-help"])


def text_box(form: Form, name: str, lines: int = 3) -> None:
    """A text of several lines, with the sentence about it below."""
    form.widgets[name] = no_form(
        gr.Textbox(
            value=form.start[name],
            label=mode_texts.label(form.mode, name),
            info=mode_texts.help_text(form.mode, name) or None,
            placeholder=mode_texts.placeholder(form.mode, name),
            lines=lines,
            max_lines=10,
            interactive=True,
            elem_id=form.named(name),
            elem_classes=["ws-text", "short"] if lines < 3 else ["ws-text"],
        )
    )


def segmented(form: Form, name: str, titled: bool = True) -> None:
    """One of a few values, or of the lengths on offer, side by side; one below the other where the values
    have notes, which the script adds. titled: whether its label is seen."""
    form.widgets[name] = no_form(
        Choice(
            choices=schema.options(form.mode, name),
            value=form.start[name],
            label=mode_texts.label(form.mode, name),
            info=mode_texts.help_text(form.mode, name) or None,
            show_label=titled,
            interactive=True,
            min_width=0,
            elem_id=form.named(name),
            elem_classes=["ws-seg", *_arranged(form.mode, name)],
        )
    )


def _arranged(mode: str, name: str) -> list[str]:
    """The classes of a choice whose values do not fit side by side."""
    if schema.notes(mode, name):
        return ["rows"]
    letters = sum(len(label) for label, _ in schema.options(mode, name))
    return ["pairs"] if letters > MOST_LETTERS else []


def number(form: Form, name: str, titled: bool = True, classes: tuple[str, ...] = ()) -> None:
    """A number in a box of its own. titled: whether its label is seen."""
    field = form.spec.field(name)
    form.widgets[name] = no_form(
        Figure(
            value=form.start[name],
            label=mode_texts.label(form.mode, name),
            info=mode_texts.help_text(form.mode, name) or None,
            placeholder=mode_texts.blank(form.mode, name) or None,
            show_label=titled,
            interactive=True,
            step=field.step,
            min_width=0,
            elem_id=form.named(name),
            elem_classes=["ws-number", *classes],
        )
    )


def slider(form: Form, name: str) -> None:
    """A number between its two limits."""
    field = form.spec.field(name)
    form.widgets[name] = no_form(
        Amount(
            field.low,
            field.high,
            value=form.start[name],
            step=field.step,
            label=mode_texts.label(form.mode, name),
            info=mode_texts.help_text(form.mode, name) or None,
            interactive=True,
            buttons=[],
            elem_id=form.named(name),
            elem_classes=["ws-slider"],
        )
    )


def pair(form: Form, *names: str, classes: tuple[str, ...] = ("even",)) -> None:
    """Numbers side by side."""
    with gr.Row(elem_classes=["ws-pair", *classes]):
        for name in names:
            number(form, name)


def switch(form: Form, name: str) -> None:
    """On or off."""
    form.widgets[name] = no_form(
        gr.Checkbox(
            value=bool(form.start[name]),
            label=mode_texts.label(form.mode, name),
            info=mode_texts.help_text(form.mode, name),
            interactive=True,
            min_width=0,
            elem_id=form.named(name),
            elem_classes=["ws-switch"],
        )
    )


def loras(form: Form, name: str) -> None:
    """The LoRAs as JSON text in a field that is not shown; the script shows a list and edits the text."""
    form.widgets[name] = box = no_form(
        gr.Textbox(
            value=form.start[name],
            label=mode_texts.label(form.mode, name),
            info=mode_texts.help_text(form.mode, name) or None,
            lines=1,
            interactive=True,
            elem_id=form.named(name),
            elem_classes=["ws-loras"],
        )
    )
    js = f"(value) => window.wanStudio.loras.show({form.mode!r}, value)"
    box.change(None, box, None, js=js, queue=False, api_visibility="private")


def value(form: Form, spec: Field, titled: bool = True) -> None:
    """The widget of a parameter that is no file. titled: whether its label is seen."""
    if spec.kind == "choice" or spec.offered:
        segmented(form, spec.name, titled)
    elif spec.kind == "switch":
        switch(form, spec.name)
    elif spec.kind == "text":
        text_box(form, spec.name)
    elif spec.kind == "loras":
        loras(form, spec.name)
    elif spec.name == "seed":
        number(form, spec.name, titled, ("ws-seed",))  # the script adds the button that draws another one
    else:
        number(form, spec.name)


@contextmanager
def advanced(form: Form) -> Iterator[None]:
    """The Advanced row and the section that it opens; a context manager for its widgets.

    Gradio builds the content of a closed accordion when it is first opened. One with files is built together
    with its tab, so that they can be chosen at any time.
    """
    form.advanced = gr.HTML(
        advanced_row(form.mode, schema.summary(form.mode, form.start)),
        apply_default_css=False,
        elem_classes=["ws-advanced"],
        js_on_load=HTML_JS.format("advanced"),
    )
    shown = form.widgets.keys()
    files = any(name not in shown for name in form.spec.media)
    with gr.Accordion(
        "",  # its own button is hidden
        open=files,
        elem_id=f"{form.mode}-advanced",
        elem_classes=["ws-advanced-body"],
    ):
        yield


def generate(form: Form) -> None:
    """Undo and Clear, the Generate button, and the line with the estimate or the obstacle."""
    gr.HTML(draft_row(form.mode), elem_classes=["ws-draft"], apply_default_css=False)
    with gr.Column(elem_classes=["ws-generate-box"]):
        form.button = gr.Button(
            text("forms.generate"),
            variant="primary",
            elem_id=form.named("generate"),
            elem_classes=["ws-generate"],
        )
        form.hint = gr.HTML(
            hint_line(form.mode),
            apply_default_css=False,
            elem_classes=["ws-hint"],
            js_on_load=f'const events = ["typed"]; {HTML_JS.format("hint")}',
        )
