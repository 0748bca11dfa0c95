"""Calls of a component's functions that no page makes are refused, without a traceback in the log.

Gradio looks up the component and the function by what the request says, and lets every KeyError through.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ui.i18n.texts import text

log = logging.getLogger("wan.ui")

PATH = "/component_server"
OURS = ("ui.", "backend.")
"""Packages whose exceptions are faults of the studio, whatever was sent."""

Handler = Callable[[Request, Exception], Awaitable[Response]]


def exception_handlers() -> Mapping[type[Exception], Handler]:
    """For app_kwargs["exception_handlers"]: what Gradio raises for a malformed call."""
    return dict.fromkeys((KeyError, TypeError, ValueError, AttributeError, RecursionError), _answer)


async def _answer(request: Request, error: Exception) -> Response:
    if request.url.path.rstrip("/").endswith(PATH) and not _is_ours(error.__traceback__):
        log.info("a call of a component's function: %s", type(error).__name__)
        return JSONResponse({"detail": text("errors.not_offered")}, 400)
    log.error("request %s: unexpected error", request.url.path, exc_info=error)
    return JSONResponse({"detail": text("errors.unexpected")}, 500)


def _is_ours(trace: TracebackType | None) -> bool:
    """Whether the studio's own code was running."""
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.startswith(OURS) and not name.startswith("backend.web."):
            return True
        trace = trace.tb_next
    return False
