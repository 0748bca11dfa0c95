"""The events of a job: one frozen dataclass each, independent of how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.graph.label import StageName
from workflows.notice import Notice


@dataclass(frozen=True)
class Queued:
    """The job is queued. `ahead`: our own jobs before it; `others`: jobs of other clients on that server."""

    ahead: int = 0
    others: int = 0


@dataclass(frozen=True)
class Accepted:
    """The engine has the prompt under its own id `remote`. Engines that use our id do not send this."""

    remote: str


@dataclass(frozen=True)
class Started:
    """The engine began to execute the graph (`graph`: its index, for jobs of several segments).

    `cached`: the node ids whose result the server still had; None when that was not seen.
    """

    graph: int = 0
    cached: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Stage:
    """Another piece of work began. `stage` is one of STAGES, `text` the words for the page.

    `chunk` of `chunks`: as in Label. `preparing`: the media of the next graph are cut, between two graphs.
    """

    stage: StageName
    text: str
    node: str = ""
    chunk: int = 0
    chunks: int = 0
    preparing: bool = False


@dataclass(frozen=True)
class Progress:
    """`step` of `steps` sampling steps of the whole job are done."""

    step: int
    steps: int


@dataclass(frozen=True)
class Preview:
    """A picture of the work so far: JPEG or PNG bytes."""

    image: bytes
    mime: str = "image/jpeg"


@dataclass(frozen=True)
class Output:
    """The engine wrote a file; these three names identify it."""

    filename: str
    subfolder: str = ""
    kind: str = "output"


@dataclass(frozen=True)
class Warned:
    """The warnings of the engine that compiled the job itself, and what it resolved the job to."""

    notices: tuple[Notice, ...]
    resolved: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Connection:
    """The connection to the engine was lost or is back; the job itself is not affected."""

    connected: bool


@dataclass(frozen=True)
class EndedAt:
    """The unix time at which the prompt ended, by the clock of its engine, where the end was not seen."""

    unix: float


@dataclass(frozen=True)
class Finished:
    """The engine has finished; it sent the outputs before."""


@dataclass(frozen=True)
class Failed:
    """The engine failed. `error` is StudioError.to_dict(); `detail` is for the log."""

    error: dict[str, Any]
    detail: str = ""


@dataclass(frozen=True)
class Cancelled:
    """The job was interrupted or removed from the queue."""


STAGES: tuple[StageName, ...] = ("wait", "load", "read", "draw", "finish", "save")
"""In the order in which the job card shows them."""

Event = (
    Queued
    | Accepted
    | Started
    | Stage
    | Progress
    | Preview
    | Output
    | Warned
    | Connection
    | EndedAt
    | Finished
    | Failed
    | Cancelled
)
