"""The widgets of the mode tabs: drop zones, prompt, segmented choices, Advanced, Generate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from backend.media.format_names import field_line
from ui.forms import schema
from ui.forms.uploads import FileInput, PictureInput
from ui.gradio_fixes.free_inputs import Amount, Choice, Figure
from ui.gradio_fixes.no_form import no_form
from ui.i18n import mode_texts
from ui.i18n.texts import text
from ui.views import media_preview
from ui.views.draft_row import draft_row
from ui.views.form_messages import advanced_row, hint_line
from ui.views.icons import icon
from ui.views.prompt_help import prompt_help
from workflows.modes.registry import MODES
from workflows.spec import ModeSpec

HTML_JS = (
    "const go = () => window.wanStudio"
    " ? window.wanStudio.{0}({{element, trigger, watch}}) : setTimeout(go, 15); go();"
)


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
    needs: Any = None  # which model files are missing
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


def picture(form: Form, name: str, limit_mb: int = 0, small: bool = False, plain: bool = False) -> None:
    """A drop zone for a picture and the line below it. plain: its heading alone, for a narrow one."""
    heading = mode_texts.heading(form.mode, name)
    drop = text("forms.drop_picture", heading=heading, formats=field_line("picture"), limit=limit_mb)
    form.widgets[name] = PictureInput(
        label=heading,
        show_label=False,
        sources=["upload"],
        buttons=[],
        type="filepath",
        interactive=True,
        placeholder=text("forms.drop_heading", heading=heading) if plain or not limit_mb else drop,
        elem_id=form.named(name),
        elem_classes=["ws-drop", "ws-takes-picture", *(["small"] if small else [])],
        container=False,
    )
    form.lines[name] = gr.HTML("", elem_classes=["ws-line"], apply_default_css=False)


def media(form: Form, name: str, limit_mb: int = 0, small: bool = False) -> None:
    """A drop zone for a sound or a video, the preview of the chosen file, and the line below it.

    limit_mb: shown in the empty drop zone unless 0.
    """
    kind = form.spec.media[name].kind
    heading = mode_texts.heading(form.mode, name)
    hint = mode_texts.help_text(form.mode, name) or field_line(kind)
    if limit_mb:
        hint = text("forms.drop_media", formats=hint, limit=limit_mb)
    form.empty_texts[name] = (heading, hint)
    with gr.Column(elem_classes=["ws-media", "small"] if small else ["ws-media"]):
        widget = FileInput(
            label=heading,
            show_label=False,
            interactive=True,
            elem_id=form.named(name),
            elem_classes=["ws-drop", "ws-file", f"ws-takes-{kind}"],
            container=False,
        )
        widget.kind = kind
        form.widgets[name] = widget
        form.views[name] = gr.HTML(
            media_preview.empty(heading, hint, kind),
            elem_classes=["ws-view"],
            apply_default_css=False,
        )
        form.lines[name] = gr.HTML("", elem_classes=["ws-line"], apply_default_css=False)


def whole_again(form: Form) -> None:
    """Resets start and length when the file changes: a new file is used as a whole."""
    trim = form.spec.trim
    if trim is None:
        raise ValueError(f"{form.mode} uses no part of a file")
    gr.on(
        [form.widgets[trim.media].upload, form.widgets[trim.media].clear],
        lambda: [0, None],
        None,
        [form.widgets[trim.start], form.widgets[trim.length]],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def needs(form: Form) -> None:
    """The place for the list of missing model files."""
    form.needs = gr.HTML("", elem_classes=["ws-needs"], apply_default_css=False)


def notes(form: Form) -> None:
    """The place for warnings that should be read before Generate."""
    form.notes = gr.HTML("", elem_classes=["ws-notes"], apply_default_css=False)


def heading(words: str) -> None:
    """A label above a part of Advanced."""
    gr.HTML(f'<p class="label">{escape(words)}</p>', apply_default_css=False, elem_classes=["ws-label"])


def note(words: str) -> None:
    """A sentence in grey below a field."""
    gr.HTML(f'<p class="note">{escape(words)}</p>', apply_default_css=False, elem_classes=["ws-note"])


def group_heading(words: str) -> None:
    """The heading of a part of Advanced."""
    gr.HTML(f'<h3 class="group-title">{escape(words)}</h3>', apply_default_css=False)


def frames(form: Form, first: str, last: str, limit_mb: int) -> None:
    """Two pictures side by side: the one a video starts with, and the one it may end with."""
    with gr.Row(elem_classes=["ws-frames"]):
        picture(form, first, limit_mb)
        picture(form, last, plain=True)


def prompt(form: Form, name: str = "prompt", lines: int = 4) -> None:
    """The prompt, and what helps to write it."""
    text_box(form, name, lines)
    gr.HTML(prompt_help(form.mode, name), apply_default_css=False, elem_classes=["ws-prompt-help"])


def text_box(form: Form, name: str, lines: int) -> None:
    """A text of several lines."""
    form.widgets[name] = no_form(
        gr.Textbox(
            value=form.start[name],
            label=mode_texts.label(form.mode, name),
            placeholder=mode_texts.placeholder(form.mode, name),
            lines=lines,
            max_lines=10,
            interactive=True,
            elem_id=form.named(name),
            elem_classes=["ws-text", "short"] if lines < 3 else ["ws-text"],
        )
    )


def segmented(form: Form, name: str, classes: tuple[str, ...] = (), titled: bool = True) -> None:
    """One of a few values, or of the lengths on offer, side by side. titled: whether its label is seen."""
    field = form.spec.field(name)
    choices: list[Any] = [*schema.lengths(field)] if field.offered else schema.options(form.mode, name)
    form.widgets[name] = no_form(
        Choice(
            choices=choices,
            value=form.start[name],
            label=mode_texts.label(form.mode, name),
            info=mode_texts.help_text(form.mode, name) or None,
            show_label=titled,
            interactive=True,
            min_width=0,
            elem_id=form.named(name),
            elem_classes=["ws-seg", *classes],
        )
    )


def number(form: Form, name: str, titled: bool = True) -> None:
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
            elem_classes=["ws-number"],
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


def run_numbers(form: Form) -> None:
    """Steps, cfg, shift, seed."""
    pair(form, "steps", "cfg")
    with gr.Row(elem_classes=["ws-pair", "even"]):
        number(form, "shift")
        seed(form)


def long_text(form: Form, name: str) -> None:
    """A text of a few lines, and the sentence about it."""
    text_box(form, name, lines=3)
    if words := mode_texts.help_text(form.mode, name):
        note(words)


def negative(form: Form) -> None:
    """The negative prompt and when it counts."""
    long_text(form, "negative_prompt")


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


def seed(form: Form, titled: bool = True) -> None:
    """The seed with a dice that draws another one. titled: whether its label is seen."""
    with gr.Row(elem_classes=["ws-seed"]):
        number(form, "seed", titled)
        words = escape(text("forms.random_seed"))
        gr.HTML(
            f'<button type="button" class="dice" data-dice="{form.named("seed")}" aria-label="{words}"'
            f' title="{words}">{icon("dice", 20)}</button>',
            apply_default_css=False,
            elem_classes=["ws-dice"],
        )


@contextmanager
def advanced(form: Form) -> Iterator[None]:
    """The Advanced row and the section that it opens; a context manager for its widgets."""
    form.advanced = gr.HTML(
        advanced_row(form.mode, schema.summary(form.mode, form.start)),
        apply_default_css=False,
        elem_classes=["ws-advanced"],
        js_on_load=HTML_JS.format("advanced"),
    )
    with gr.Column(elem_id=f"{form.mode}-advanced", elem_classes=["ws-advanced-body"]):
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
