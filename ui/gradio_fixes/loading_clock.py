"""Patches one line of Gradio's script, so that an idle page uses no CPU.

The clock of Gradio's loading screen (6.31) keeps requesting animation frames after the screen is removed, and
an idle tab takes a tenth of a processor core. The patched script stops the clock with its element. A Gradio
version without that line is served unchanged.
"""

from __future__ import annotations

from pathlib import Path

import gradio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
ENDLESS, ENDING = "W&&ze()", "W&&U&&ze()"
"""The clock asks for its next frame; W: it should run, U: its element, None once that is taken away."""


def script() -> tuple[str, str] | None:
    """(file name, patched text), or None if the line is not found."""
    for path in sorted(FOLDER.glob("statustracker-*.js")):
        text = path.read_text(encoding="utf-8")
        if text.count(ENDLESS) == 1 and "e=>U=e,()=>U" in text:
            return path.name, text.replace(ENDLESS, ENDING)
    return None


def routes() -> list[Route]:
    """The patched script at its original address; these routes precede Gradio's."""
    found = script()
    if found is None:
        return []
    name, text = found

    async def answer(request: Request) -> Response:
        return Response(
            text, media_type="text/javascript", headers={"Cache-Control": "public, max-age=86400"}
        )

    return [Route(f"/assets/{name}", answer)]
