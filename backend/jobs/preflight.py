"""Between a submitted job and an engine: values -> checked Params -> graphs that this server will take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from backend.engines.base import EngineInfo
from backend.errors import BadInput, GraphRejected, InternalError, MissingModel, MissingNode
from backend.jobs.job import Job
from workflows.catalog import Catalog, load_catalog
from workflows.compile import Compiled, ServerFacts, compile
from workflows.graph.node_contract import Contract, Problem, check
from workflows.modes.parsing import params_from_values
from workflows.modes.registry import MEDIA, MODES, TITLES, InvalidParam, Media, Params

CHOOSE = {
    "picture": "Choose a picture first.",
    "sound": "Choose a sound first.",
    "video": "Choose a video first.",
}
OLDEST_COMFYUI = "0.3.64"


def make_params(mode: str, values: Mapping[str, Any], media: Mapping[str, Media]) -> Params:
    """The checked Params of interface values; absent values take the mode's defaults.

    A whole number may come as a float (a page has no integers). Raises BadInput with the field.
    """
    integers = (
        {field.name for field in fields(MODES[mode]) if field.type == "int"} if mode in MODES else set()
    )
    cleaned = {
        name: int(value) if name in integers and isinstance(value, float) and value.is_integer() else value
        for name, value in values.items()
        if value is not None
    }
    try:
        for name, (what, required) in MEDIA.get(mode, {}).items():
            if required and name not in media:
                raise InvalidParam(name, CHOOSE[what])
        return params_from_values(mode, cleaned, media)
    except InvalidParam as error:
        hint = f"{error.hint} -1 picks one at random." if error.field == "seed" else error.hint
        raise BadInput(error.message, hint, field=error.field) from error


def job_params(job: Job) -> Params:
    """The Params of a stored job."""
    return make_params(job.mode, job.params, {name: stored_media(item) for name, item in job.inputs.items()})


def stored_media(item: Mapping[str, Any]) -> Media:
    """The Media of a stored input; what an older version did not store has its default."""
    known = {field.name for field in fields(Media)}
    return Media(**{name: value for name, value in item.items() if name in known})


def compile_for(params: Params, facts: ServerFacts, job_id: str, catalog: Catalog | None = None) -> Compiled:
    """Compiles; a failure here is a mistake of ours or a setting that no constructor saw."""
    try:
        return compile(params, catalog or load_catalog(), facts, job_id)
    except InvalidParam as error:
        raise BadInput(error.message, error.hint, field=error.field) from error
    except (KeyError, TypeError, ValueError) as error:
        raise InternalError("The workflow could not be put together.", detail=repr(error)) from error


def preflight(mode: str, compiled: Compiled, contract: Contract, info: EngineInfo) -> None:
    """Raises what this server would refuse: MissingModel, MissingNode, else GraphRejected.

    Pictures are left out: they are sent after this check.
    """
    problems = tuple(
        problem
        for graph in compiled.graphs
        for problem in check(graph, contract)
        if not (problem.kind == "not_in_list" and problem.value in compiled.inputs)
    )
    if problems:
        raise refusal(mode, problems, info)


def refusal(mode: str, problems: tuple[Problem, ...], info: EngineInfo) -> GraphRejected:
    """What these problems amount to, in a creator's words."""
    detail = "; ".join(f"{p.node} {p.class_type}.{p.input}: {p.message}" for p in problems)
    files = {file.name: file for file in load_catalog().files}
    missing = sorted({str(p.value) for p in problems if p.kind == "not_in_list"} & set(files))
    nodes = sorted({p.class_type for p in problems if p.kind == "unknown_node"})
    unreadable = sorted({p.class_type for p in problems if p.kind == "unreadable_node"})
    where = f"The ComfyUI at {info.address}"
    if missing:
        return MissingModel(
            f"{TITLES[mode]} needs {missing_text(missing)}. {where} does not have it.",
            f"Run `python app.py models download {mode}`; System lists what is seen.",
            detail=detail,
        )
    if nodes:
        names = ", ".join(nodes)
        if info.version and _older(info.version, OLDEST_COMFYUI):
            return MissingNode(
                f"{TITLES[mode]} needs ComfyUI {OLDEST_COMFYUI} or newer; this one is {info.version}.",
                f"Update ComfyUI at {info.address}.",
                detail=detail,
            )
        return MissingNode(
            f"{TITLES[mode]} needs parts that {where[0].lower()}{where[1:]} does not have: {names}.",
            "Update ComfyUI, or add the custom nodes that bring them.",
            detail=detail,
        )
    if unreadable:
        return MissingNode(
            f"{TITLES[mode]} needs {', '.join(unreadable)}. {where} describes it in a way that Wan Studio"
            " cannot read.",
            "Update ComfyUI and its custom nodes; one of them may replace this node by a faulty one.",
            detail=detail,
        )
    return GraphRejected("This ComfyUI would not take the workflow.", detail=detail)


def missing_text(names: list[str]) -> str:
    """ "a.safetensors in vae (254 MB) and b.safetensors in loras (1.2 GB)"."""
    files = {file.name: file for file in load_catalog().files}
    parts = [f"{name} in {files[name].folder} ({size_text(files[name].bytes)})" for name in names]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def size_text(count: int) -> str:
    """Decimal units as shops and disks use them: 1_226_977_424 -> "1.2 GB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    if count >= 1e6:
        return f"{count / 1e6:.0f} MB"
    return f"{max(0, count) / 1e3:.0f} kB"


def _older(version: str, than: str) -> bool:
    """Whether a dotted version comes before another; what cannot be read counts as not older."""
    try:
        return [int(part) for part in version.split(".")] < [int(part) for part in than.split(".")]
    except ValueError:
        return False
