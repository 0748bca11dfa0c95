"""The state of a model file on this machine and its server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelState:
    """The state of a file of the catalogue on this machine and its server. state: ready, missing, unknown, or
    (on a server of this machine) unseen, wrong_size, damaged, unreadable; `words`: what to do."""

    title: str
    name: str
    folder: str
    bytes: int
    modes: tuple[str, ...]
    optional: bool
    state: str
    words: str = ""
