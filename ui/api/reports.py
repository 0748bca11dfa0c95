"""The progress of a waiting call, for Gradio's queue or an MCP client."""

from __future__ import annotations

import contextvars
from collections.abc import Callable

import gradio as gr

Listener = Callable[[int, str], None]
"""Called with percent and words."""

listener: contextvars.ContextVar[Listener | None] = contextvars.ContextVar("listener", default=None)
"""Set where a call begins that has no event of Gradio's queue."""


def reporter() -> Listener:
    """Reports to Gradio's queue and to the listener of this call."""
    progress, listening = gr.Progress(), listener.get()

    def report(percent: int, words: str) -> None:
        progress((percent, 100), desc=words)
        if listening is not None:
            listening(percent, words)

    return report
