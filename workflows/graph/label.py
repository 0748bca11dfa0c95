"""What a node of a graph does, for progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StageName = Literal["wait", "load", "read", "draw", "finish", "save", "done"]
"""The stages of a job in order; a node is in one of "load" to "save"."""


@dataclass(frozen=True)
class Label:
    """What a node does, as the page shows it. `chunk` of `chunks` of the job, from 1; 0 for a job of one."""

    stage: StageName
    text: str
    steps: int = 0  # sampling steps that this node makes
    first_step: int = 0  # steps made by samplers before it in the job
    chunk: int = 0
    chunks: int = 0
