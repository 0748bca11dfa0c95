"""A job and its legal transitions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal

from backend.jobs.parts import Part
from backend.jobs.stopwatch import worked
from workflows.compiled import Compiled
from workflows.modes.earlier import VERSION
from workflows.notice import Notice, notice
from workflows.params.media import Media

Status = Literal["queued", "running", "done", "failed", "cancelled"]

QUEUED: Final = "queued"
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
TERMINAL: frozenset[Status] = frozenset({DONE, FAILED, CANCELLED})

VARIATIONS: Final = "variations"
EXTENSION: Final = "extension"
ASSEMBLIES = frozenset({VARIATIONS, EXTENSION})
"""What a parent can be: a contact sheet of variations, or a clip joined with the parts drawn after it."""

FINAL: Final = "final"
"""The role of a job that is the final of its source."""

LEGAL: dict[Status, frozenset[Status]] = {
    QUEUED: frozenset({RUNNING, FAILED, CANCELLED}),
    RUNNING: frozenset({DONE, FAILED, CANCELLED, QUEUED}),  # back to the queue: the app or engine was lost
    DONE: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}


class IllegalTransition(ValueError):
    """A transition that is not in LEGAL: a programming error."""


@dataclass(frozen=True)
class JobSummary:
    """The fields of a job that retention and quotas need."""

    id: str
    owner: str
    status: Status
    finished: float | None
    pinned: bool
    parent: str = ""


@dataclass(frozen=True)
class ResultOf:
    """The result of another job as an input of a new one; that job may be unfinished.

    `frame`: which frame of a video is taken where a picture is needed, from 0; LAST_FRAME is the last.
    `key`: opens the job, for callers of the facade."""

    job: str
    frame: int = -1
    key: str = ""


@dataclass(frozen=True)
class PartResult:
    """The result of an earlier part of the same family, which has no id yet. `part`: its number, from 1;
    `frame`: as in ResultOf."""

    part: int
    frame: int = -1


LAST_FRAME: Final = -1


@dataclass(frozen=True)
class StoredInput:
    """A file that a job is made from. `media`: its name in the graphs and its measures. `file`, and
    `original` where a picture was padded: paths relative to the job's folder. `note`: a warning about it.

    `title`: the name that its owner gave it. `digest`: SHA-256 of the upload, "" for jobs of earlier
    versions. `upload`: the path of the kept upload, "" while it is not kept. `copy`: name and measures of
    the stored copy of a picture where that is smaller than the upload. `job`: id of the job whose result it
    is, and `frame` the frame of that video; `file` is "" until that job is done, and `media` planned.
    """

    media: Media
    file: str
    original: str = ""
    note: Notice | None = None
    title: str = ""
    digest: str = ""
    upload: str = ""
    copy: Media | None = None
    job: str = ""
    frame: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it is the result of a job and not stored yet."""
        return bool(self.job) and not self.file

    @property
    def unpadded(self) -> str:
        """The path of the file as it was given, for a picture in the size in which it is stored."""
        return self.original or self.file

    @property
    def gone(self) -> Notice | None:
        """Says that only a smaller copy of the upload is left; None while the upload is kept."""
        if self.upload or self.copy is None:
            return None
        return notice("original_gone", width=self.copy.width, height=self.copy.height)

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        note = self.note.to_json() if self.note is not None else ""
        return {
            **asdict(self.media),
            "note": note,
            "file": self.file,
            "original": self.original,
            "title": self.title,
            "digest": self.digest,
            "upload": self.upload,
            "copy": asdict(self.copy) if self.copy is not None else None,
            **({"job": self.job, "frame": self.frame} if self.job else {}),
        }

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> StoredInput:
        """A stored input; what an earlier version did not store has its default. Raises ValueError."""
        copy, frame = item.get("copy"), item.get("frame")
        if not (frame is None or (isinstance(frame, int) and not isinstance(frame, bool))):
            raise ValueError(f"not a frame number: {frame!r:.40}")
        return cls(
            _media(item),
            str(item.get("file", "")),
            str(item.get("original", "")),
            Notice.from_json(item["note"]) if item.get("note") else None,
            str(item.get("title", "")),
            str(item.get("digest", "")),
            str(item.get("upload", "")),
            _media(copy) if isinstance(copy, Mapping) else None,
            str(item.get("job", "")),
            frame,
        )


