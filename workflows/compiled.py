"""What compiling gives back, as data: labels of nodes, the compiled job, and what a server can do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workflows.graph.label import Label
from workflows.notice import Notice
from workflows.resolved import Resolved


@dataclass(frozen=True)
class Derived:
    """A file that must be made before a graph runs. Times in seconds, sizes in pixels; 0: as the source.

    sound: `seconds` of the source's sound from `start` on, as WAV, behind `silence`. `level`: (start,
        seconds) of the part whose loudness is brought to the common one; all of it gets that gain.
    clip: `frames` pictures of the source video, re-timed to `fps`, from picture number `first_frame` on,
        counted from `start`; upright, scaled to width x height, no sound. Where the source ends early its
        last picture is repeated.
    tail: the last `frames` pictures of the graph before, without loss, at `fps`.
    """

    name: str  # what the graph calls the file
    kind: str  # sound, clip, tail
    source: str = ""  # name of the Media it is made from; "" for a tail
    start: float = 0.0
    seconds: float = 0.0
    silence: float = 0.0
    level: tuple[float, float] | None = None  # None: as loud as it is
    frames: int = 0
    fps: float = 0.0
    first_frame: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Compiled:
    """A job as ComfyUI takes it. One each per prompt: `graphs`, `labels`, `derived`, `kept`,
    `segment_names`."""

    graphs: tuple[dict[str, Any], ...]  # API format: node id -> {"class_type", "inputs", "_meta"}
    labels: tuple[dict[str, Label], ...]  # node id -> label
    inputs: tuple[str, ...]  # names of all files that the graphs read, derived ones included
    sampling_steps: int  # of all graphs together
    evaluations: int  # of the model; a step with guidance (cfg above 1) counts 2
    models: tuple[str, ...]  # file names, in the order in which they are loaded
    width: int
    height: int
    frames: int
    fps: float
    steps: int  # length of the noise schedule
    warnings: tuple[Notice, ...] = ()
    derived: tuple[tuple[Derived, ...], ...] = ((),)  # to be made before each graph
    kept: tuple[int, ...] = ()  # frames of the result that each graph makes
    sound: Derived | None = None  # laid on the joined result once; None: the one file has its own, or none
    still: bool = False  # the result is a picture (PNG)
    segment_names: tuple[str, ...] = ("",)  # "part 2 of 5" when there are several graphs
    route: str = ""  # Animate: where pose, face and mask come from (native, preprocess, template, given)
    distillation: str = ""  # name of the one that makes it fast, "" for none
    resolved: Resolved = field(default_factory=Resolved)
