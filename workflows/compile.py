"""Params in, ComfyUI graph out: a pure function, run when a job is dispatched to a server.

Pure means: the same params, catalog, server facts and job id give the same graphs, byte for byte.
"""

from __future__ import annotations

from dataclasses import replace

from workflows.catalog import Catalog
from workflows.compiled import Compiled, Derived
from workflows.graph.label import Label
from workflows.graph.node_contract import RoleFile, ServerFacts
from workflows.modes.registry import MODES
from workflows.notice import Notice, notice
from workflows.repetition import gone, kept_params, kept_server, resolved_of, without_namesakes
from workflows.resolved import Resolved
from workflows.spec import ModeParams
from workflows.stages.lora_fit import LoraFindings, lora_findings

__all__ = [
    "Compiled",
    "Derived",
    "Label",
    "Resolved",
    "RoleFile",
    "ServerFacts",
    "compile",
    "model_obstacle",
]

_OF_SERVER = frozenset({"no_pose_detector", "animate_2_needs_node"})
"""Warnings that say what the server lacks."""


def compile(
    params: ModeParams,
    catalog: Catalog,
    server: ServerFacts,
    job_id: str,
    keep: Resolved | None = None,
) -> Compiled:
    """The graphs of one job for one server.

    `server` says which nodes and files are there; ServerFacts(frozenset()) means that nothing is known.
    `job_id` (letters, digits, - and _) ends the name of the file that the server writes; else ValueError.
    `keep`: of an earlier run whose graphs are wanted again; what the server no longer has is replaced and
    reported. Raises InvalidParam for what this server cannot do (Mix without a mask).
    """
    if keep is None:
        return _compile(params, catalog, server, job_id)
    lacking = gone(keep, server)
    wanted = kept_params(params, keep, lacking, catalog)
    known = replace(catalog, default_negative=keep.negative or catalog.default_negative)
    made = _compile(wanted, known, kept_server(keep, server, lacking, catalog), job_id)
    fresh = _compile(params, catalog, server, job_id)
    true = [one for one in made.warnings if one in fresh.warnings or one.code not in _OF_SERVER]
    if lacking:
        return replace(made, warnings=(*true, notice("earlier_run_gone", names=lacking)))
    if fresh.graphs == made.graphs:
        return replace(made, warnings=fresh.warnings)
    return replace(made, warnings=(*true, notice("repeats_earlier_run")))


def _compile(params: ModeParams, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    names = {role: file.name for role, file in server.models.items()}
    distilled = {role for role, file in server.models.items() if file.distilled}
    named = catalog.with_files(names, distilled)
    made = MODES[params.MODE].build(params, named, server, job_id)
    notes = [note for file in _used(made, server) for note in file.notes]
    notes += _loras(params, server, made.route).warnings
    warnings = (*made.warnings, *dict.fromkeys(notes))
    return replace(made, warnings=warnings, resolved=resolved_of(params, made, named, server))


def model_obstacle(
    params: ModeParams, compiled: Compiled, server: ServerFacts, keep: Resolved | None = None
) -> Notice | None:
    """Why a file that the job loads cannot be used on this server; None when all can. `keep`: as in
    `compile`."""
    if keep is not None:
        server = without_namesakes(keep, server)
    used = (file.obstacle for file in _used(compiled, server) if file.obstacle is not None)
    return next(used, None) or _loras(params, server, compiled.route).obstacle


def _loras(params: ModeParams, server: ServerFacts, route: str) -> LoraFindings:
    target = MODES[params.MODE].lora_target(params, route)
    return LoraFindings() if target is None else lora_findings(params, target, server)


def _used(compiled: Compiled, server: ServerFacts) -> list[RoleFile]:
    return [file for file in server.models.values() if file.name in compiled.models]
