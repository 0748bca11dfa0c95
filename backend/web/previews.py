"""`GET /preview?path=`: an uploaded picture or video as a small JPEG, where a browser cannot show its format.

As with Gradio's own route for files, a client that knows the path of an upload, which is random, may see it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from backend import requester
from backend.errors import StudioError
from backend.studio import Studio
from backend.threads import visitor_of
from backend.web.access_rules import PREVIEW
from backend.web.body_limits import is_file_inside

HEADERS = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}


def routes(studio: Studio, upload_folder: Path) -> list[Any]:
    """The route, for files below upload_folder."""

    def made(visitor: str, name: str) -> bytes | None:
        if not is_file_inside(name, upload_folder):
            return None
        with requester.visitor(visitor), tempfile.TemporaryDirectory(prefix="wan-preview-") as folder:
            target = Path(folder) / "preview.jpg"
            studio.preview_file(Path(name), target)
            return target.read_bytes()

    async def preview(request: Request) -> Response:
        visitor = visitor_of(request)
        try:
            found = await studio.reads.run(visitor, made, visitor, request.query_params.get("path", ""))
        except StudioError:  # the form says what is wrong with the file
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        if found is None:
            return PlainTextResponse("This file is not here.", 404)
        return Response(found, media_type="image/jpeg", headers=HEADERS)

    return [Route(PREVIEW, preview, methods=["GET"])]
