"""Every error that a creator or an API client can meet: one tree, each with code, message and hint.

An error is a class, which has the code, and a reason with arguments. The code is stable and for programs;
the message says what happened, the hint what to do, and both are made from backend/error_texts. Details for
the log go into `detail`, which no page shows.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from backend import notices
from backend.error_texts.hints import HINTS, KEPT
from workflows.notice import Arg, Notice, made, notice

_SAID: Literal["said"] = "said"


class StudioError(Exception):
    """The root; subclasses are raised. `code` is unique in the tree (a test holds that)."""

    code: ClassVar[str] = "internal"

    def __init__(
        self, message: str, hint: str = "", *, field: str = "", detail: str = "", cause: str = ""
    ) -> None:
        """For the words of another program or of the compiler; otherwise use `of`.

        `cause`: the technical cause in a few words, for a bug report."""
        message, hint = notices.writable_text(message), notices.writable_text(hint)
        super().__init__(message)
        self.message, self.hint = message, hint or HINTS.get(self.code, "")
        self._reason = notice(_SAID, message=message, hint=hint)
        self.field, self.detail, self.cause = (
            field,
            notices.writable_text(detail),
            notices.writable_text(cause),
        )

    @classmethod
    def of(cls, code: str, *, field: str = "", detail: str = "", cause: str = "", **args: Arg) -> Self:
        """The error with the reason of this code (a key of ERROR_TEXTS) and its arguments."""
        return cls.because(made(code, args), field=field, detail=detail, cause=cause)

    @classmethod
    def because(cls, reason: Notice, *, field: str = "", detail: str = "", cause: str = "") -> Self:
        """The error with a reason that is known already."""
        reason = notices.writable(reason)
        message, hint = notices.brief(reason), notices.hint(reason, cls.code)
        error = cls(message, hint, field=field, detail=detail, cause=cause)
        error._reason = reason
        return error

    @property
    def why(self) -> Notice:
        """The reason: a code of ERROR_TEXTS with its arguments, or `said` for the words of others."""
        return self._reason

    @property
    def notice(self) -> Notice:
        """The error as a notice: its words are message and hint, its short form is the message."""
        return notice("refused", error=self.code, reason=self._reason)

    def to_dict(self) -> dict[str, Any]:
        """What is stored with a failed job, sent to API clients and passed between processes; `detail` stays
        in the log. `reason` is the code with its arguments, from which the words can be made again."""
        data: dict[str, Any] = {"code": self.code, "message": self.message, "hint": self.hint}
        data["field"] = self.field
        if self.cause:
            data["cause"] = self.cause
        if self._reason.code != _SAID:
            data["reason"] = self._reason.to_json()
        return data

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> StudioError:
        """The stored error again, in the words of this version. A code that it does not know reads as
        `internal`; message and hint stay as stored where the reason is absent or unknown. Never raises."""
        kind = by_code().get(str(data.get("code")), InternalError)
        text = {name: str(data.get(name) or "") for name in ("message", "hint", "field", "cause")}
        reason = _stored_reason(data)
        if reason is not None:
            return kind.because(reason, field=text["field"], cause=text["cause"])
        return kind(text["message"], text["hint"], field=text["field"], cause=text["cause"])


class InternalError(StudioError):
    """Our own mistake; the log has the traceback."""

    code = "internal_error"


class ShuttingDown(InternalError):
    """The app is shutting down and takes no more work."""

    code = "shutting_down"


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


class SourceFailed(StudioError):
    """The job that this one starts from has no result, or one that cannot be used."""

    code = "source_failed"


class NotAllowed(StudioError):
    """Only the admin, or only the owner of a video, may do this."""

    code = "not_allowed"


class TooMany(StudioError):
    """More requests, logins or new visitors than this studio takes at once."""

    code = "too_many"


class QueueFull(StudioError):
    code = "queue_full"


class DiskFull(StudioError):
    code = "disk_full"


class EngineDiskFull(DiskFull):
    """A disk of the machine that makes the video is full; `folder`: a key of engines.full_disk.FOLDERS, or
    "" when it is not known."""

    code = "engine_disk_full"

    def __init__(
        self, message: str, hint: str = "", *, field: str = "", detail: str = "", cause: str = ""
    ) -> None:
        super().__init__(message, hint, field=field, detail=detail, cause=cause)
        self.folder = ""


class OverQuota(StudioError):
    """Videos and unsent forms of one visitor, or of all new visitors together, take as much of the disk as
    they may."""

    code = "over_quota"


class StoreError(StudioError):
    """The database cannot be used."""

    code = "store"


class StoreBusy(StoreError):
    """Another program holds the database, for longer than a call waits."""

    code = "store_busy"


class StoreDamaged(StoreError):
    """The file is not a database, or a damaged one."""

    code = "store_damaged"


class StoreDiskError(StoreError):
    """The disk of the database fails; it is not full."""

    code = "store_disk"


class StoreReadOnly(StoreError):
    """The database, or its disk, is read-only."""

    code = "store_read_only"


class StoreGone(StoreError):
    """The database is not where it was: deleted, moved, replaced, or its disk was unmounted."""

    code = "store_gone"


class StoreClosed(StoreError):
    """The studio has closed its database."""

    code = "store_closed"


class BadSettings(StudioError):
    """A setting (environment or .env) that cannot be used."""

    code = "bad_settings"


class EngineError(StudioError):
    """Anything that went wrong at ComfyUI."""

    code = "engine_failed"


class EngineUnreachable(EngineError):
    """ComfyUI does not answer."""

    code = "engine_unreachable"
    reason: str = ""  # one of engines.comfy.reach.Reason, where it is known
    final: bool = False  # the configuration is the reason: waiting does not help


class EngineLost(EngineError):
    """ComfyUI went away while it was working on the job."""

    code = "engine_lost"


class EngineHung(EngineLost):
    """ComfyUI answers, but the job makes no progress."""

    code = "engine_hung"


class EndpointRefused(EngineError):
    """RunPod refuses the key or the endpoint; a retry cannot succeed."""

    code = "endpoint_refused"


class TooLate(EngineError):
    """The job did not end within the time that the settings give it."""

    code = "too_late"


class TooLargeToSend(BadInput):
    """A file, or a result, does not fit through RunPod."""

    code = "too_large_to_send"


class PromptGone(EngineLost):
    """The engine answers but no longer knows the job: it was restarted."""

    code = "prompt_gone"


class LostTooOften(EngineError):
    """The job was interrupted too many times and is not started again."""

    code = "lost_too_often"


class GraphRejected(EngineError):
    """ComfyUI did not accept the graph."""

    code = "graph_rejected"


class MissingNode(GraphRejected):
    code = "missing_node"


class MissingModel(GraphRejected):
    code = "missing_model"


class OutOfMemory(EngineError):
    code = "out_of_memory"


class BadEngineInput(EngineError):
    """ComfyUI could not read a file that we sent. `sent`: texts of its report, one of which has the name that
    the graph gives the file."""

    code = "engine_bad_input"
    sent: tuple[str, ...] = ()


class BadModelFile(EngineError):
    """ComfyUI could not load a model file: damaged or cut short."""

    code = "bad_model_file"


class WrongModel(EngineError):
    """A model file is sound, but of another kind than this video needs."""

    code = "wrong_model"


class UnsupportedHardware(EngineError):
    """The GPU of ComfyUI's machine, its driver or its PyTorch cannot do what this video needs."""

    code = "unsupported_hardware"


