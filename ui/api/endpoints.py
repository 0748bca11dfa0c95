"""The named endpoints: one per mode, /job, /result, /cancel, and those of model_endpoints.py. For
gradio_client, plain HTTP and MCP.

The names of the functions are the names of the MCP tools.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr
from gradio.components.api_component import Api
from gradio.context import Context

from backend.threads import visitor_of
from ui.api import extending, finishing, modes, tools
from ui.api.calls import Answer, Calls, Pace, as_text, asked
from ui.api.extending import Extending
from ui.api.finishing import Finishing
from ui.api.model_endpoints import USE_SCHEMA, ModelEndpoints
from ui.api.modes import FILE_SCHEMA
from ui.api.recipe_endpoint import RecipeEndpoint
from ui.forms.presets import PresetBox
from ui.forms.uploads import guard_uploads
from ui.gradio_fixes.checked_inputs import guard_inputs
from ui.gradio_fixes.event_errors import guard_events
from ui.i18n.texts import text
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio

SEARCH_MAX = 200
"""Characters of a search that are used."""

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
        self._box = PresetBox(studio, "")

    @_endpoint("api.job", dict)
    async def job(self, id: str, key: str, request: gr.Request = None) -> dict[str, Any]:
        return (await self._job(id, key, request)).record()

    @_endpoint("api.fetch", Answer)
    async def result(self, id: str, key: str, request: gr.Request = None) -> Answer:
        return await self.calls.answer(visitor_of(request), await self._job(id, key, request))

    @_endpoint("api.cancel", dict)
    async def cancel(self, id: str, key: str, request: gr.Request = None) -> dict[str, Any]:
        call, writes = self._studio.cancel, self._studio.writes
        owner, _ = self.calls.caller(request)
        view: JobView = await asked(writes, visitor_of(request), call, as_text(id), as_text(key), owner)
        return view.record()

    async def loras(self, search: str = "", mode: str = "image_to_video", request: gr.Request = None) -> list:
        call, reads = self._studio.loras, self._studio.reads
        found = await asked(
            reads, visitor_of(request), call, as_text(mode), as_text(search)[:SEARCH_MAX], join=True
        )
        return [row.record() for row in found.rows]

    loras.__doc__ = "\n".join(
        (
            text("api.loras"),
            "",
            "Args:",
            f"    search: {text('api.loras_search')}",
            f"    mode: {text('api.loras_mode')}",
        )
    )

    async def presets(self, request: gr.Request = None) -> list:
        owner, _ = self.calls.caller(request)
        found: list[dict[str, Any]] = await asked(
            self._studio.reads, visitor_of(request), self._box.records, owner
        )
        return found

    presets.__doc__ = text("presets.api.list")

    async def _job(self, id: str, key: str, request: gr.Request | None) -> JobView:
        """A job as of now, from the database, as this caller may see it."""
        call, reads = self._studio.job, self._studio.reads
        owner, _ = self.calls.caller(request)
        visitor = visitor_of(request)
        view: JobView = await asked(reads, visitor, call, as_text(id), as_text(key), owner, join=True)
        return view


Schema = dict[str, Any]
_STRING: Schema = {"type": "string"}


def register(studio: Studio, pace: Pace | None = None) -> None:
    """Adds the endpoints to the Blocks that is being built, and the guard over every file it is sent."""
    blocks = Context.root_block
    if blocks is None:
        raise RuntimeError("register() belongs inside `with gr.Blocks()`")
    record = {"type": "object", "additionalProperties": {}, "description": text("api.record")}
    guard_inputs(blocks)
    guard_uploads(blocks, studio.reads)
    guard_events(blocks)
    tools.install(blocks, studio.writes)
    endpoints = Endpoints(studio, pace)
    shared = _SharedComponents()
    for spec in MODES.values():
        endpoint = modes.endpoint(spec, endpoints.calls)
        shared.add(blocks, endpoint, modes.schemas(spec), {"result": FILE_SCHEMA, "job": record})
    job = {"id": _STRING, "key": _STRING}
    shared.add(blocks, endpoints.job, job, {"job": record})
    shared.add(blocks, endpoints.result, job, {"result": FILE_SCHEMA, "job": record})
    shared.add(blocks, endpoints.cancel, job, {"job": record})
    made = {"result": FILE_SCHEMA, "job": record}
    shared.add(blocks, Finishing(studio, endpoints.calls).finish, finishing.SCHEMA, made)
    extends = Extending(studio, endpoints.calls)
    shared.add(blocks, extends.extend, extending.EXTEND_SCHEMA, made)
    shared.add(blocks, extends.reroll, extending.REROLL_SCHEMA, made)
    listed = {"type": "array", "items": {"type": "object"}}
    names = {"type": "string", "enum": list(MODES)}
    shared.add(blocks, endpoints.loras, {"search": _STRING, "mode": names}, {"loras": listed})
    shared.add(blocks, endpoints.presets, {}, {"presets": listed})
    models = ModelEndpoints(studio, endpoints.calls)
    found = {"type": "object", "additionalProperties": {}, "description": text("model_api.record")}
    shared.add(blocks, models.models, {}, {"models": found})
    shared.add(blocks, models.use_model, USE_SCHEMA, {"model": found})
    read = {"type": "object", "additionalProperties": {}, "description": text("recipes.api.record")}
    recipe = RecipeEndpoint(studio, endpoints.calls).recipe
    shared.add(blocks, recipe, {"file": FILE_SCHEMA, **job}, {"recipe": read})


class _SharedComponents:
    """The hidden components of the endpoints: one for all values of the same name, schema and default.

    gr.api creates one for every parameter and result of every endpoint, and each is sent to every browser.
    """

    def __init__(self) -> None:
        self._known: dict[str, Api] = {}

    def add(
        self,
        blocks: gr.Blocks,
        function: Callable[..., Any],
        inputs: Mapping[str, Schema],
        outputs: Mapping[str, Schema],
    ) -> None:
        """Adds an endpoint. inputs, outputs: name -> JSON schema, as gr.api cannot read from type hints which
        values are files and which of a choice."""
        name = function.__name__
        for other in blocks.fns.values():
            if other.api_name == name:  # a private event of the page, named after its handler
                other.api_name = f"page_{name}"
        dependency = gr.api(function, api_name=name, concurrency_limit=None)
        registered = blocks.fns[dependency["id"]]
        registered.inputs = self._shared(registered.inputs, inputs)
        registered.outputs = self._shared(registered.outputs, outputs)

    def _shared(self, components: Sequence[Any], schemas: Mapping[str, Schema]) -> list[Any]:
        found = []
        for component, (name, schema) in zip(components, schemas.items(), strict=True):
            component.label, component._api_info = name, schema
            key = json.dumps([name, schema, component.value], sort_keys=True)
            known = self._known.setdefault(key, component)
            if known is not component:
                component.unrender()
            found.append(known)
        return found
