"""The engine interface: its protocol, the prompts it takes and the snapshot it reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from backend.events import Event, Output
from workflows.graph.label import Label
from workflows.graph.node_contract import Contract
from workflows.notice import Notice

ExitCause = Literal["", "ended", "crashed", "killed", "memory", "gpu", "hung"]
"""Why a server process ended: by itself, by a fault of its own, by a signal from outside, for lack of memory,
after an error of the GPU, or because it no longer answered."""


@dataclass(frozen=True)
class EngineInfo:
    """A snapshot of one server, for the page header, /healthz and System. Sizes in bytes, 0 if unknown."""

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
    error: Notice | None = None  # why it does not answer or start up
    fault: Notice | None = None  # the same, where the reason is known: why its address cannot be used
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # folder -> model file names
    python: str = ""
    pytorch: str = ""
    input_dir: str = ""  # empty if the folder is not on this machine
    output_dir: str = ""  # likewise
    note: Notice | None = None  # a warning about a server that works
    ours: bool = False  # started by this studio
    restarts: int = 0  # of a server that this studio started, since the studio's start
    exited: float = 0.0  # unix time at which such a server last ended by itself; 0: it never did
    exit_cause: ExitCause = ""  # why
    workers: Mapping[str, int] = field(default_factory=dict)  # of a Serverless endpoint: state -> count


@dataclass(frozen=True)
class Request:
    """A whole job as requested, for an engine that compiles the graph itself (EngineKind.takes_whole)."""

    mode: str
    params: Mapping[str, Any]  # API names and values without media; seed and size are resolved
    media: Mapping[str, Path]  # parameter -> file on this machine
    titles: Mapping[str, str] = field(default_factory=dict)  # parameter -> the owner's name for the file
    resolved: Mapping[str, Any] = field(default_factory=dict)  # of the earlier run that it repeats, as stored


@dataclass(frozen=True)
class Prompt:
    """One graph to run, or, with `request`, a whole job."""

    id: str  # canonical lowercase UUID4, chosen by the caller
    graph: Mapping[str, Any]  # ComfyUI API format
    labels: Mapping[str, Label]  # node id -> stage and text for the progress
    sampling_steps: int  # of the whole job
    files: Mapping[str, Path]  # name in the graph -> file on this machine
    index: int = 0  # of the graph within the job
    remote: str = ""  # the engine's own job id (events.Accepted), for a prompt that is resumed
    request: Request | None = None


class Engine(Protocol):
    """A lane on one server that runs one prompt at a time. All methods may be called from any thread."""

    def info(self) -> EngineInfo:
        """The last known snapshot; never blocks."""
        ...

    def refresh(self) -> EngineInfo:
        """Requests the server's status. Never raises: without a response, state is `starting` or `lost`."""
        ...

    def contract(self) -> Contract | None:
        """The inputs of the server's nodes, from /object_info; None for a kind without a node contract
        (EngineKind.has_contract). Raises EngineUnreachable."""
        ...

    def known_contract(self) -> Contract | None:
        """The contract as last read, or None before the server has responded; never blocks."""
        ...

    def run(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        """Uploads inputs, submits the prompt, waits for it to end and returns its output files.

        Raises a StudioError: JobCancelled after a cancellation, EngineLost if the server became unavailable,
        else the error that the engine reported. `on_event` is called on the calling thread.
        """
        ...

    def resume(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        """Waits for a prompt that an earlier process submitted, as `run` does, without submitting anything.

        Raises PromptGone if the server does not know the prompt, otherwise as `run`.
        """
        ...

    def cancel(self, prompt_id: str, remote: str = "") -> bool:
        """Cancels only this prompt; does nothing if the server does not have it. `remote`: the engine's own
        job id. Returns False if the server could not be reached."""
        ...

    def fetch(self, output: Output, destination: Path) -> None:
        """Downloads an output into a new file. Raises NoOutput, EngineUnreachable, DiskFull."""
        ...

    def close(self) -> None:
        """Disconnects from the server; prompts that are running there continue."""
        ...