def _media(item: Mapping[str, Any]) -> Media:
    known = {field.name for field in fields(Media)} - {"name"}
    measures = {name: value for name, value in item.items() if name in known}
    return Media(str(item.get("name", "")), **measures)


@dataclass(frozen=True)
class Job:
    """One row of the job table.

    `params`: interface names and values as submitted, seed resolved. `inputs`: by parameter
    name. `seconds`: of the video; `elapsed`: of work.
    Times are unix seconds.
    """

    id: str
    owner: str  # access.owner_id of the owner's token
    mode: str
    params: dict[str, Any]
    inputs: dict[str, StoredInput]
    created: float
    status: Status = QUEUED
    seed: int = 0
    width: int = 0
    height: int = 0
    frames: int = 0
    fps: float = 0.0
    steps: int = 0
    evaluations: int = 0
    engine: str = ""
    demo: bool = False
    prompt_id: str = ""
    started: float | None = None
    finished: float | None = None
    warnings: tuple[Notice, ...] = ()
    error: dict[str, Any] | None = None
    size: int = 0  # bytes of the result
    attempts: int = 0
    pinned: bool = False  # retention does not remove it
    segments_done: int = 0  # of a long job, one a graph; their files are in its folder
    losses: int = 0  # engines lost in a row while running it
    server: str = ""  # address of the engine that has `prompt_id`
    remote: str = ""  # the engine's own id of the prompt, "" where it has none
    timings: dict[str, float] = field(default_factory=dict)  # activity -> seconds, see stopwatch
    cancel_requested: float | None = None  # unix seconds of the cancel request
    place: float | None = None  # what the owner's waiting jobs are sorted by once one was moved (order.place)
    delete_after: float | None = None  # unix seconds: it is deleted then, and hidden until then
    resolved: dict[str, Any] = field(default_factory=dict)  # see Resolved; of its run, or of an earlier one
    parent: str = ""  # id of the job that this one is a part of
    role: str = (
        ""  # its place in the family: the number of a variation, from "1"; FINAL: the final of its source
    )
    assembly: str = ""  # what is made of its children, see ASSEMBLIES; "" for a job that an engine draws
    source: str = (
        ""  # id of the job whose result this one continues: the draft of a final, the clip of an extension
    )
    reused: dict[str, float] = field(
        default_factory=dict
    )  # nodes that the engine did not run again, see reuse
    parts: tuple[Part, ...] = ()  # of a joined video, in order
    seam: dict[str, float] = field(default_factory=dict)  # of a loop: LoopSeam's figures, as stored
    params_version: int = VERSION  # of the values in `params`; the database may hold an earlier one

    @property
    def seconds(self) -> float:
        return self.frames / self.fps if self.fps else 0.0

    @property
    def awaited(self) -> tuple[str, ...]:
        """The ids of the jobs whose results it waits for."""
        return tuple(dict.fromkeys(item.job for item in self.inputs.values() if item.waits))

    @property
    def elapsed(self) -> float | None:
        """Seconds of work, without waiting in queues; None for a job that was never begun."""
        if self.finished is None:
            return None
        if seconds := worked(self.timings):
            return seconds
        if self.started is None:
            return None
        return max(0.0, self.finished - self.started)

    def measured_by(self, compiled: Compiled) -> Job:
        """The job with size, frames, rate, steps and evaluations of its compiled form."""
        return replace(
            self,
            width=compiled.width,
            height=compiled.height,
            frames=compiled.frames,
            fps=compiled.fps,
            steps=compiled.steps,
            evaluations=compiled.evaluations,
        )

    def moved(self, status: Status, **changes: Any) -> Job:
        """The job in its next status. Raises IllegalTransition."""
        if status not in LEGAL[self.status]:
            raise IllegalTransition(f"{self.status} -> {status}")
        return replace(self, status=status, **changes)
