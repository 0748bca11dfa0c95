"""Params in, ComfyUI graph out: a pure function, run when a job is dispatched to a server.

Pure means: the same params, catalog, server facts and job id give the same graphs, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workflows.catalog import Catalog
from workflows.compiled import Compiled, Derived
from workflows.graph.label import Label
from workflows.graph.node_contract import ServerFacts
from workflows.modes import fast_video, image_to_video, sound_to_video, text
from workflows.modes.animate import build as animate
from workflows.modes.registry import Params

__all__ = ["Compiled", "Derived", "Label", "ServerFacts", "compile"]

_BUILDERS: Mapping[str, Callable[[Any, Catalog, ServerFacts, str], Compiled]] = {
    "image_to_video": image_to_video.build,
    "fast_video": fast_video.build,
    "sound_to_video": sound_to_video.build,
    "animate": animate.build,
    "text_to_video": text.build_video,
    "text_to_image": text.build_image,
}


def compile(params: Params, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The graphs of one job for one server.

    `server` says which nodes and files are there; ServerFacts(frozenset()) means that nothing is known.
    `job_id` (letters, digits, - and _) ends the name of the file that the server writes; else ValueError.
    Raises InvalidParam for what this server cannot do (Mix without a mask).
    """
    return _BUILDERS[params.MODE](params, catalog, server, job_id)
