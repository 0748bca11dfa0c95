"""Params in, ComfyUI graph out: a pure function, run when a job is dispatched to a server.

Pure means: the same params, catalog, server facts and job id give the same graphs, byte for byte.
"""

from __future__ import annotations

from workflows import fast_video, image_to_video
from workflows.catalog import Catalog
from workflows.labels import Compiled, Label, ServerFacts
from workflows.params import FastVideo, ImageToVideo, Params

__all__ = ["Compiled", "Label", "ServerFacts", "compile"]


def compile(params: Params, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The graphs of one job for one server.

    `server` says which nodes and files are there; ServerFacts(frozenset()) means that nothing is known.
    `job_id` (letters, digits, - and _) ends the name of the file that the server writes; else ValueError.
    """
    if isinstance(params, ImageToVideo):
        return image_to_video.build(params, catalog, server, job_id)
    if not isinstance(params, FastVideo):
        raise NotImplementedError(params.MODE)
    return fast_video.build(params, catalog, server, job_id)
