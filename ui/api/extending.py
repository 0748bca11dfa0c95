"""The endpoints that extend a video and draw one of its parts again; also MCP tools, named after their
functions."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr
from gradio.context import LocalContext

from ui.api.calls import Answer, Calls, as_text
from ui.api.modes import FILE_SCHEMA
from ui.forms.uploads import checked_upload, max_upload_bytes
from ui.i18n.texts import text

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio

METHODS, SPEEDS = ("auto", "svi", "last_frame"), ("quality", "fast")
"""The first of each is the default, as in every mode."""
_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
EXTEND_SCHEMA: dict[str, Any] = {
    "id": _TEXT,
    "key": _TEXT,
    "prompt": _TEXT,
    "seconds": {"type": "number"},
    "frame": _WHOLE,
    "end_image": FILE_SCHEMA,
    "method": {"type": "string", "enum": list(METHODS)},
    "speed": {"type": "string", "enum": list(SPEEDS)},
    "seed": _WHOLE,
    "wait": {"type": "boolean"},
}
REROLL_SCHEMA: dict[str, Any] = {
    "id": _TEXT,
    "key": _TEXT,
    "part": _WHOLE,
    "prompt": _TEXT,
    "seed": _WHOLE,
    "wait": {"type": "boolean"},
}
Function = TypeVar("Function", bound=Callable[..., Any])


def _documented(schema: dict[str, Any]) -> Callable[[Function], Function]:
    """Documents an endpoint, and says how many results gr.api finds. schema: of its parameters."""

    def mark(function: Function) -> Function:
        name = function.__name__
        lines = [text(f"extend_api.{name}"), "", "Args:"]
        for each in schema:
            if each == "wait":
                said = text("api.wait", result=text("api.result.video"))
            else:
                said = text("api.key") if each == "key" else text(f"extend_api.argument.{each}")
            lines.append(f"    {each}: {said}")
        function.__doc__ = "\n".join(lines)
        signature = inspect.signature(function).replace(return_annotation=Answer)
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return mark


class Extending:
    """Both need the token of the clip's owner: a private link is not enough."""

    def __init__(self, studio: Studio, calls: Calls) -> None:
        self._studio, self._calls = studio, calls

    @_documented(EXTEND_SCHEMA)
    async def extend(
        self,
        id: str,
        key: str,
        prompt: str = "",
        seconds: float = 5.0,
        frame: int = -1,
        end_image: dict | None = None,
        method: str = METHODS[0],
        speed: str = SPEEDS[0],
        seed: int = -1,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        owner, user = self._calls.caller(request)
        limit = max_upload_bytes(LocalContext.blocks.get(None))

        def submit() -> JobView:
            return self._studio.extend(
                owner,
                as_text(id),
                as_text(key),
                prompt=prompt or "",
                seconds=5.0 if seconds is None else seconds,
                frame=-1 if frame is None else frame,
                end_image=None if end_image is None else checked_upload(end_image, "picture", limit),
                method=METHODS[0] if method is None else as_text(method),
                speed=SPEEDS[0] if speed is None else as_text(speed),
                seed=-1 if seed is None else seed,
                user=user,
            )

        async for answer in self._calls.followed(owner, submit, wait):
            yield answer

    @_documented(REROLL_SCHEMA)
    async def reroll(
        self,
        id: str,
        key: str,
        part: int = -1,
        prompt: str = "",
        seed: int = -1,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        owner, user = self._calls.caller(request)

        def submit() -> JobView:
            drawn = -1 if seed is None else seed
            call = self._studio.reroll
            number = -1 if part is None else part
            return call(
                owner, as_text(id), as_text(key), number, prompt=prompt or None, seed=drawn, user=user
            )

        async for answer in self._calls.followed(owner, submit, wait):
            yield answer
