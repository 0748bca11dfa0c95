"""The inputs of the mode tabs: drop zone, prompt, segmented choices, Advanced, Generate. Widgets only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from ui import form
from ui.icons import icon
from ui.picture import PictureInput

HTML_JS = (
    "const go = () => window.wanStudio"
    " ? window.wanStudio.{0}({{element, trigger, watch}}) : setTimeout(go, 15); go();"
)


PLACE = re.compile(r" (on this GPU|in the demo|here)$")


@dataclass
class Form:
    """One mode's widgets. `widgets`: parameter name -> component; the rest is where the plan is said."""

    mode: str
    widgets: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, gr.HTML] = field(default_factory=dict)  # picture parameter -> the line below it
    advanced: Any = None
    hint: Any = None
    button: Any = None
    start: dict[str, Any] = field(default_factory=dict)  # what the widgets start with

    def named(self, name: str) -> str:
        """The element id of a widget; the script puts messages beside it."""
        return f"{self.mode}-{name}"

    def outputs(self) -> list[Any]:
        """What a plan changes, in the order of plan.outcome."""
        return [*self.lines.values(), self.advanced, self.hint, self.button]


def new_form(mode: str, default_negative: str = "") -> Form:
    return Form(mode, start=form.page_defaults(mode, default_negative))


def picture(to: Form, name: str, heading: str, limit_mb: int, small: bool = False) -> None:
    """A drop zone and the line below it."""
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


def prompt(
    to: Form, name: str = "prompt", label: str = "What should move?", placeholder: str = "", lines: int = 4
) -> None:
    to.widgets[name] = gr.Textbox(
        value=to.start[name],
        label=label,
        placeholder=placeholder,
        lines=lines,
        max_lines=10,
        interactive=True,
        elem_id=to.named(name),
        elem_classes=["ws-text"],
    )


def segmented(
    to: Form,
    name: str,
    label: str,
    words: dict[str, str] | None = None,
    info: str = "",
    classes: tuple[str, ...] = (),
) -> None:
    """One of a few, side by side. words: value -> another word than form.py's."""
    if name == "seconds":
        choices: list[Any] = form.lengths()
    else:
        choices = [((words or {}).get(value, word), value) for word, value in form.options(to.mode, name)]
    to.widgets[name] = gr.Radio(
        choices=choices,
        value=to.start[name],
        label=label,
        info=info or None,
        interactive=True,
        min_width=0,
        elem_id=to.named(name),
        elem_classes=["ws-seg", *classes],
    )


def number(to: Form, name: str, label: str, info: str = "", step: float = 1) -> None:
    to.widgets[name] = gr.Number(
        value=to.start[name],
        label=label,
        info=info or None,
        interactive=True,
        step=step,
        min_width=0,
        elem_id=to.named(name),
        elem_classes=["ws-number"],
    )


def switch(to: Form, name: str, label: str, info: str) -> None:
    to.widgets[name] = gr.Checkbox(
        value=bool(to.start[name]),
        label=label,
        info=info,
        interactive=True,
        min_width=0,
        elem_id=to.named(name),
        elem_classes=["ws-switch"],
    )


def seed(to: Form) -> None:
    """The seed with a dice that draws another one."""
    with gr.Row(elem_classes=["ws-seed"]):
        number(to, "seed", "Seed", "-1: random")
        gr.HTML(
            f'<button type="button" class="dice" data-dice="{to.named("seed")}" aria-label="Draw a seed"'
            f' title="Draw a seed">{icon("dice", 20)}</button>',
            apply_default_css=False,
            elem_classes=["ws-dice"],
        )


@contextmanager
def advanced(to: Form) -> Iterator[None]:
    """The hairline row and what it opens."""
    to.advanced = gr.HTML(
        advanced_row(to.mode, form.summary(to.mode, to.start)),
        apply_default_css=False,
        elem_classes=["ws-advanced"],
        js_on_load=HTML_JS.format("advanced"),
    )
    with gr.Column(elem_id=f"{to.mode}-advanced", elem_classes=["ws-advanced-body"]):
        yield


def advanced_row(mode: str, summary: str) -> str:
    return (
        f'<button type="button" class="advanced" aria-expanded="false" aria-controls="{mode}-advanced">'
        f"<strong>Advanced</strong><span>{escape(summary)}</span>{icon('chevron')}</button>"
    )


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


def hint_line(
    mode: str,
    estimate: str = "",
    obstacle: str = "",
    frame: str = "",
    problems: str = "{}",
    scroll: bool = False,
    asides: Sequence[str] = (),
) -> str:
    """The line under Generate, and what the script spreads over the page: frame and problems (JSON)."""
    if obstacle:
        words = f'<p class="warn">{icon("warn", 18)}<span>{escape(obstacle)}</span></p>'
    else:
        each = ""
        if estimate.startswith("About"):
            each = f" {escape(PLACE.sub('', estimate))} each."
        words = f'<p class="idle">{escape(estimate)}</p><p class="busy">Queued behind this video.{each}</p>'
    words += "".join(f'<p class="aside">{escape(text)}</p>' for text in asides)
    return (
        f'<div data-mode="{mode}" data-frame="{escape(frame)}" data-problems="{escape(problems)}"'
        f' data-scroll="{int(scroll)}" aria-live="polite">{words}</div>'
    )


def picture_line(facts: list[str], problem: str = "") -> str:
    """`fjord.jpg   1920 × 1080   Fits, nothing is cropped`, or what is wrong with the picture."""
    if problem:
        return f'<p class="problem" role="alert">{icon("alert", 16)}<span>{escape(problem)}</span></p>'
    return (
        '<p class="facts">' + "".join(f"<span>{escape(f)}</span>" for f in facts if f) + "</p>"
        if facts
        else ""
    )
