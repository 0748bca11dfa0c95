"""The parts of Advanced: every parameter that its specification puts there and the tab has not shown yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import gradio as gr

from ui.forms import media_fields, widgets
from ui.forms.widgets import Form
from ui.i18n import mode_texts
from ui.i18n.texts import text
from workflows.params.field import GROUPS, Field, Group
from workflows.spec import Spec

NUMBERS = ("number", "whole", "side")


def groups(form: Form) -> None:
    """One part for each group that the mode has; the script puts its heading above it."""
    for group in GROUPS:
        specs = [spec for spec in form.spec.in_group(group) if spec.name not in form.widgets]
        if not specs:
            continue
        with gr.Column(elem_classes=["ws-group"], elem_id=f"{form.mode}-group-{group}"):
            for row in _rows(specs):
                _row(form, row, title(group))


def title(group: Group) -> str:
    """The heading of a part."""
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


def _row(form: Form, specs: Sequence[Spec], heading: str) -> None:
    """The widgets of a row, in the two columns of the part. heading: of the part; a field of that name does
    not repeat it."""
    if len(specs) > 1:
        for side, spec in zip(("first", "last"), specs, strict=True):
            widgets.number(form, spec.name, classes=("ws-half", side))
        return
    (spec,) = specs
    if isinstance(spec, Field):
        widgets.value(form, spec, titled=mode_texts.label(form.mode, spec.name) != heading)
    elif spec.kind == "picture":
        media_fields.picture(form, spec.name, small=True)
    else:
        media_fields.media(form, spec.name, small=True)
