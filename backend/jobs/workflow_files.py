"""A job's graphs as the files that ComfyUI's page opens: one graph in a file, several files in a zip."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Graph = Mapping[str, Any]

MEMBER = "workflow-{number}.json"
"""The name of a graph in the zip, counted from 1."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the zip, so that the same graphs make the same bytes."""


@dataclass(frozen=True)
class WorkflowFile:
    """A file to save. `suffix`: ".json" or ".zip"."""

    content: bytes
    suffix: str
    media_type: str


def graphs_of(stored: str | bytes) -> list[Graph]:
    """The graphs of a stored workflow: one graph, or a list of them. Raises ValueError for anything else."""
    found = json.loads(stored)
    graphs = found if isinstance(found, list) else [found]
    if not graphs or not all(isinstance(graph, dict) for graph in graphs):
        raise ValueError("The workflow holds no graphs.")
    return graphs


def workflow_file(graphs: Sequence[Graph]) -> WorkflowFile:
    """One graph as JSON, several as a zip: ComfyUI's page refuses a list of graphs."""
    if len(graphs) == 1:
        return WorkflowFile(_text(graphs[0]), ".json", "application/json")
    return WorkflowFile(zipped(graphs), ".zip", "application/zip")


def zipped(graphs: Sequence[Graph]) -> bytes:
    """A zip with one file for each graph, in the order in which they run."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, graph in enumerate(graphs, 1):
            info = zipfile.ZipInfo(MEMBER.format(number=number), EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, _text(graph))
    return buffer.getvalue()


def _text(graph: Graph) -> bytes:
    return (json.dumps(graph, indent=1, ensure_ascii=False) + "\n").encode()
