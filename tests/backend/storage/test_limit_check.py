"""What is said when there is no room: what is full, and what helps."""

from __future__ import annotations

import pytest

from backend.errors import DiskFull, OverQuota
from backend.storage.disk_usage import DiskUsage, JobUsage
from backend.storage.limit_check import LimitCheck, Limits
from backend.storage.usage_count import DRAFTS

MB = 1_000_000


def check(videos: int, drafts: int, need: int = 20, room: int = 1000, limit: int = 100) -> LimitCheck:
    """All sizes in MB."""
    usage = DiskUsage()
    if videos:
        usage.put("a", JobUsage("ann", videos * MB, videos * MB, done=True))
    if drafts:
        usage.put(DRAFTS + "ann", JobUsage("ann", drafts * MB, drafts * MB))
    return LimitCheck(usage, Limits(30, 80, limit * MB), "ann", need * MB, room * MB)


@pytest.mark.parametrize(
    ("videos", "drafts", "for_draft", "message", "hint"),
    [
        (
            90, 0, False, "Your videos take 90 MB of the 100 MB that you may use, and this one needs 20 MB.",
            "Delete some of your videos in the Library, or wait until those in the queue are done.",
        ),
        (
            60, 30, False,
            "Your videos take 60 MB and files in unsent forms take 30 MB of the 100 MB that you may use, and"
            " this one needs 20 MB.",
            "Delete some of your videos in the Library, clear forms that you do not need, or wait until those"
            " in the queue are done.",
        ),
        (
            0, 90, False,
            "Files in unsent forms take 90 MB of the 100 MB that you may use, and this one needs 20 MB.",
            "Clear forms that you do not need.",
        ),
        (
            0, 90, True,
            "Files in unsent forms take 90 MB of the 100 MB that you may use, and this file needs 20 MB.",
            "Clear forms that you do not need.",
        ),
        (
            90, 0, True, "Your videos take 90 MB of the 100 MB that you may use, and this file needs 20 MB.",
            "Delete some of your videos in the Library, or use a smaller file.",
        ),
    ],
)  # fmt: skip
def test_what_takes_the_share_and_what_helps(
    videos: int, drafts: int, for_draft: bool, message: str, hint: str
) -> None:
    error = check(videos, drafts).refusal("image", for_draft)
    assert isinstance(error, OverQuota) and error.field == "image"
    assert (error.message, error.hint) == (message, hint)


def test_a_file_of_a_form_is_no_video() -> None:
    for short in (check(0, 0, need=200), check(0, 0, need=2000)):
        error = short.refusal("", for_draft=True)
        assert "this file" in error.message.lower() and "video" not in error.message
    assert isinstance(check(0, 0, need=2000).refusal(""), DiskFull)
