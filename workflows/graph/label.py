"""What a node of a graph does, for progress."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """What a node does, in a creator's words."""

    stage: str  # load, read, draw, finish, save
    text: str
    steps: int = 0  # sampling steps that this node makes
    first_step: int = 0  # steps made by samplers before it in the job
