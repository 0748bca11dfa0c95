"""The named endpoints: one per mode, and /job, /result, /cancel. For gradio_client, plain HTTP and MCP.

The names of the functions are the names of the MCP tools.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr
from gradio.context import Context

from backend.threads import visitor_of
from ui.api import modes
from ui.api.calls import Answer, Calls, Pace, as_text, asked
from ui.api.modes import FILE_SCHEMA
from ui.forms.uploads import guard_uploads
from ui.gradio_fixes.event_errors import guard_events
from ui.i18n.texts import text
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio

Function = TypeVar("Function", bound=Callable[..., Any])


def _endpoint(summary: str, returns: Any) -> Callable[[Function], Function]:
    """Documents an endpoint that takes a job's id and key.

    summary: a key of the text table. returns: the type that gr.api reads the number of outputs from.
    """

    def mark(function: Function) -> Function:
        signature = inspect.signature(function).replace(return_annotation=returns)
        function.__signature__ = signature  # type: ignore[attr-defined]
        function.__doc__ = f"{text(summary)}\n\nArgs:\n    id: {text('api.id')}\n    key: {text('api.key')}"
        return function

    return mark


class Endpoints:
    """The functions behind the endpoints that are about a job."""

    def __init__(self, studio: Studio, pace: Pace | None = None) -> None:
        self._studio = studio
        self.calls = Calls(studio, pace)

    @_endpoint("api.job", dict)
    async def job(self, id: str, key: str, request: gr.Request = None) -> dict[str, Any]:
        return (await self._job(id, key, visitor_of(request))).record()

    @_endpoint("api.fetch", Answer)
    async def result(self, id: str, key: str, request: gr.Request = None) -> Answer:
        visitor = visitor_of(request)
        return await self.calls.answer(visitor, await self._job(id, key, visitor))

    @_endpoint("api.cancel", dict)
    async def cancel(self, id: str, key: str, request: gr.Request = None) -> dict[str, Any]:
        call, writes = self._studio.cancel, self._studio.writes
        return (await asked(writes, visitor_of(request), call, as_text(id), as_text(key))).record()

    async def _job(self, id: str, key: str, visitor: str) -> JobView:
        """A job as of now, from the database."""
        call, reads = self._studio.job, self._studio.reads
        view: JobView = await asked(reads, visitor, call, as_text(id), as_text(key), join=True)
        return view


_STRING: dict[str, Any] = {"type": "string"}


def register(studio: Studio, pace: Pace | None = None) -> None:
    """Adds the endpoints to the Blocks that is being built, and the guard over every file it is sent."""
    blocks = Context.root_block
    if blocks is None:
        raise RuntimeError("register() belongs inside `with gr.Blocks()`")
    record = {"type": "object", "additionalProperties": {}, "description": text("api.record")}
    guard_uploads(blocks, studio.reads)
    guard_events(blocks)
    endpoints = Endpoints(studio)
    for spec in MODES.values():
        _add(blocks, modes.endpoint(spec, endpoints.calls), modes.schemas(spec), [FILE_SCHEMA, record])
    _add(blocks, endpoints.job, [_STRING, _STRING], [record])
    _add(blocks, endpoints.result, [_STRING, _STRING], [FILE_SCHEMA, record])
    _add(blocks, endpoints.cancel, [_STRING, _STRING], [record])


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
