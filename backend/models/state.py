"""A model file as this machine and its server have it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelState:
    """A file of the catalogue as this machine and its server have it. state: ready, missing, unknown, or
    (on a server of this machine) unseen, wrong_size, damaged, unreadable; `words`: what to do."""

    title: str
    name: str
    folder: str
    bytes: int
    modes: tuple[str, ...]
    optional: bool
    state: str
    words: str = ""
