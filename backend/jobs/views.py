"""Jobs, plans and the queue as frozen data for the page and the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from backend.formatting import Location, crop_text, estimate_text
from backend.jobs.drawing_model import model_of
from backend.jobs.job import LAST_FRAME, Job, ResultOf, Status
from backend.jobs.layout import POSTER, answer_name, result_name
from backend.jobs.reuse import READ_ONCE
from backend.jobs.stopwatch import UNTIL
from backend.media.facts import LoopSeam
from backend.notices import words
from workflows import finals
from workflows.modes.registry import MODES
from workflows.notice import Notice
from workflows.resolved import Resolved

EXTEND = "extend"
"""The parameter of a joined video that names its new part."""
SEVERAL = finals.SEVERAL
"""The parameters of a parent that its mode does not have."""


@dataclass(frozen=True)
class ChildView:
    """A part of a job: what opens it, and how far it is."""

    id: str
    key: str
    seed: int
    status: Status
    width: int = 0
    height: int = 0

    def record(self) -> dict[str, Any]:
        """The part as the API names it."""
        return {name: getattr(self, name) for name in ("id", "key", "seed", "status")}


@dataclass(frozen=True)
class SeamView:
    """How the seam before a part looks. `doubled`: a frame is shown twice; `brightness`, `colour`: jumps in
    levels of 255; `motion`: the difference of its two frames as a multiple of the usual one around it."""

    doubled: bool
    brightness: float
    colour: float
    motion: float


@dataclass(frozen=True)
class PartView:
    """A part of a joined video. `id`, `key`: of the job that drew it, which may be gone; `key` is "" for
    everyone but its owner. `route`: clip, last_frame or svi. `stale`: the part before it was replaced after
    this one was drawn. `start`, `frames`: of the joined video. `seam`: None for the first part and for one
    that is not joined yet."""

    number: int
    id: str
    key: str
    seed: int
    prompt: str
    route: str
    status: Status
    stale: bool
    start: int
    frames: int
    seam: SeamView | None = None

    def record(self) -> dict[str, Any]:
        """The part as the API names it, without a key for those who may not open it."""
        record = asdict(self)
        if not self.key:
            del record["key"]
        return record


@dataclass(frozen=True)
class ExtendPlan:
    """What extending a video would do. `route`: svi or last_frame; `reason`: why this route is used, None
    where the caller chose it; `problems`: why it is refused; `seconds_before`, `seconds_after`: of the video
    up to the frame, and of the joined one; `notes`: what is left out of the part, and other warnings;
    `values`: the parameters that it is drawn with."""

    route: str
    reason: Notice | None = None
    problems: tuple[Notice, ...] = ()
    seconds_before: float = 0.0
    seconds_after: float = 0.0
    notes: tuple[Notice, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JobView:
    """A job with the key that opens it. Times are unix seconds, `bytes` the size of the result."""

    id: str
    key: str
    mode: str
    status: Status
    params: dict[str, Any]
    title: str
    seed: int
    width: int
    height: int
    frames: int
    fps: float
    seconds: float
    steps: int
    engine: str
    demo: bool
    elapsed: float | None
    created: float
    finished: float | None
    warnings: tuple[Notice, ...]
    error: dict[str, Any] | None
    bytes: int
    pinned: bool = False
    timings: Mapping[str, float] = field(default_factory=dict)  # activity -> seconds, see jobs.stopwatch
    titles: Mapping[str, str] = field(default_factory=dict)  # input file -> the name its owner gave it
    owner: str = ""  # the stored id of the owner, from which the token cannot be computed
    gone: tuple[Notice, ...] = ()  # uploads that are no longer kept
    resolved: Mapping[str, Any] = field(default_factory=dict)  # parameter -> what "auto" or 0 stood for
    models: tuple[str, ...] = ()  # files that were loaded, as far as they are known
    drawn_by: str = ""  # the kind of model that drew it, see drawing_model; "" as long as it is not known
    parent: str = ""  # id of the job that this one is a part of
    children: tuple[ChildView, ...] = ()
    source: str = ""  # id of the job that this one continues
    role: str = ""  # see Job.role
    assembly: str = ""  # see Job.assembly
    results: Mapping[str, ResultOf] = field(default_factory=dict)  # input -> the job whose result it is
    awaited: tuple[str, ...] = ()  # ids of the jobs whose results it waits for
    reused: Mapping[str, float] = field(default_factory=dict)  # nodes that were not run again, see jobs.reuse
    parts: tuple[PartView, ...] = ()  # of a joined video
    seam: LoopSeam | None = None  # measured, of a loop

    @property
    def read_once(self) -> bool:
        """Whether text and picture were read once for all of the children: the engine still had them."""
        return bool(self.reused.get(READ_ONCE))

    @property
    def result(self) -> str:
        """The name of the finished file."""
        return result_name(self.mode)

    @property
    def poster(self) -> str:
        """The name of the video's poster picture."""
        return POSTER

    @property
    def drawn(self) -> tuple[int, int]:
        """Width and height of what is drawn, in pixels: of variations those of one, not of the sheet."""
        sizes = [(part.width, part.height) for part in self.children if part.width and part.height]
        return sizes[0] if sizes else (self.width, self.height)

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters of the mode, without those that make variations."""
        return {name: value for name, value in self.params.items() if name not in SEVERAL}

    @property
    def answer_name(self) -> str:
        """The name that the API gives the finished file."""
        return answer_name(self.mode, self.id)

    def record(self) -> dict[str, Any]:
        """The job record of the API."""
        names = (
            "id", "key", "mode", "status", "seed", "width", "height", "frames", "fps", "seconds", "steps",
            "engine", "elapsed", "created",
        )  # fmt: skip
        record: dict[str, Any] = {name: getattr(self, name) for name in names}
        warnings = (*self.warnings, *self.gone)
        record["warnings"] = [words(warning) for warning in warnings]
        record["timings"] = {name: seconds for name, seconds in self.timings.items() if name != UNTIL}
        record["warning_codes"] = [warning.code for warning in warnings]
        record["resolved"], record["models"] = dict(self.resolved), list(self.models)
        if self.parent:
            record["parent"] = self.parent
        if self.source:
            record["source"] = self.source
        if self.results:
            record["results"] = {name: {"id": of.job, "frame": of.frame} for name, of in self.results.items()}
        if self.reused:
            record["reused"] = {name: round(count) for name, count in self.reused.items()}
        if self.seam is not None:
            record["seam"] = self.seam.to_json()
        if self.children:
            record["children"] = [child.record() for child in self.children]
        if self.parts:
            record["parts"] = [part.record() for part in self.parts]
        if self.error is not None:
            record["error"] = dict(self.error)
        return record


@dataclass(frozen=True)
class SourceFile:
    """A stored file that a job was made from. `filename`: the creator's name for it, "" if unknown;
    `reduced`: a smaller copy of a picture that is no longer kept as it was sent."""

    path: Path
    filename: str = ""
    reduced: bool = False


Basis = Literal["", "own_card", "card", "no_card"]
"""What an estimate is from: finished jobs; measurements of the GPU, made on this machine or elsewhere;
nothing, and the GPU has not been measured."""


@dataclass(frozen=True)
class Estimate:
    """How long a job will take. `seconds`: None while nothing is known. `source`: of measurements that were
    made elsewhere."""

    mode: str
    seconds: float | None = None
    location: Location = "here"
    basis: Basis = ""
    source: str = ""

    def times(self, count: int) -> Estimate:
        """That of so many, one after the other."""
        return self if self.seconds is None else replace(self, seconds=self.seconds * count)

    @property
    def is_first(self) -> bool:
        """Whether no job of this mode has finished there yet."""
        return self.seconds is None

    @property
    def text(self) -> str:
        if self.seconds is None:
            lacks = "No measurement for this card" if self.basis == "no_card" else "No estimate yet"
            return f"{lacks}. We'll know once a {MODES[self.mode].makes} has been made here."
        said = estimate_text(self.seconds, self.location)
        if self.basis == "own_card":
            return f"{said}, measured on this card"
        return f"{said}, estimated from {self.source}" if self.basis == "card" else said

    @property
    def short(self) -> str:
        """Without the location; "" while nothing is known."""
        return "" if self.seconds is None else estimate_text(self.seconds)


@dataclass(frozen=True)
class Crop:
    """Shares of a picture's width and height, 0 to 1, that its frame cuts off; with `padded` the picture is
    padded instead."""

    horizontal: float
    vertical: float
    padded: bool = False

    @property
    def text(self) -> str:
        if self.padded and (round(100 * self.horizontal) or round(100 * self.vertical)):
            return "Padded to the frame, nothing is cropped"
        return crop_text(self.horizontal, self.vertical)


@dataclass(frozen=True)
class Plan:
    """What a job with the current settings becomes. `segments`: graphs of the job; `chunks`: pieces that the
    model draws one after the other; `crop`: None without a picture; `estimate`: None while no server answers;
    `obstacle`: why it cannot run; `problems`: field -> sentence; `route`: where Animate gets pose and mask
    from, as Compiled has it; `follows`: the kind of the file that the length comes from, while it is not
    given: length and estimate are not known then; `own`: the value used for an empty number, by parameter;
    `bytes`: an upper estimate of the result's size; `count`: videos that are made together, of which
    `estimate` and `bytes` are those of all."""

    width: int = 0
    height: int = 0
    frames: int = 0
    fps: float = 0.0
    seconds: float = 0.0
    steps: int = 0
    segments: int = 1
    crop: Crop | None = None
    estimate: Estimate | None = None
    obstacle: Notice | None = None
    problems: dict[str, str] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()
    route: str = ""
    chunks: int = 1
    follows: str = ""
    own: Mapping[str, float] = field(default_factory=dict)
    bytes: int = 0
    count: int = 1


@dataclass(frozen=True)
class Place:
    """A place in the queue. `position`: 0 is running, 1 is next; `job`: only of the visitor's own jobs."""

    position: int
    mode: str
    mine: bool
    job: JobView | None


