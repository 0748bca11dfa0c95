"""Every error that a creator or an API client can meet: one tree, each with code, message and hint.

The code is stable and for programs, the message says what happened, the hint what to do. Details for
the log go into `detail`, which no page shows.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, ClassVar


class StudioError(Exception):
    """The root. Raise a subclass; `code` is unique in the tree (a test holds that)."""

    code: ClassVar[str] = "internal"
    default_hint: ClassVar[str] = ""
    says_kept: ClassVar[bool] = False
    """Whether `default_hint` says that picture, prompt and settings are kept."""

    def __init__(
        self, message: str, hint: str = "", *, field: str = "", detail: str = "", cause: str = ""
    ) -> None:
        """`cause`: the technical cause in a few words, for a bug report."""
        self.message, self.detail, self.cause = _writable(message), _writable(detail), _writable(cause)
        super().__init__(self.message)
        self.hint = hint or self.default_hint
        self.field = field

    def to_dict(self) -> dict[str, str]:
        """What is stored with a failed job and sent to API clients; `detail` stays in the log."""
        data = {"code": self.code, "message": self.message, "hint": self.hint, "field": self.field}
        return {**data, "cause": self.cause} if self.cause else data

    @staticmethod
    def from_dict(data: dict[str, Any]) -> StudioError:
        """The stored error again; a code that this version does not know reads as `internal`."""
        kind = by_code().get(str(data.get("code")), InternalError)
        text = {name: str(data.get(name, "")) for name in ("message", "hint", "field", "cause")}
        return kind(text["message"], text["hint"], field=text["field"], cause=text["cause"])


class InternalError(StudioError):
    """Our own mistake; the log has the traceback."""

    code = "internal_error"
    default_hint = "Try again. If it keeps happening, check the log."


class ShuttingDown(InternalError):
    """The app ends; what is asked of it now is not done any more."""

    code = "shutting_down"
    default_hint = "Try again when Wan Studio is back."


class BadInput(StudioError):
    """A value that cannot be used; `field` names the parameter."""

    code = "bad_input"


class BadMedia(BadInput):
    """A file that cannot be used: not what it says, damaged, too large."""

    code = "bad_media"


class MediaBusy(BadMedia):
    """A file that could not be looked at yet. Nothing is wrong with it."""

    code = "media_busy"


class NotFound(StudioError):
    """No such job for this key. Also the answer for someone else's job."""

    code = "not_found"


class InputsGone(NotFound):
    """The files that a job was made from are not kept any more."""

    code = "inputs_gone"
    default_hint = "Add the files again and generate a new one."


class NotAllowed(StudioError):
    """Only the admin, or only the owner of a video, may do this."""

    code = "not_allowed"
    default_hint = (
        "Open the admin link printed when Wan Studio started, or log in as the first user of WAN_AUTH."
    )


class TooMany(StudioError):
    """More requests, logins or new visitors than this studio takes at once."""

    code = "too_many"
    default_hint = "Wait a minute and try again."


class QueueFull(StudioError):
    code = "queue_full"
    default_hint = "Wait for one to finish or cancel one."


class DiskFull(StudioError):
    code = "disk_full"
    default_hint = "Delete clips in the Library or give the machine more disk space."


class OverQuota(StudioError):
    """One visitor's videos, or those of all new visitors together, take as much of the disk as they may."""

    code = "over_quota"
    default_hint = "Delete some of yours in the Library, or wait until those in the queue are done."


class StoreError(StudioError):
    """The database cannot be used."""

    code = "store"
    default_hint = "Try again. If it keeps happening, check the log."


class StoreBusy(StoreError):
    """Another program holds the database, for longer than a call waits."""

    code = "store_busy"
    default_hint = (
        "Try again. If it keeps happening, close any program that has studio.db open, such as a database"
        " browser."
    )


class StoreDamaged(StoreError):
    """The database is not one, or not a whole one."""

    code = "store_damaged"
    default_hint = (
        "Put a backup of studio.db in its place, or move the data folder aside to start with an empty one;"
        " the videos in it stay."
    )


class StoreDiskError(StoreError):
    """The disk of the database fails; it is not full."""

    code = "store_disk"
    default_hint = "Check the disk or network volume of the data folder (WAN_DATA_DIR), then try again."


class StoreReadOnly(StoreError):
    """The database, or the disk that it lies on, takes no changes."""

    code = "store_read_only"
    default_hint = "Make the data folder (WAN_DATA_DIR) writable: a failing disk may have become read-only."


