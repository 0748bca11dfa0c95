"""One line of Gradio's page, mended on its way to the browser.

The clock of Gradio's loading screen (6.31) runs on when the screen is gone: the page is woken with every
frame, for ever, and an idle tab takes a tenth of a processor core. The served script stops the clock when its
element is gone. With another Gradio, where the line is not found, the file is served as it is.
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
    """(file name, mended text), or None where there is nothing to mend."""
    for path in sorted(FOLDER.glob("statustracker-*.js")):
        text = path.read_text(encoding="utf-8")
        if text.count(ENDLESS) == 1 and "e=>U=e,()=>U" in text:
            return path.name, text.replace(ENDLESS, ENDING)
    return None


def routes() -> list[Route]:
    """The mended script at its own address; ours come before Gradio's."""
    found = script()
    if found is None:
        return []
    name, text = found

    async def answer(request: Request) -> Response:
        return Response(
            text, media_type="text/javascript", headers={"Cache-Control": "public, max-age=86400"}
        )

    return [Route(f"/assets/{name}", answer)]
