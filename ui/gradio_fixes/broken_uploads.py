"""Removes the partial files of aborted uploads and closes their descriptors.

Gradio writes an upload to a temporary file and removes it only when the upload is malformed. The file stays,
open, when the client disconnects, when a size limit ends the body, and when no field reads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from pathlib import Path
from typing import Any

from gradio import route_utils, routes

_parsers: contextvars.ContextVar[list[Any]] = contextvars.ContextVar("parsers")


class _Parser(route_utils.GradioMultiPartParser):
    """Registers itself with the upload that it parses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _parsers.get([]).append(self)


def clean_up() -> None:
    """Patches Gradio's upload function to clean up. Repeated calls have no effect."""
    inner = route_utils.upload_fn
    if routes.upload_fn is not inner:
        return

    async def upload_fn(*args: Any, **kwargs: Any) -> tuple[list[Any], list[Any], list[Any]]:
        parsers: list[Any] = []
        _parsers.set(parsers)
        try:
            done, to_copy, places = await inner(*args, **kwargs)
        except BaseException:
            _close_all(parsers, set())
            for parser in parsers:
                if parser.upload_progress is not None:  # ends the progress stream of the upload
                    parser.upload_progress.set_done(parser.upload_id)
            raise
        _close_all(parsers, {str(name) for name in to_copy})
        return done, to_copy, places

    route_utils.GradioMultiPartParser = _Parser
    routes.upload_fn = upload_fn


def _close_all(parsers: list[Any], wanted: set[str]) -> None:
    """Runs in a thread: the event loop, which may be cancelling this task, does no file I/O."""

    def close() -> None:
        for parser in parsers:
            _close(parser, wanted)

    if parsers:
        asyncio.get_running_loop().run_in_executor(None, close)


def _close(parser: Any, wanted: set[str]) -> None:
    """Closes the parser's files and removes those that are not in `wanted`, the moved ones."""
    for file in parser._files_to_close_on_error:
        with contextlib.suppress(OSError, ValueError):  # a full disk, or a write in progress
            file.close()
        if str(file.name) not in wanted:
            with contextlib.suppress(OSError):
                Path(file.name).unlink(missing_ok=True)
