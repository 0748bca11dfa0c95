"""What the job card shows, as data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from backend.jobs.final_views import Relations
from backend.jobs.snapshot import Snapshot

if TYPE_CHECKING:
    from backend.jobs.views import JobView, Place

BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""One transparent pixel, the source of the preview's <img> until there is one."""
ACTIVE = ("queued", "running")
ALONE = Relations()


@dataclass(frozen=True)
class Starter:
    """A picture to start from. `url`: address of its small copy."""

    title: str
    url: str


@dataclass(frozen=True)
class CardState:
    """Everything that the card shows. `shown`: the job on the stage, the visitor's own or that of a private
    link; `active`: the visitor's own job that runs or is next; `line`: the queue; `note`: a sentence above
    the stage."""

    shown: JobView | None = None
    active: JobView | None = None
    recent: Sequence[JobView] = ()
    line: Sequence[Place] = ()
    paused: bool = False
    note: str = ""
    note_field: str = ""  # the field of a dialog that the note is about
    made: str = ""  # id of the job that this card is the answer to
    snapshot: Snapshot | None = None  # of `shown` while it is queued or running
    preview: str = ""  # data URL of the last preview of `shown`
    starters: Sequence[Starter] = ()
    begin: Mapping[str, str] = field(default_factory=dict)  # tab -> how to start there
    folder: str = ""  # address of the samples' pictures
    autoplay: bool = False
    mine: bool = True  # `shown` is the visitor's own; of another's job a private link only shows the result
    has_picture: bool = True  # `shown` was made from a picture
    relations: Relations = ALONE
    files: Collection[str] = ()  # the parameters of `shown` that are files
    inputs_deleted: bool = False  # `shown` has ended without a result, and its input files are deleted
    media: Callable[[JobView, str, bool], str] = field(default=lambda job, name, download: "")
    children: Sequence[JobView] = ()  # the variations of `shown`
    progress: Mapping[str, Snapshot] = field(default_factory=dict)  # id -> of each that has not ended
    whole: JobView | None = None  # the set that `shown` is one of

    @property
    def followed(self) -> JobView | None:
        """The job that the page polls: the one on the stage while it is queued or running, else `active`."""
        return self.shown if self.shown is not None and self.shown.status in ACTIVE else self.active

    def url(self, job: JobView, name: str, download: bool = False) -> str:
        """Escaped, and relative: the page may be served below a proxy's path."""
        return escape(self.media(job, name, download).lstrip("/"))
