"""Params in, ComfyUI graph out: a pure function, run when a job is dispatched to a server."""

from __future__ import annotations

from workflows.catalog import Catalog
from workflows.labels import Compiled, Label, ServerFacts
from workflows.params import Params

__all__ = ["Compiled", "Label", "ServerFacts", "compile"]


def compile(params: Params, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The graphs of one job for one server."""
    raise NotImplementedError