@dataclass(frozen=True)
class QueueRow:
    """A line of the queue's list. `position`: 0 is running, 1 is next; `place`: from 1, running jobs count;
    `job`: of the visitor's own jobs, for the admin of all; `start`, `end`: expected, in seconds from now,
    None while unknown; `earlier`, `later`: whether the visitor can move it there."""

    position: int
    place: int
    mode: str
    mine: bool
    job: JobView | None = None
    start: float | None = None
    end: float | None = None
    earlier: bool = False
    later: bool = False


@dataclass(frozen=True)
class QueueState:
    running: int
    waiting: int


def view(
    job: Job, key: str, children: tuple[ChildView, ...] = (), parts: tuple[PartView, ...] = ()
) -> JobView:
    """A stored job with its key, its children and its parts."""
    resolved = Resolved.from_json(job.resolved) or Resolved()
    return JobView(
        id=job.id,
        key=key,
        mode=job.mode,
        status=job.status,
        params=dict(job.params),
        title=_title(str(job.params.get("prompt") or "")),
        seed=job.seed,
        width=job.width,
        height=job.height,
        frames=job.frames,
        fps=job.fps,
        seconds=job.seconds,
        steps=job.steps,
        engine=job.engine,
        demo=job.demo,
        elapsed=job.elapsed,
        created=job.created,
        finished=job.finished,
        warnings=tuple(job.warnings),
        error=job.error,
        bytes=job.size,
        pinned=job.pinned,
        timings=dict(job.timings),
        titles={name: item.title for name, item in job.inputs.items() if item.title},
        owner=job.owner,
        parent=job.parent,
        children=children,
        source=job.source,
        results={
            name: ResultOf(item.job, LAST_FRAME if item.frame is None else item.frame)
            for name, item in job.inputs.items()
            if item.job
        },
        awaited=job.awaited,
        reused=dict(job.reused),
        role=job.role,
        assembly=job.assembly,
        parts=parts,
        seam=LoopSeam.from_json(job.seam),
        gone=tuple(gone for item in job.inputs.values() if (gone := item.gone) is not None),
        resolved=resolved.values,
        models=tuple(dict.fromkeys(resolved.files.values())),
        drawn_by=model_of(resolved.files),
    )


def _title(prompt: str, longest: int = 80) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= longest else line[: longest - 3].rstrip() + "..."
