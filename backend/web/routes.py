"""ASGI routes beside Gradio's, results by signed address, and the middleware around all of them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from backend import logs
from backend.errors import StudioError
from backend.jobs.downloads import download_name
from backend.jobs.job import VARIATIONS
from backend.jobs.layout import INPUT, POSTER, RESULT, STILL, WORKFLOW
from backend.jobs.workflow_files import WorkflowFile, graphs_of, workflow_file
from backend.security.accounts import Accounts
from backend.studio import SHEET_SECONDS, Studio
from backend.threads import visitor_of
from backend.web.clients import Proxies
from backend.web.hosts import Hosts
from backend.web.middleware import AccessMiddleware, Rules
from backend.web.request_rates import STRICT, Rates
from backend.web.served_page import ServedPage, Sessions

log = logging.getLogger("wan.web")

TYPES = {
    RESULT: "video/mp4",
    STILL: "image/png",
    POSTER: "image/jpeg",
    WORKFLOW: "application/json",
    INPUT: "image/png",
}
PUBLIC_REASON = "The data folder has changed, so no video is started. See System and the log for details."
"""For /healthz, which needs no login: without the folder's path."""
HEADERS = {
    "Cache-Control": "private, max-age=86400",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
SHEET_HEADERS = {**HEADERS, "Cache-Control": "private, no-cache"}
"""Of a set: its contact sheet is made again when its clips change."""
SHEET_LOOK = 0.1


def middleware_lifespan(
    studio: Studio, upload_folder: Path, prefix: str = "", hosts: Hosts | None = None
) -> Callable[[Any], Any]:
    """A lifespan that puts AccessMiddleware around the app's other middleware: app_kwargs["lifespan"].

    prefix: the path below which a proxy serves the page. hosts: the names at which it is served; None:
    those of this machine alone.

    app_kwargs["middleware"] would be inside of Gradio's own, which answers every origin.
    """
    settings = studio.settings

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        logs.adopt("uvicorn", "uvicorn.error", "uvicorn.access")  # before the first request

        sessions = Sessions(app)
        rules = Rules(
            max_upload_bytes=settings.max_upload_mb * 1_000_000,
            upload_folder=upload_folder,
            hosts=hosts or Hosts(settings.allowed_hosts),
            proxies=Proxies(settings.trusted_proxies),
            prefix=prefix,
            secret=studio.secret("visitor").encode(),
            on_spaces=bool(os.environ.get("SPACE_ID")),
            accounts=Accounts.of(settings),
            signed_in=sessions.has,
            session_cookie=sessions.cookie,
            page=ServedPage(app),
            reads=studio.reads,
        )
        usual = Rates()

        def rates() -> Rates:
            return STRICT if studio.settings.open_to_all else usual

        app.middleware_stack = AccessMiddleware(app.middleware_stack, rules, rates=rates)
        yield

    return lifespan


def routes(studio: Studio) -> list[Any]:
    """`GET /healthz` and `GET /media/<job id>/<name>?exp=&sig=`, the latter with Range and HEAD.

    The download of a workflow of several graphs is a zip with one file for each.
    """

    async def healthz(_: Request) -> Response:
        queue, infos, trouble = studio.queue(), studio.engines(), studio.trouble()
        return JSONResponse(
            {
                "status": studio.status(),
                "engine": infos[0].kind,
                "queue": {"waiting": queue.waiting, "running": queue.running},
                **({"trouble": PUBLIC_REASON} if trouble else {}),
            },
            headers={"Cache-Control": "no-store"},
        )

    async def media(request: Request) -> Response:
        job_id, name = request.path_params["job_id"], request.path_params["name"]
        query = request.query_params
        asked = (job_id, name, query.get("exp", ""), query.get("sig", ""))
        try:
            found = await studio.reads.run(visitor_of(request), studio.media_file, *asked, join=True)
        except StudioError as error:
            log.warning("media: %s: %s %s", error.code, error.message, error.detail)
            words = f"{error.message} {error.hint}".strip()
            return PlainTextResponse(words, 503, {"Cache-Control": "no-store", "Retry-After": "5"})
        if found is not None and name in (RESULT, STILL) and studio.sheet_waits(job_id):
            until = time.monotonic() + SHEET_SECONDS
            while studio.sheet_waits(job_id) and time.monotonic() < until:
                await asyncio.sleep(SHEET_LOOK)
            found = await studio.reads.run(visitor_of(request), studio.media_file, *asked, join=True)
        if found is None:
            return PlainTextResponse("This file is not here, or the address is no longer good.", 404)
        path, job = found
        headers = SHEET_HEADERS if job.assembly == VARIATIONS else HEADERS
        if name == WORKFLOW and query.get("download"):
            file = await studio.reads.run(visitor_of(request), _workflow, path)
            if file is not None:
                stem = download_name(job, name).removesuffix(".json")
                disposition = f'attachment; filename="{stem}{file.suffix}"'
                return Response(
                    file.content,
                    media_type=file.media_type,
                    headers={**headers, "Content-Disposition": disposition},
                )
        return FileResponse(
            path,
            media_type=TYPES.get(path.name, TYPES[name]),
            headers=headers,
            filename=download_name(job, name) if query.get("download") else None,
        )

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/media/{job_id}/{name}", media, methods=["GET", "HEAD"]),
    ]


def _workflow(path: Path) -> WorkflowFile | None:
    """A stored workflow as a file to save; None for one that cannot be read, which is sent as it is."""
    try:
        return workflow_file(graphs_of(path.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        log.warning("media: the workflow %s cannot be read: %s", path, error)
        return None
