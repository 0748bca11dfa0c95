"""The states of model files and LoRAs on this machine and its server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ServerFile:
    """The state of a file on one of several servers, and the name of the file that it uses, "" for none."""

    address: str
    state: str
    used: str = ""


@dataclass(frozen=True)
class ModelState:
    """The state of a file of the catalogue on this machine and its server. state: ready, missing, unknown, or
    (on a server of this machine) unseen, wrong_size, damaged, unreadable, or unsuitable; `words`: what to do;
    `restart`: ComfyUI sees it after its next start; `servers`: of each, where there are several: the state is
    then the best of them, since a job goes to a server that has its files."""

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
    servers: tuple[ServerFile, ...] = ()


@dataclass(frozen=True)
class ModelScan:
    """One look at all files of the catalogue. disk: mode -> bytes that its files take on this machine's disk,
    files shared with other modes included; empty when the server is elsewhere."""

    files: tuple[ModelState, ...]
    disk: Mapping[str, int]


@dataclass(frozen=True)
class LoraState:
    """A LoRA, or a pair of which `name` is the file of the high-noise expert and `partner` that of the other.

    expert: the one that a file without a partner is for; base: the kind of model that its name says; words:
    its trigger words; bytes: 0 for a file that is not on this disk; obstacle: why it cannot be used in the
    mode that was asked for, a sentence or ""; note: what to know about it; missing: addresses of servers that
    do not have it, while others do.
    """

    name: str
    title: str
    partner: str = ""
    expert: str = ""
    base: str = ""
    words: tuple[str, ...] = ()
    bytes: int = 0
    obstacle: str = ""
    note: str = ""
    purpose: str = ""
    missing: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The entry of the API's list."""
        return {**asdict(self), "words": list(self.words), "missing": list(self.missing)}


@dataclass(frozen=True)
class LoraList:
    """LoRAs that were found. listed: whether an engine has said which ones it has; else `rows` are those that
    it is known to have had; count: of all that match, of which `rows` may be a part."""

    rows: tuple[LoraState, ...] = ()
    listed: bool = True
    count: int = 0


@dataclass(frozen=True)
class SetRequest:
    """A set of model files that is asked for. setting: one of several models of the mode, such as model=flux;
    speed: fast, quality, or "" for both; gigabytes: of the GPU, 0 for the one at hand; format: auto, fp8,
    gguf or fp16."""

    mode: str
    setting: str = ""
    speed: str = ""
    gigabytes: int = 0
    format: str = "auto"
    distilled: bool = False


@dataclass(frozen=True)
class SetEntry:
    """A file of a set. size: bytes, 0 while unknown; have: bytes that have arrived; used: the file that
    serves already, "" when this one has to be fetched."""

    title: str
    name: str
    folder: str
    size: int
    have: int = 0
    used: str = ""


@dataclass(frozen=True)
class SetOffer:
    """A set before it is fetched. Bytes; unknown: files without a known size; fits: the disk has the room;
    rate: bytes per second of the last download, seconds: what it would take at that; notes: sentences."""

    request: SetRequest
    gigabytes: int
    gpu: str
    assumed: bool
    files: tuple[SetEntry, ...]
    left: int
    have: int
    unknown: int
    free: int
    fits: bool
    rate: float = 0.0
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()

    @property
    def to_fetch(self) -> tuple[SetEntry, ...]:
        """The files that are not there."""
        return tuple(each for each in self.files if not each.used)


@dataclass(frozen=True)
class FetchProgress:
    """The last download. stage: idle, running, stopping, done, failed or cancelled. Bytes: fetched of total,
    done of size of the file at work; checking: its checksum is being computed; errors: sentences."""

    stage: str = "idle"
    request: SetRequest | None = None
    file: str = ""
    done: int = 0
    size: int = 0
    checking: bool = False
    fetched: int = 0
    total: int = 0
    rate: float = 0.0
    seconds: float | None = None
    errors: tuple[str, ...] = ()

    @property
    def busy(self) -> bool:
        """Whether a download runs."""
        return self.stage in ("running", "stopping")