class StoreGone(StoreError):
    """The database is not where it was: deleted, moved, replaced, or its disk was unmounted."""

    code = "store_gone"
    default_hint = "Restore the data folder (WAN_DATA_DIR), or restart Wan Studio to use what is there."


class StoreClosed(StoreError):
    """The studio has closed its database."""

    code = "store_closed"
    default_hint = "Try again after it restarts."


class BadSettings(StudioError):
    """A setting (environment or .env) that cannot be used."""

    code = "bad_settings"


class EngineError(StudioError):
    """Anything that went wrong at ComfyUI."""

    code = "engine_failed"
    default_hint = "Try again. If it keeps failing, check ComfyUI's log."


class EngineUnreachable(EngineError):
    """ComfyUI does not answer."""

    code = "engine_unreachable"
    default_hint = "Check that ComfyUI is running at this address."


class EngineLost(EngineError):
    """ComfyUI went away while it was working on the job."""

    code = "engine_lost"
    default_hint = "Your picture, prompt and settings are still here. Try again in a moment."
    says_kept = True


class EngineHung(EngineLost):
    """ComfyUI is there, but the job in it stands still."""

    code = "engine_hung"


class EndpointRefused(EngineError):
    """RunPod refuses key or endpoint; asking again changes nothing."""

    code = "endpoint_refused"
    default_hint = "Check RUNPOD_ENDPOINT_ID and RUNPOD_API_KEY, then start Wan Studio again."


class TooLate(EngineError):
    """The job did not end within the time that the settings give it."""

    code = "too_late"
    default_hint = "Use fewer steps, a smaller size or a shorter video, or allow more time."


class TooLargeToSend(BadInput):
    """A file, or a result, does not fit through RunPod."""

    code = "too_large_to_send"


class PromptGone(EngineLost):
    """The engine answers, and knows nothing of the job any more: it was restarted."""

    code = "prompt_gone"


class LostTooOften(EngineError):
    """The job was interrupted again and again; it is not begun any more."""

    code = "lost_too_often"
    default_hint = "Your picture, prompt and settings are still here. Try again."
    says_kept = True


class GraphRejected(EngineError):
    """ComfyUI did not accept the graph."""

    code = "graph_rejected"
    default_hint = "This ComfyUI may be too old or too new for Wan Studio."


class MissingNode(GraphRejected):
    code = "missing_node"
    default_hint = "Update ComfyUI to 0.3.64 or newer."


class MissingModel(GraphRejected):
    code = "missing_model"
    default_hint = "System lists the required files and where they go."


class OutOfMemory(EngineError):
    code = "out_of_memory"
    default_hint = "Your picture, prompt and settings are still here. Try a smaller size or a shorter video."
    says_kept = True


class BadEngineInput(EngineError):
    """ComfyUI could not read a file that we sent."""

    code = "engine_bad_input"
    default_hint = "Save the file again in another program and add it again."


class BadModelFile(EngineError):
    """ComfyUI could not load a model file: damaged or cut short."""

    code = "bad_model_file"
    default_hint = "Download the file again."


class NoOutput(EngineError):
    """The job ended without a file, or with one that cannot be fetched."""

    code = "no_output"


class JobCancelled(StudioError):
    """Not a failure: the creator, or the admin, stopped the job."""

    code = "cancelled"


KEPT = "Your picture, prompt and settings are still here."


def _writable(text: str) -> str:
    """A server's words may hold half a surrogate pair, which no log, page or database takes."""
    return text.encode("utf-8", "replace").decode()


def from_os_error(error: OSError, message: str = "A file could not be written.") -> StudioError:
    """DiskFull for a full disk or a used-up quota, else InternalError; the path goes to the log only."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("The disk is full.", detail=str(error))
    return InternalError(message, detail=str(error))


def by_code() -> dict[str, type[StudioError]]:
    """All error classes of the tree by their code."""
    found: dict[str, type[StudioError]] = {}
    stack: list[type[StudioError]] = [StudioError]
    while stack:
        kind = stack.pop()
        found[kind.code] = kind
        stack.extend(kind.__subclasses__())
    return found


def says_kept(error: Mapping[str, Any]) -> bool:
    """Whether the hint of a stored error (`to_dict`) says that picture, prompt and settings are kept."""
    kind = by_code().get(str(error.get("code")))
    return kind is not None and kind.says_kept and str(error.get("hint") or "").startswith(KEPT)
