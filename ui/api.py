"""The named endpoints: one per mode, and /job, /result, /cancel. For gradio_client, plain HTTP and MCP.

A call inserts a job and then only watches it: the job runs on when the caller goes away.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr
from gradio.context import Context, LocalContext

from backend.errors import StudioError
from backend.jobs import CANCELLED, DONE, FAILED, TERMINAL
from ui.form import CHOICE, FILE, TEXT, WHOLE, api_fields, api_values
from ui.picture import FILE_META, cached_copy, checked_upload, guard_uploads, max_upload_bytes, refusal
from ui.present import status
from workflows.params import CHOICES, InvalidParam

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
UNEXPECTED = "Something went wrong in Wan Studio. Try again. If it happens again, the log says more."

Answer = tuple[dict[str, Any] | None, dict[str, Any]]
"""(file or None, job record)"""
Function = TypeVar("Function", bound=Callable[..., Any])


def _returns(kind: Any) -> Callable[[Function], Function]:
    """Tells gr.api how many values come out, which it cannot see in a generator's type hint."""

    def mark(function: Function) -> Function:
        signature = inspect.signature(function).replace(return_annotation=kind)
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return mark


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


async def _asked(call: Callable[..., Any], *args: Any) -> Any:
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


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


class Endpoints:
    """The functions behind the endpoints; their names are the names of the MCP tools."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._owners = SessionOwners(studio.new_owner)
        self._waiting = 0

    @_returns(Answer)
    async def image_to_video(
        self,
        image: dict,
        prompt: str = "",
        negative_prompt: str | None = None,
        end_image: dict | None = None,
        resolution: str = "480p",
        width: int = 0,
        height: int = 0,
        seconds: float = 5.0,
        motion: str = "balanced",
        experts: str = "both",
        speed: str = "quality",
        steps: int = 0,
        cfg: float = 0.0,
        shift: float = 0.0,
        seed: int = -1,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        """Make a video from a picture with WAN 2.2. Returns the video and the job's record.

        Args:
            image: The first picture of the video: uploaded here before, or a data: address.
            prompt: What should move, up to 4,000 characters.
            negative_prompt: What should not be seen. Left out: a good default. Empty: nothing.
            end_image: The last picture of the video, if it should end at a certain one.
            resolution: draft, 480p or 720p: how many pixels; the picture gives the shape.
            width: Width in pixels, a multiple of 16 from 64 to 1920; 0 takes it from resolution and picture.
            height: Height in pixels, as width; give both or neither.
            seconds: Length of the video, 0.25 to 15 seconds.
            motion: How much moves: balanced, dynamic, subtle or official.
            experts: Which of the model's two experts draw: both, high or low.
            speed: quality (20 steps) or fast (4 steps).
            steps: Sampling steps, 1 to 100; 0 takes the mode's own.
            cfg: Guidance, 1 to 20; 0 takes the mode's own.
            shift: Noise schedule shift, 1 to 20; 0 takes the mode's own.
            seed: Same seed, same video; -1 picks a random one.
            wait: True waits for the video; false returns the job's record at once, for job and result.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "request", "wait")}
        async for answer in self._make("image_to_video", given, wait, request):
            yield answer

    @_returns(Answer)
    async def fast_video(
        self,
        image: dict,
        prompt: str = "",
        variant: str = "balanced",
        resolution: str = "480p",
        width: int = 0,
        height: int = 0,
        seconds: float = 5.0,
        seed: int = -1,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        """Make a video from a picture in few steps with WAN 2.2. Returns the video and the job's record.

        Args:
            image: The first picture of the video: uploaded here before, or a data: address.
            prompt: What should move, up to 4,000 characters.
            variant: balanced, dynamic, subtle, 480p or anti_slow_motion.
            resolution: draft, 480p or 720p: how many pixels; the picture gives the shape.
            width: Width in pixels, a multiple of 16 from 64 to 1920; 0 takes it from resolution and picture.
            height: Height in pixels, as width; give both or neither.
            seconds: Length of the video, 0.25 to 15 seconds.
            seed: Same seed, same video; -1 picks a random one.
            wait: True waits for the video; false returns the job's record at once, for job and result.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "request", "wait")}
        async for answer in self._make("fast_video", given, wait, request):
            yield answer

    @_returns(dict)
    async def job(self, id: str, key: str) -> dict[str, Any]:
        """Say how a job is doing: its record, with status queued, running, done, failed or cancelled.

        Args:
            id: The job's id, from its record.
            key: The job's key, from its record.
        """
        return (await _asked(self._studio.job, _text(id), _text(key))).record()

    @_returns(Answer)
    async def result(self, id: str, key: str) -> Answer:
        """Fetch the video of a job. Returns the video and the record; no video while it is not done.

        Args:
            id: The job's id, from its record.
            key: The job's key, from its record.
        """
        return await self._answer(await _asked(self._studio.job, _text(id), _text(key)))

    @_returns(dict)
    async def cancel(self, id: str, key: str) -> dict[str, Any]:
        """Stop a job, waiting or running. Returns its record.

        Args:
            id: The job's id, from its record.
            key: The job's key, from its record.
        """
        return (await _asked(self._studio.cancel, _text(id), _text(key))).record()

    async def _make(
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
                path = checked_upload(given[field.name], max_bytes=max_upload_bytes(blocks))
                files[field.name] = path
        view = await _asked(self._studio.submit, owner, mode, api_values(mode, given), files)
        yield None, view.record()
        if not wait or not self._may_wait(blocks):
            return
        self._waiting += 1
        try:
            async for news in self._watched(view):
                view = news
                if view.status not in TERMINAL:
                    yield None, view.record()
        finally:
            self._waiting -= 1
        yield await self._answer(view)

    def _may_wait(self, blocks: Any) -> bool:
        """A quarter of Gradio's places for running events stays free for the page's own clicks."""
        places = getattr(blocks, "max_threads", None) or 40
        return self._waiting < places * 3 // 4

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
                view = await _asked(self._studio.job, view.id, view.key)
                if view.status != last or due:  # the store may be a moment behind the memory
                    last, told = view.status, time.monotonic()
                    yield view

    async def _answer(self, view: JobView) -> Answer:
        """(file, record) of a job. Raises gr.Error when it failed or was cancelled."""
        if view.status == FAILED:
            raise refusal(sentence(StudioError.from_dict(view.error or {})))
        if view.status == CANCELLED:
            raise refusal("The job was cancelled. Start it again if you still want the video.")
        if view.status != DONE:
            return None, view.record()
        name = f"wan-{view.mode.replace('_', '-')}-{view.id[:8]}.mp4"
        source = await _asked(self._studio.result_path, view.id, view.key)
        path = await _asked(cached_copy, source, name)
        file = {"path": str(path), "orig_name": name, "mime_type": "video/mp4", "meta": FILE_META}
        return file, view.record()


_FILE: dict[str, Any] = {
    "$defs": {"FileDataMeta": {"properties": {"_type": {"const": "gradio.FileData"}}, "type": "object"}},
    "properties": {"path": {"type": "string"}, "meta": {"$ref": "#/$defs/FileDataMeta"}},
    "required": ["path", "meta"],
    "type": "object",
}
"""The least by which clients and MCP know a file; the page's own schema would add 13 kB to every load."""
_RECORD: dict[str, Any] = {"type": "object", "additionalProperties": {}, "description": "the job's record"}
_STRING: dict[str, Any] = {"type": "string"}


def register(studio: Studio) -> None:
    """Adds the endpoints to the Blocks that is being built, and the guard over every file it is sent."""
    blocks = Context.root_block
    if blocks is None:
        raise RuntimeError("register() belongs inside `with gr.Blocks()`")
    guard_uploads(blocks)
    endpoints = Endpoints(studio)
    for mode in ("image_to_video", "fast_video"):
        schemas = [_schema(mode, field.name, field.kind) for field in api_fields(mode)]
        _add(blocks, getattr(endpoints, mode), [*schemas, {"type": "boolean"}], [_FILE, _RECORD])
    _add(blocks, endpoints.job, [_STRING, _STRING], [_RECORD])
    _add(blocks, endpoints.result, [_STRING, _STRING], [_FILE, _RECORD])
    _add(blocks, endpoints.cancel, [_STRING, _STRING], [_RECORD])


def _schema(mode: str, name: str, kind: str) -> dict[str, Any]:
    """The JSON schema of one parameter, for the API page and for MCP."""
    if kind == FILE:
        return _FILE
    if kind == CHOICE:
        return {"type": "string", "enum": list(CHOICES[mode][name])}
    if kind == WHOLE:
        return {"type": "integer"}
    if name == "negative_prompt":
        return {"anyOf": [_STRING, {"type": "null"}]}
    return _STRING if kind == TEXT else {"type": "number"}


def _add(
    blocks: gr.Blocks,
    function: Callable[..., Any],
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> None:
    """One endpoint, with the schemas that gr.api cannot read from type hints: files and choices."""
    name = function.__name__
    for other in blocks.fns.values():
        if other.api_name == name:  # a private event of the page, named after its handler
            other.api_name = f"page_{name}"
    dependency = gr.api(function, api_name=name, concurrency_limit=None)
    registered = blocks.fns[dependency["id"]]
    for component, schema in zip(registered.inputs, inputs, strict=True):
        component._api_info = schema
    for component, schema in zip(registered.outputs, outputs, strict=True):
        component._api_info = schema
