"""What the runner needs of an engine, and what an engine says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from backend.events import Event, Output
from workflows.graph.label import Label
from workflows.graph.node_contract import Contract
from workflows.notice import Notice


@dataclass(frozen=True)
class EngineInfo:
    """A snapshot of one server, for the badge, /healthz and System. Sizes in bytes, 0 when unknown."""

    kind: str  # comfyui, demo, runpod: see engines/kinds.py
    address: str
    state: str = "starting"  # starting, ok, lost
    version: str = ""
    gpu: str = ""
    vram_total: int = 0
    vram_free: int = 0
    ram_total: int = 0
    ram_free: int = 0
    running: int = 0
    pending: int = 0
    error: str = ""
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # folder -> file names seen
    python: str = ""
    pytorch: str = ""
    input_dir: str = ""  # its folders, when they are on this machine
    output_dir: str = ""
    note: Notice | None = None  # worth knowing of a server that works
    ours: bool = False  # started by this studio
    restarts: int = 0  # of a server of ours, since the studio was started
    workers: Mapping[str, int] = field(default_factory=dict)  # of a Serverless endpoint: state -> how many


@dataclass(frozen=True)
class Request:
    """A whole job as it was asked for, for an engine that compiles by itself (EngineKind.takes_whole)."""

    mode: str
    params: Mapping[str, Any]  # interface names and values without media, seed and size resolved
    media: Mapping[str, Path]  # parameter -> file on this machine


@dataclass(frozen=True)
class Prompt:
    """One graph on its way to an engine, or, with `request`, a whole job."""

    id: str  # canonical lowercase uuid4, chosen by us
    graph: Mapping[str, Any]  # ComfyUI API format
    labels: Mapping[str, Label]  # node id -> what it does, in words
    sampling_steps: int  # of the whole job
    files: Mapping[str, Path]  # name in the graph -> file on this machine
    index: int = 0  # which graph of the job
    remote: str = ""  # the engine's own id of it (events.Accepted), when it is followed again
    request: Request | None = None


class Engine(Protocol):
    """One server, one job at a time. All methods may be called from any thread."""

    def info(self) -> EngineInfo:
        """The last known snapshot; never blocks."""
        ...

    def refresh(self) -> EngineInfo:
        """Asks the server; an unreachable one gives state `starting` or `lost`, never an exception."""
        ...

    def contract(self) -> Contract | None:
        """What the server's nodes take, from its own /object_info; None for a kind that does not describe
        its nodes (EngineKind.has_contract). Raises EngineUnreachable."""
        ...

    def known_contract(self) -> Contract | None:
        """The same as last read, None also before the server has answered; never blocks."""
        ...

    def run(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        """Uploads, submits and follows one prompt until its end; returns what was written.

        Raises a StudioError: JobCancelled when it was cancelled, EngineLost when the server went away,
        else what the engine said. on_event runs on the calling thread.
        """
        ...

    def resume(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        """Follows a prompt that was posted by an earlier run of the app, as `run` does; nothing is sent.

        Raises PromptGone when the server does not know it, else as run.
        """
        ...

    def cancel(self, prompt_id: str, remote: str = "") -> bool:
        """Stops that prompt only; harmless when it is not there. `remote`: the engine's own id of it.
        False when the server could not be told."""
        ...

    def fetch(self, output: Output, destination: Path) -> None:
        """Streams an output into a new file. Raises NoOutput, EngineUnreachable, DiskFull."""
        ...

    def close(self) -> None: ...
