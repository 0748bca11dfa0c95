"""Components without the Form block that Gradio wraps around inputs.

A Form draws a frame around adjacent inputs. The page's style dissolves it (`display: contents`), so that each
would only be one more block that every browser loads.
"""

from __future__ import annotations

from typing import TypeVar

from gradio.components import FormComponent

Input = TypeVar("Input", bound=FormComponent)


def no_form(component: Input) -> Input:
    """The component itself, which Gradio then leaves where it is."""
    component.get_expected_parent = lambda: None
    return component
