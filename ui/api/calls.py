"""One API call: the caller's identity, its job, the updates while it waits, and the result file.

A call queues a job and then only watches it: the job continues when the caller disconnects.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import LocalContext

from backend.errors import StudioError
from backend.jobs.job import CANCELLED, DONE, FAILED, TERMINAL
from backend.threads import Threads, visitor_of
from ui.api.reports import reporter
from ui.forms.schema import api_values
from ui.forms.uploads import FILE_META, cached_copy, checked_upload, max_upload_bytes
from ui.gradio_fixes.event_errors import refusal, sentence
from ui.i18n.texts import text
from ui.views.progress import status
from ui.views.wording import thing
from workflows.modes.registry import MODES
from workflows.params.values import InvalidParam

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio

log = logging.getLogger("wan.ui")

OWNER_HEADER = "x-wan-owner"
SESSIONS_MAX = 10_000
TYPES = {".mp4": "video/mp4", ".png": "image/png"}


@dataclass(frozen=True)
class Pace:
    """How a waiting call follows its job, in seconds.

    heartbeat: how often it yields the job; with `longest` it stays below the documented 10 s. The interval
    between progress checks is a `share` of the time waited so far, from `shortest` to `longest`.
    """

    heartbeat: float = 8.0
    shortest: float = 0.05
    longest: float = 1.0
    share: float = 0.01

    def pause(self, waited: float) -> float:
        """Seconds until the next look, after this many seconds of waiting."""
        return min(self.longest, max(self.shortest, waited * self.share))


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
        """The token that the caller sent (the studio checks it), else the one made for the caller."""
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


async def asked(
    threads: Threads, visitor: str, call: Callable[..., Any], *args: Any, join: bool = False
) -> Any:
    """A blocking call, off the event loop; its errors become gr.Error. join: as Threads.run has it."""
    try:
        return await threads.run(visitor, call, *args, join=join)
    except (StudioError, InvalidParam) as error:
        raise refusal(sentence(error)) from None
    except gr.Error:
        raise
    except Exception:
        log.exception("An API call failed")
        raise refusal(text("errors.unexpected")) from None


def _caller(request: gr.Request | None) -> str | None:
    """Whose jobs the calls without a token count as. A client chooses its session, so only for programs on
    this machine, which share one address, does the session tell callers apart."""
    visitor = visitor_of(request)
    if visitor and not visitor.startswith("direct:"):
        return f"{(request.username if request is not None else None) or ''} {visitor}"
    return request.session_hash if request is not None else None


def as_text(value: object) -> str:
    """A text as it is; any other value counts as empty."""
    return value if isinstance(value, str) else ""


class Calls:
    """Queues and watches the jobs of API calls, and counts the waiting calls."""

    def __init__(self, studio: Studio, pace: Pace | None = None) -> None:
        self._studio, self.pace = studio, pace or Pace()
        self._owners = SessionOwners(studio.new_owner)
        self.waiting = 0

    def caller(self, request: gr.Request | None) -> tuple[str, str]:
        """(token, login) of who calls; "" without a login."""
        headers = request.headers if request is not None else {}
        owner = self._owners.owner(headers.get(OWNER_HEADER), _caller(request))
        return owner, (request.username if request is not None else None) or ""

    async def make(
        self,
        mode: str,
        given: dict[str, Any],
        wait: Any,
        request: gr.Request | None,
        variations: Any = 1,
        vary: Any = "",
        results: Any = "",
    ) -> AsyncIterator[Answer]:
        """Submits; then yields (None, record) at least every 10 s and (file, record) at the end.

        variations, vary, results: as the endpoint has them, unchecked."""
        owner, user = self.caller(request)
        limit = max_upload_bytes(LocalContext.blocks.get(None))

        def submit() -> JobView:
            files = {
                name: checked_upload(given[name], field.kind, limit)
                for name, field in MODES[mode].media.items()
                if given.get(name) is not None
            }
            return self._studio.submit(
                owner, mode, api_values(mode, given), files, user=user,
                variations=1 if variations is None else variations, vary=vary or "", results=results,
            )  # fmt: skip

        async for answer in self.followed(owner, submit, wait):
            yield answer

    async def followed(self, owner: str, submit: Callable[[], JobView], wait: Any) -> AsyncIterator[Answer]:
        """Submits a job; then yields as `make` does. wait: unchecked."""
        if wait is None:
            wait = True
        if not isinstance(wait, bool):
            raise refusal(text("api.bad_wait"))
        blocks = LocalContext.blocks.get(None)
        view = await asked(self._studio.writes, owner, submit)
        yield None, view.record()
        if not wait or not self.may_wait(blocks):
            return
        self.waiting += 1
        try:
            async for news in self._watched(owner, view):
                view = news
                if view.status not in TERMINAL:
                    yield None, view.record()
        finally:
            self.waiting -= 1
        yield await self.answer(owner, view)

    def may_wait(self, blocks: Any) -> bool:
        """Whether another call may wait: a quarter of Gradio's event threads stays free for the page."""
        places = getattr(blocks, "max_threads", None) or 40
        return self.waiting < places * 3 // 4

    async def _watched(self, owner: str, view: JobView) -> AsyncIterator[JobView]:
        """The job whenever its status changed or a heartbeat is due, until it ends."""
        report = reporter()
        began = reported = time.monotonic()
        version, last = -1, view.status
        while last not in TERMINAL:
            await asyncio.sleep(self.pace.pause(time.monotonic() - began))
            state = self._studio.live_progress(view.id, view.key, owner)  # memory
            if state is None:  # evicted from memory, or deleted
                state = await self._ask(owner, self._studio.progress, view, owner)
            if state.version != version:
                version = state.version
                report(min(100, int(state.percent)), status(state))
            due = time.monotonic() - reported >= self.pace.heartbeat
            if state.status != last or due:
                view = await self._ask(owner, self._studio.job, view, owner)
                if view.status != last or due:  # the store may lag behind the memory
                    last, reported = view.status, time.monotonic()
                    yield view

    async def _ask(self, owner: str, call: Callable[..., Any], view: JobView, *more: str) -> Any:
        return await asked(self._studio.reads, owner, call, view.id, view.key, *more, join=True)

    async def answer(self, owner: str, view: JobView) -> Answer:
        """(file, record) of a job. Raises gr.Error when it failed or was cancelled."""
        if view.status == FAILED:
            raise refusal(sentence(StudioError.from_dict(view.error or {})))
        if view.status == CANCELLED:
            raise refusal(text("api.cancelled", result=thing(view)))
        if view.status != DONE:
            return None, view.record()
        name = view.answer_name
        source = await self._ask(owner, self._studio.result_path, view)
        path = await asked(self._studio.writes, owner, cached_copy, source, name)
        file = {
            "path": str(path),
            "orig_name": name,
            "mime_type": TYPES[Path(name).suffix],
            "meta": FILE_META,
        }
        return file, view.record()
