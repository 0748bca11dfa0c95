"""Builds the form of a mode from its specification and a layout of a few names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from ui.forms import media_fields, widgets
from ui.forms.groups import groups
from ui.forms.variation_field import variation_field
from ui.forms.widgets import Form, advanced, generate, needs, new_form, notes
from workflows.modes.registry import MODES
from workflows.params.field import Field, MediaField

Row = str | tuple[str, str]
"""A parameter, or two side by side."""


@dataclass(frozen=True, kw_only=True)
class FormLayout:
    """What is above Advanced in the form of a mode, and in which order. The kind of each widget follows from
    the specification of its parameter; what no row names is in Advanced.

    `rows`: by default one for each parameter that belongs to no part of Advanced, in the order of the mode.
    `compact`: small pictures, a prompt of two lines, and warnings above Generate, for a form with a sound or
    a video. `name`: of the form among those of its tab, in its texts and element ids; "" for the only one.
    """

    mode: str
    rows: Sequence[Row] = ()
    compact: bool = False
    name: str = ""

    def shown(self) -> Sequence[Row]:
        """The rows. The fields of a file's used part are shown below that file and need no row."""
        if self.rows:
            return self.rows
        spec = MODES[self.mode]
        part = (spec.trim.start, spec.trim.length) if spec.trim is not None else ()
        return [each.name for each in spec.all if not each.group and each.name not in part]


def build(layout: FormLayout, title: str, limit_mb: int, default_negative: str) -> Form:
    """The components of a form. title: the tab's; limit_mb: of an upload."""
    form = new_form(layout.mode, default_negative)
    needs(form, title)
    widgets.preset(form)
    for row in layout.shown():
        _row(form, layout, row, limit_mb)
    with advanced(form):
        groups(form)
    if layout.compact:
        notes(form)
    variation_field(form)
    generate(form)
    return form


def _row(form: Form, layout: FormLayout, row: Row, limit_mb: int) -> None:
    if isinstance(row, str):
        _widget(form, layout, row, limit_mb)
    elif all(name in form.spec.media for name in row):
        media_fields.frames(form, *row, limit_mb)
    else:
        with gr.Row(elem_classes=["ws-pair"]):
            for name in row:
                _widget(form, layout, name, limit_mb)


def _widget(form: Form, layout: FormLayout, name: str, limit_mb: int) -> None:
    spec, trim = form.spec.by_name[name], form.spec.trim
    if isinstance(spec, MediaField):
        if spec.kind == "picture":
            media_fields.picture(form, name, limit_mb, small=layout.compact)
        else:
            media_fields.media(form, name, limit_mb)
        if trim is not None and trim.media == name:
            media_fields.part(form)
    elif name == "prompt":
        widgets.prompt(form, name, lines=2 if layout.compact else 4)
    elif _is_amount(spec):
        widgets.slider(form, name)
    else:
        widgets.value(form, spec)


def _is_amount(spec: Field) -> bool:
    """Whether a parameter is a number between two limits of which every value means itself."""
    return spec.kind == "number" and not spec.offered and not spec.blank
