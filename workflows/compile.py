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
from workflows.notice import Notice
from workflows.spec import ModeParams
from workflows.stages.lora_fit import LoraFindings, lora_findings

__all__ = ["Compiled", "Derived", "Label", "RoleFile", "ServerFacts", "compile", "model_obstacle"]


def compile(params: ModeParams, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The graphs of one job for one server.

    `server` says which nodes and files are there; ServerFacts(frozenset()) means that nothing is known.
    `job_id` (letters, digits, - and _) ends the name of the file that the server writes; else ValueError.
    Raises InvalidParam for what this server cannot do (Mix without a mask).
    """
    names = {role: file.name for role, file in server.models.items()}
    distilled = {role for role, file in server.models.items() if file.distilled}
    made = MODES[params.MODE].build(params, catalog.with_files(names, distilled), server, job_id)
    notes = [note for file in _used(made, server) for note in file.notes]
    notes += _loras(params, server).warnings
    return replace(made, warnings=(*made.warnings, *dict.fromkeys(notes))) if notes else made


def model_obstacle(params: ModeParams, compiled: Compiled, server: ServerFacts) -> Notice | None:
    """Why a file that the job loads cannot be used on this server; None when all can."""
    used = (file.obstacle for file in _used(compiled, server) if file.obstacle is not None)
    return next(used, None) or _loras(params, server).obstacle


def _loras(params: ModeParams, server: ServerFacts) -> LoraFindings:
    target = MODES[params.MODE].lora_target(params)
    return LoraFindings() if target is None else lora_findings(params, target, server)


def _used(compiled: Compiled, server: ServerFacts) -> list[RoleFile]:
    return [file for file in server.models.values() if file.name in compiled.models]
