"""The states of model files on this machine and its server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelState:
    """The state of a file of the catalogue on this machine and its server. state: ready, missing, unknown, or
    (on a server of this machine) unseen, wrong_size, damaged, unreadable, or unsuitable; `words`: what to do;
    `restart`: ComfyUI sees it after its next start."""

    title: str
    name: str
    folder: str
    bytes: int
    modes: tuple[str, ...]
    optional: bool
    state: str
    words: str = ""
    restart: bool = False
    role: str = ""
    used: str = ""  # the file of the role as the server lists it; "" for none
    others: tuple[str, ...] = ()  # further files for the role
    chosen: bool = False  # by hand
    asked: tuple[str, ...] = ()  # files that have to be chosen by hand


@dataclass(frozen=True)
class ModelScan:
    """One look at all files of the catalogue. disk: mode -> bytes that its files take on this machine's disk,
    files shared with other modes included; empty when the server is elsewhere."""

    files: tuple[ModelState, ...]
    disk: Mapping[str, int]
