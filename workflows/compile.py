"""Params in, ComfyUI graph out: a pure function, run when a job is dispatched to a server.

Pure means: the same params, catalog, server facts and job id give the same graphs, byte for byte.
"""

from __future__ import annotations

from workflows.catalog import Catalog
from workflows.compiled import Compiled, Derived
from workflows.graph.label import Label
from workflows.graph.node_contract import ServerFacts
from workflows.modes.registry import MODES
from workflows.spec import ModeParams

__all__ = ["Compiled", "Derived", "Label", "ServerFacts", "compile"]


def compile(params: ModeParams, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The graphs of one job for one server.

    `server` says which nodes and files are there; ServerFacts(frozenset()) means that nothing is known.
    `job_id` (letters, digits, - and _) ends the name of the file that the server writes; else ValueError.
    Raises InvalidParam for what this server cannot do (Mix without a mask).
    """
    return MODES[params.MODE].build(params, catalog, server, job_id)
