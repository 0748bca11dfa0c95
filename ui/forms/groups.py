"""The parts of Advanced: every parameter that its specification puts there and the tab has not shown yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import gradio as gr

from ui.forms import widgets
from ui.forms.widgets import Form
from ui.i18n import mode_texts
from ui.i18n.texts import text
from workflows.spec import GROUPS, Field, Group, MediaField, Spec

NUMBERS = ("number", "whole", "side")


def groups(form: Form) -> None:
    """One part for each group that the mode has, with a heading."""
    for group in GROUPS:
        specs = [spec for spec in form.spec.in_group(group) if spec.name not in form.widgets]
        if not specs:
            continue
        with gr.Column(elem_classes=["ws-group"], elem_id=f"{form.mode}-group-{group}"):
            title = _title(group)
            widgets.group_heading(title)
            if group == "files":
                widgets.note(text("advanced.files_note"))
            for row in _rows(specs):
                _row(form, row, title)


def _title(group: Group) -> str:
    return text(f"advanced.group.{group}")


def _rows(specs: Iterable[Spec]) -> Iterator[Sequence[Spec]]:
    """The specifications by rows: numbers without a note that follow each other share one, two by two."""
    waiting: list[Spec] = []
    for spec in specs:
        if isinstance(spec, Field) and spec.kind in NUMBERS and spec.name != "seed" and not spec.note:
            waiting.append(spec)
            if len(waiting) == 2:
                yield waiting
                waiting = []
            continue
        if waiting:
            yield waiting
            waiting = []
        yield [spec]
    if waiting:
        yield waiting


def _row(form: Form, specs: Sequence[Spec], title: str) -> None:
    """The widgets of a row. title: the heading of the part; a field of that name does not repeat it."""
    if len(specs) > 1:
        widgets.pair(form, *(spec.name for spec in specs))
        return
    (spec,) = specs
    titled = mode_texts.label(form.mode, spec.name) != title
    if isinstance(spec, MediaField):
        if spec.kind == "picture":
            widgets.picture(form, spec.name, small=True)
        else:
            widgets.media(form, spec.name, small=True)
    elif spec.name == "seed":
        widgets.seed(form, titled)
    elif spec.kind == "choice":
        widgets.segmented(form, spec.name, titled=titled)
    elif spec.kind == "switch":
        widgets.switch(form, spec.name)
    elif spec.kind == "text":
        widgets.long_text(form, spec.name)
    else:
        widgets.number(form, spec.name)