class EngineSetup(EngineError):
    """ComfyUI lacks a package or a permission, or was started with options that it cannot use."""

    code = "engine_setup"


class OutputNotWritable(EngineSetup):
    """ComfyUI cannot write its results."""

    code = "output_not_writable"


class NoOutput(EngineError):
    """The job ended without a file, or with one that cannot be fetched."""

    code = "no_output"


class StudioUnreachable(StudioError):
    """The studio that a command called does not answer."""

    code = "studio_unreachable"


class CallRefused(StudioError):
    """The studio that a command called refused the call, or could not make it."""

    code = "call_refused"


class JobCancelled(StudioError):
    """Not a failure: the creator, or the admin, stopped the job."""

    code = "cancelled"


def _stored_reason(data: Mapping[str, Any]) -> Notice | None:
    """The reason of a stored error, if this version has words for it."""
    stored = data.get("reason")
    if not isinstance(stored, Mapping):
        return None
    try:
        reason = Notice.from_json(stored)
    except (ValueError, RecursionError):
        return None
    return reason if notices.readable(reason) else None


def in_current_words(data: Mapping[str, Any]) -> dict[str, Any]:
    """A stored error (`to_dict`) with the message and the hint that this version has for its reason."""
    if _stored_reason(data) is None or data.get("code") not in by_code():
        hint = data.get("hint")
        if not isinstance(hint, str) or not hint.startswith(KEPT):
            return dict(data)
        # Earlier versions wrote here what is kept, which does not hold for every job and reader.
        return {**data, "hint": hint.removeprefix(KEPT).strip()}
    error = StudioError.from_dict(data)
    return {**data, "message": error.message, "hint": error.hint}


def from_os_error(error: OSError, code: str = "file_not_written", **args: Arg) -> StudioError:
    """DiskFull for a full disk or a used-up quota, else InternalError with the reason of this code. What the
    operating system says, such as a path, goes into the log only."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or _of_a_full_disk(error):
        return DiskFull.of("disk_is_full", detail=str(error))
    return InternalError.because(made(code, args), detail=str(error))


def _of_a_full_disk(error: OSError) -> bool:
    """Whether this is the error of shutil.copytree, which has those of single files as texts only."""
    if not isinstance(error, shutil.Error):
        return False
    said = str(error)
    return any(f"[Errno {number}]" in said for number in (errno.ENOSPC, errno.EDQUOT))


def by_code() -> dict[str, type[StudioError]]:
    """All error classes of the tree by their code."""
    found: dict[str, type[StudioError]] = {}
    stack: list[type[StudioError]] = [StudioError]
    while stack:
        kind = stack.pop()
        found[kind.code] = kind
        stack.extend(kind.__subclasses__())
    return found
