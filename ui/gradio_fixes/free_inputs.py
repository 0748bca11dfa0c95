"""Widgets that pass on any value; `workflows` alone validates it.

Gradio's widgets reject a value that the page did not offer at first, with a message of their own. A job from
the API may have such a value, and so may a page that was loaded before the app restarted.
"""

from __future__ import annotations

from abc import ABCMeta
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta


class NoStub(ComponentMeta):
    """Gradio writes a .pyi file beside every component class; one that adds no event needs none."""

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> type:
        return ABCMeta.__new__(mcs, name, bases, attrs)


class Choice(gr.Radio, metaclass=NoStub):
    """gr.Radio whose value may be one that was added to its choices on the page."""

    is_template = True  # the browser shows its parent

    def preprocess(self, payload: Any) -> Any:
        return payload


class Amount(gr.Slider, metaclass=NoStub):
    """gr.Slider whose number may be emptied (None) or lie outside."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return payload


class Figure(gr.Number, metaclass=NoStub):
    """gr.Number that may be empty (None). Gradio leaves None out of the page's first state, and the browser
    then shows 0; an empty text is shown as it is."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return None if payload == "" else payload

    def postprocess(self, value: Any) -> Any:
        return "" if value is None else super().postprocess(value)
