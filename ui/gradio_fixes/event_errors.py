"""Unexpected errors in events: the traceback is logged, the visitor gets a general message."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import gradio as gr

from backend import requester
from backend.errors import StudioError
from backend.logs import job_context
from ui.i18n.texts import text
from workflows.params.values import InvalidParam

log = logging.getLogger("wan.ui")

WORD = 16
"""Shorter texts of a request without a space are values such as a mode or resolution, not user texts."""
DEEPEST = 4
REQUEST_HEADER = "x-wan-request"
"""The id of a request that may be sent again: of a press on the page, or of a client's call."""
REQUEST = re.compile(r"[A-Za-z0-9_-]{8,100}")


def guard_events(blocks: gr.Blocks) -> None:
    """For all events of `blocks`: sets the requester and the request's id, and logs every exception that is
    not a gr.Error, without the visitor's texts.

    Gradio itself prints such a traceback to stderr instead of the log, and the page shows nothing.
    """
    inner = blocks.process_api

    async def process_api(block_fn: Any, inputs: Any, *rest: Any, **more: Any) -> dict[str, Any]:
        request = more.get("request")
        with (
            job_context("", _written(inputs)),
            requester.visitor(owner_of(request)),
            requester.attempt(request_id(request)),
        ):
            try:
                return await inner(block_fn, inputs, *rest, **more)
            except gr.Error as error:
                if error.print_exception:  # raised by Gradio itself
                    log.info("event %s: %s", getattr(block_fn, "api_name", None), error.message)
                    error.print_exception = False
                    if "<" in error.message:  # the message quotes the request
                        error.message = text("errors.not_offered")
                raise
            except Exception:
                log.exception("event %s: unexpected error", getattr(block_fn, "api_name", None) or block_fn)
                raise refusal(text("errors.unexpected")) from None

    blocks.process_api = process_api


def owner_of(request: Any) -> str:
    """The sender of a request: the login, else the middleware's id. `request`: Gradio's or Starlette's."""
    if isinstance(request, list):
        request = request[0] if request else None
    if user := getattr(request, "username", None):
        return f"user:{user}"
    found = str(getattr(getattr(request, "state", None), "visitor", "") or "")
    if found and not found.startswith("direct:"):
        return found
    session = getattr(request, "session_hash", None)  # clients on this machine share one address
    return f"{found}:{session}" if session else found


def request_id(request: Any) -> str:
    """The id that the sender gave the request; "" without a usable one. `request`: as owner_of takes it."""
    if isinstance(request, list):
        request = request[0] if request else None
    found = str((getattr(request, "headers", None) or {}).get(REQUEST_HEADER) or "")
    return found if REQUEST.fullmatch(found) else ""


def _written(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts in a request that a visitor may have written, and the visitor's token."""
    if isinstance(value, str):
        if len(value) >= WORD or " " in value:
            yield value
    elif depth < DEEPEST and isinstance(value, (list, tuple)):
        for item in value:
            yield from _written(item, depth + 1)
    elif depth < DEEPEST and isinstance(value, dict):
        for item in value.values():
            yield from _written(item, depth + 1)


def sentence(error: StudioError | InvalidParam) -> str:
    """The text that page and API show for an error: what happened, then what to do."""
    return " ".join(part for part in (error.message, error.hint) if part)


def refusal(message: str) -> gr.Error:
    """The error that an event or endpoint answers with; no traceback is logged for it."""
    return gr.Error(message, print_exception=False)
