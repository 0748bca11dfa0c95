from __future__ import annotations

import errno
import os
import re
import shutil

from backend import errors
from backend.engines.comfy.failure_causes import CAUSES
from backend.error_texts.hints import HINTS, KEPT
from backend.errors import BadMedia, InternalError, OutOfMemory, StudioError, in_current_words
from tests.support.paths import ROOT


def classes() -> list[type[StudioError]]:
    found, stack = [], [StudioError]
    while stack:
        kind = stack.pop()
        found.append(kind)
        stack += kind.__subclasses__()
    return found


def test_every_code_is_its_own() -> None:
    import backend.studio  # noqa: F401 - brings in the classes that other packages add

    codes = [kind.code for kind in classes()]
    assert len(codes) == len(set(codes)), sorted(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


def test_every_class_is_raised_somewhere() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for top in ("backend", "ui")
        for path in (ROOT / top).rglob("*.py")
        if path.name != "errors.py"
    )
    of_comfyui = {cause.error for cause in CAUSES}
    unused = [
        k.__name__
        for k in classes()
        if k is not StudioError
        and k not in of_comfyui
        and not re.search(rf"\b{k.__name__}(\.of|\.because)?\(", source)
    ]
    assert not unused, f"registered, but never raised: {unused}"


def test_an_error_survives_storage_without_its_detail() -> None:
    error = OutOfMemory("The GPU ran out of memory.", detail="torch.OutOfMemoryError at node 12")
    again = StudioError.from_dict(error.to_dict())
    assert type(again) is OutOfMemory
    assert (again.message, again.hint) == (error.message, error.hint)
    assert "torch" not in str(error.to_dict())


def test_a_code_of_the_future_reads_as_internal() -> None:
    assert type(StudioError.from_dict({"code": "from_tomorrow", "message": "x"})) is InternalError


def test_a_full_disk_has_its_own_error() -> None:
    full = errors.from_os_error(OSError(errno.ENOSPC, "No space left on device", "/secret/path"))
    quota = errors.from_os_error(OSError(errno.EDQUOT, "Disk quota exceeded"))
    other = errors.from_os_error(OSError(errno.EACCES, "Permission denied", "/secret/path"))
    assert full.code == quota.code == "disk_full"
    assert other.code == "internal_error"
    assert "/secret" not in full.message + other.message


def test_a_full_disk_is_found_among_the_errors_of_a_copied_folder() -> None:
    full, absent = (str(OSError(number, os.strerror(number))) for number in (errno.ENOSPC, errno.ENOENT))
    both = shutil.Error([("a", "b", absent), ("c", "d", full)])
    assert isinstance(errors.from_os_error(both), errors.DiskFull)
    assert isinstance(errors.from_os_error(shutil.Error([("a", "b", absent)])), InternalError)


def test_field_is_kept() -> None:
    assert BadMedia("Not a picture.", field="end_image").to_dict()["field"] == "end_image"


def test_hints_leave_what_is_kept_to_the_page() -> None:
    """It differs by mode, state and reader; job records of earlier versions have it in their hints."""
    assert not [hint for hint in HINTS.values() if "still here" in hint]
    error = OutOfMemory("Full.").to_dict()
    assert in_current_words({**error, "hint": f"{KEPT} {error['hint']}"}) == in_current_words(error) == error
    assert in_current_words({**error, "hint": KEPT}) == {**error, "hint": ""}
