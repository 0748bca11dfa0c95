"""The endpoint of a mode, derived from its specification: signature, documentation and JSON schemas."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr

from backend.media.format_names import titles
from ui.api.calls import Answer, Calls
from ui.i18n.texts import text
from workflows.spec import Field, MediaField, ModeSpec, Spec

FILE_SCHEMA: dict[str, Any] = {
    "$defs": {"FileDataMeta": {"properties": {"_type": {"const": "gradio.FileData"}}, "type": "object"}},
    "properties": {"path": {"type": "string"}, "meta": {"$ref": "#/$defs/FileDataMeta"}},
    "required": ["path", "meta"],
    "type": "object",
}
"""The minimal schema by which clients and MCP recognise a file; Gradio's own adds 13 kB to each page load."""
LORAS_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "strength": {"type": "number"},
                    "strength_low": {"type": "number"},
                },
                "required": ["name"],
            },
        },
        {"type": "string"},
    ]
}
"""A list, or its JSON text."""
RESULTS = "results"
RESULTS_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "key": {"type": "string"},
                    "frame": {"type": "integer"},
                },
                "required": ["id", "key"],
            },
        },
        {"type": "string"},
    ]
}
"""An object, or its JSON text."""
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def endpoint(spec: ModeSpec, calls: Calls) -> Callable[..., Any]:
    """An async generator function with the mode's parameters, `wait`, `variations`, `vary`, for a mode with
    files `results`, and the caller's request."""
    signature = inspect.Signature(
        [
            *(_of_mode(spec, each) for each in ordered(spec) if not later(each)),
            _parameter("wait", bool, True),
            *(_of_mode(spec, each) for each in ordered(spec) if later(each) == 1),
            _parameter("variations", int, 1),
            _parameter("vary", str, ""),
            *(_of_mode(spec, each) for each in ordered(spec) if later(each) == 2),
            *([_parameter(RESULTS, str, "")] if takes_results(spec) else ()),
            _parameter("request", gr.Request, None),
        ],
        return_annotation=Answer,
    )

    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Answer]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        wait, request = given.pop("wait"), given.pop("request")
        more = (given.pop("variations"), given.pop("vary"), given.pop(RESULTS, ""))
        async for answer in calls.make(spec.name, given, wait, request, *more):
            yield answer

    call.__name__ = call.__qualname__ = spec.name
    call.__doc__ = documentation(spec)
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return call


def ordered(spec: ModeSpec) -> tuple[Spec, ...]:
    """The endpoint's parameters: those that must be given first, those that were added last, each group in
    the order of the mode."""
    return tuple(sorted(spec.api, key=lambda each: (not required(spec, each), later(each))))


def takes_results(spec: ModeSpec) -> bool:
    """Whether the endpoint takes results of other jobs in place of files."""
    return any(isinstance(each, MediaField) for each in spec.api)


def later(each: Spec) -> int:
    """What the parameter follows, see Field."""
    return each.later if isinstance(each, Field) else 0


def required(spec: ModeSpec, each: Spec) -> bool:
    """Whether the parameter is one that a video needs: a required file, which may be the result of another
    job instead, or the prompt of a mode without files."""
    if isinstance(each, MediaField):
        return each.required
    return each.name == "prompt" and not spec.media


def schemas(spec: ModeSpec) -> dict[str, dict[str, Any]]:
    """name -> JSON schema of each parameter of the endpoint, those of every mode included, in order."""
    found = ordered(spec)
    return {
        **{each.name: schema(each) for each in found if not later(each)},
        "wait": {"type": "boolean"},
        **{each.name: schema(each) for each in found if later(each) == 1},
        "variations": {"type": "integer"},
        "vary": {"type": "string"},
        **{each.name: schema(each) for each in found if later(each) == 2},
        **({RESULTS: RESULTS_SCHEMA} if takes_results(spec) else {}),
    }


def schema(each: Spec) -> dict[str, Any]:
    """The JSON schema of one parameter, for the API page and for MCP."""
    if isinstance(each, MediaField):
        return FILE_SCHEMA
    if each.kind == "choice":
        return {"type": "string", "enum": list(each.values)}
    if each.kind == "loras":
        return LORAS_SCHEMA
    found = {"type": _JSON_TYPES[each.type]}
    return {"anyOf": [found, {"type": "null"}]} if each.nullable else found


def documentation(spec: ModeSpec) -> str:
    """The docstring: the summary, then a line for each parameter, which MCP shows as its description."""
    result = text(f"api.result.{spec.makes}")
    lines = [text("api.mode", summary=spec.summary, result=result), "", "Args:"]
    lines += [f"    {each.name}: {_help(each)}" for each in ordered(spec)]
    lines.append(f"    wait: {text('api.wait', result=result)}")
    lines.append(f"    variations: {text('api.variations', result=result)}")
    lines.append(f"    vary: {text('api.vary')}")
    if takes_results(spec):
        names = ", ".join(each.name for each in spec.api if isinstance(each, MediaField))
        lines.append(f"    {RESULTS}: {text('named_results.api', names=names)}")
    return textwrap.dedent("\n".join(lines))


def _help(each: Spec) -> str:
    """The sentence of a parameter; of a file also what it may be."""
    if isinstance(each, MediaField):
        return text("api.takes", help=each.help, formats=", ".join(titles(each.kind)))
    return each.help


def _of_mode(spec: ModeSpec, each: Spec) -> inspect.Parameter:
    return _parameter(each.name, _annotation(each), _default(spec, each))


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation, default=default
    )


def _annotation(each: Spec) -> Any:
    if isinstance(each, Field):
        return each.type | None if each.nullable else each.type
    return dict | None


def _default(spec: ModeSpec, each: Spec) -> Any:
    if isinstance(each, MediaField):
        return None  # a result of another job may take its place
    return inspect.Parameter.empty if required(spec, each) else each.default
