"""Values of a raw request that a page would not send are refused before Gradio and the handlers see them.

The events of the page are private, but a client can call them by number. Gradio raises a ValueError for
too few values, its components raise whatever a value of a wrong type leads to, and in the log all of these
look like faults of the studio. API endpoints check their parameters themselves.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components.api_component import Api

from ui.gradio_fixes.event_errors import refusal
from ui.i18n.texts import text

log = logging.getLogger("wan.ui")

DEEPEST = 30
"""Levels of an event's data; the page sends five."""


def guard_inputs(blocks: gr.Blocks) -> None:
    """Checks the values of all events of `blocks`; a refusal is a message to the caller. To be called before
    guard_uploads(), which fills in what an API call leaves out."""
    inner = blocks.preprocess_data

    async def preprocess_data(block_fn: Any, inputs: list[Any], *rest: Any, **more: Any) -> list[Any]:
        values = checked(block_fn.inputs, inputs)
        try:
            found: list[Any] = await inner(block_fn, values, *rest, **more)
        except (gr.Error, OSError):
            raise
        except Exception as error:  # what a component makes of a value that it does not take
            if isinstance(error.__cause__, OSError):
                raise
            log.info("event %s: %s", getattr(block_fn, "api_name", None), type(error).__name__)
            raise refusal(text("errors.not_offered")) from None
        return found

    process = blocks.process_api

    async def process_api(*args: Any, **more: Any) -> dict[str, Any]:
        if not is_sound(getattr(more.get("event_data"), "_data", None)):
            raise refusal(text("errors.not_offered"))
        answer: dict[str, Any] = await process(*args, **more)
        return answer

    blocks.preprocess_data, blocks.process_api = preprocess_data, process_api


def checked(components: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The values for these components. Raises gr.Error when there are too few, or one is of a wrong type."""
    if len(values) < len(components):
        raise refusal(text("errors.not_offered"))
    found = [_value(component, value) for component, value in zip(components, values, strict=False)]
    if not all(fits(component, value) for component, value in zip(components, found, strict=True)):
        raise refusal(text("errors.not_offered"))
    return found


def _value(component: Any, value: Any) -> Any:
    """The visitor's token is a text; any other stored value counts as none."""
    if isinstance(component, gr.BrowserState):
        return value if isinstance(value, str) and fits(component, value) else ""
    return value


def fits(component: Any, value: Any) -> bool:
    """Whether the page could send this value for this component."""
    if isinstance(value, str) and not is_unicode(value):
        return False
    if value is None or isinstance(component, Api):
        return True
    if isinstance(component, (gr.Number, gr.Slider)):
        return value == "" or _is_number(value)
    if isinstance(component, gr.Checkbox):
        return isinstance(value, bool)
    if isinstance(component, (gr.Radio, gr.Dropdown)):
        return isinstance(value, str) or _is_number(value)
    if isinstance(component, gr.Textbox):
        return not isinstance(value, (list, dict))
    return True


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def is_unicode(value: str) -> bool:
    """Not so for half of a surrogate pair, which JSON can carry and neither a page nor a database can."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_sound(value: Any, depth: int = 0) -> bool:
    """Whether the data of an event can be looked through: texts in UTF-8, and not nested without end."""
    if isinstance(value, str):
        return is_unicode(value)
    if depth > DEEPEST:
        return False
    if isinstance(value, dict):
        return all(is_sound(part, depth + 1) for pair in value.items() for part in pair)
    return not isinstance(value, list) or all(is_sound(part, depth + 1) for part in value)
