"""The endpoint that makes the final of a clip; also an MCP tool, named after its function."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.api.calls import Answer, Calls, as_text
from ui.i18n.texts import text
from workflows.finals import RESOLUTIONS, SPEEDS

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio

SCHEMA: dict[str, Any] = {
    "id": {"type": "string"},
    "key": {"type": "string"},
    "resolution": {"type": "string", "enum": list(RESOLUTIONS)},
    "speed": {"type": "string", "enum": list(SPEEDS)},
    "wait": {"type": "boolean"},
}


class Finishing:
    """Needs the token of the clip's owner: a private link is not enough."""

    def __init__(self, studio: Studio, calls: Calls) -> None:
        self._studio, self._calls = studio, calls

    async def finish(
        self,
        id: str,
        key: str,
        resolution: str = RESOLUTIONS[0],
        speed: str = SPEEDS[0],
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        owner, user = self._calls.caller(request)

        def submit() -> JobView:
            return self._studio.finish(
                owner,
                as_text(id),
                as_text(key),
                resolution=RESOLUTIONS[0] if resolution is None else as_text(resolution),
                speed=SPEEDS[0] if speed is None else as_text(speed),
                user=user,
            )

        async for answer in self._calls.followed(owner, submit, wait):
            yield answer

    finish.__signature__ = inspect.signature(finish).replace(  # type: ignore[attr-defined]
        return_annotation=Answer
    )
    finish.__doc__ = "\n".join(
        (
            text("final_api.finish"),
            "",
            "Args:",
            f"    id: {text('final_api.id')}",
            f"    key: {text('api.key')}",
            f"    resolution: {text('final_api.resolution')}",
            f"    speed: {text('final_api.speed')}",
            f"    wait: {text('api.wait', result=text('api.result.video'))}",
        )
    )
