"""One call of a client: who it is, its job, what it is told while it waits, and the file at the end.

A call inserts a job and then only watches it: the job runs on when the caller goes away.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import LocalContext

from backend.errors import StudioError
from backend.jobs import CANCELLED, DONE, FAILED, TERMINAL
from ui.form import FILE, api_fields, api_values
from ui.picture import FILE_META, cached_copy, checked_upload, max_upload_bytes, refusal
from ui.present import status, thing
from ui.unexpected import UNEXPECTED
from workflows.params import MEDIA, InvalidParam

if TYPE_CHECKING:
    from backend.studio import Studio
    from backend.views import JobView

log = logging.getLogger("wan.api")

OWNER_HEADER = "x-wan-owner"
HEARTBEAT_SECONDS = 8.0
"""How often a waiting call yields the job; interface.md promises 10 s."""
POLL_MIN, POLL_MAX, POLL_SHARE = 0.05, 1.0, 0.01
"""Seconds between looks at a job's progress: a hundredth of the time waited so far, within these."""
SESSIONS_MAX = 10_000
TYPES = {".mp4": "video/mp4", ".png": "image/png"}

Answer = tuple[dict[str, Any] | None, dict[str, Any]]
"""(file or None, job record)"""


class SessionOwners:
    """session -> owner token, the most recent SESSIONS_MAX of them. Thread-safe."""

    def __init__(self, new_owner: Callable[[], str], limit: int = SESSIONS_MAX) -> None:
        self._new_owner = new_owner
        self._limit = limit
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def owner(self, header: str | None, session: str | None) -> str:
        """The caller's own token as it was sent (the studio judges it), else the session's."""
        if header:
            return header
        if not session:
            return self._new_owner()
        with self._lock:
            token = self._known.pop(session, None) or self._new_owner()
            self._known[session] = token
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
            return token


def sentence(error: StudioError | InvalidParam) -> str:
    """What happened, then what to do: the text that the page shows."""
    return " ".join(part for part in (error.message, error.hint) if part)


async def asked(call: Callable[..., Any], *args: Any) -> Any:
    """A blocking call of the studio, off the event loop; its errors become gr.Error."""
    try:
        return await asyncio.to_thread(call, *args)
    except (StudioError, InvalidParam) as error:
        raise refusal(sentence(error)) from None
    except gr.Error:
        raise
    except Exception:
        log.exception("An API call failed")
        raise refusal(UNEXPECTED) from None


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


class Calls:
    """Makes and watches the jobs of calls; knows how many of them wait."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._owners = SessionOwners(studio.new_owner)
        self.waiting = 0

    async def make(
        self, mode: str, given: dict[str, Any], wait: Any, request: gr.Request | None
    ) -> AsyncIterator[Answer]:
        """Submits; then yields (None, record) at least every 10 s and (file, record) at the end."""
        if wait is None:
            wait = True
        if not isinstance(wait, bool):
            raise refusal("wait must be true or false.")
        headers = request.headers if request is not None else {}
        session = request.session_hash if request is not None else None
        owner = self._owners.owner(headers.get(OWNER_HEADER), session)
        blocks = LocalContext.blocks.get(None)
        files = {}
        for field in api_fields(mode):
            if field.kind == FILE and given[field.name] is not None:
                kind = MEDIA[mode][field.name][0]
                files[field.name] = checked_upload(given[field.name], kind, max_upload_bytes(blocks))
        view = await asked(self._studio.submit, owner, mode, api_values(mode, given), files)
        yield None, view.record()
        if not wait or not self.may_wait(blocks):
            return
        self.waiting += 1
        try:
            async for news in self._watched(view):
                view = news
                if view.status not in TERMINAL:
                    yield None, view.record()
        finally:
            self.waiting -= 1
        yield await self.answer(view)

    def may_wait(self, blocks: Any) -> bool:
        """A quarter of Gradio's places for running events stays free for the page's own clicks."""
        places = getattr(blocks, "max_threads", None) or 40
        return self.waiting < places * 3 // 4

    async def _watched(self, view: JobView) -> AsyncIterator[JobView]:
        """The job whenever its status changed or HEARTBEAT_SECONDS went by, until it has ended."""
        progress = gr.Progress()
        began = told = time.monotonic()
        version, last = -1, view.status
        while last not in TERMINAL:
            waited = time.monotonic() - began
            await asyncio.sleep(min(POLL_MAX, max(POLL_MIN, waited * POLL_SHARE)))
            try:
                state = self._studio.progress(view.id, view.key)  # memory
            except StudioError as error:  # deleted meanwhile
                raise refusal(sentence(error)) from None
            if state.version != version:
                version = state.version
                progress((min(100, int(state.percent)), 100), desc=status(state))
            due = time.monotonic() - told >= HEARTBEAT_SECONDS
            if state.status != last or due:
                view = await asked(self._studio.job, view.id, view.key)
                if view.status != last or due:  # the store may be a moment behind the memory
                    last, told = view.status, time.monotonic()
                    yield view

    async def answer(self, view: JobView) -> Answer:
        """(file, record) of a job. Raises gr.Error when it failed or was cancelled."""
        if view.status == FAILED:
            raise refusal(sentence(StudioError.from_dict(view.error or {})))
        if view.status == CANCELLED:
            raise refusal(f"The job was cancelled. Start it again if you still want the {thing(view)}.")
        if view.status != DONE:
            return None, view.record()
        suffix = Path(view.result).suffix
        name = f"wan-{view.mode.replace('_', '-')}-{view.id[:8]}{suffix}"
        source = await asked(self._studio.result_path, view.id, view.key)
        path = await asked(cached_copy, source, name)
        file = {"path": str(path), "orig_name": name, "mime_type": TYPES[suffix], "meta": FILE_META}
        return file, view.record()
