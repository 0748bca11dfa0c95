"""A file of an engine that cannot be read is said to be the engine's, not to be a file of the creator."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.events import Output
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended, speak

pytestmark = pytest.mark.full


class Damaging(FakeEngine):
    """Writes noise for the result, or for the last frames that the next segment starts from."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def fetch(self, output: Output, destination: Path) -> None:
        super().fetch(output, destination)
        if ("-tail" in output.filename) == (self.what == "picture"):
            destination.write_bytes(b"\x89PNG\r\n\x1a\nnoise" * 99)


@pytest.mark.parametrize("with_sound", [False, True], ids=["measured", "joined"])
def test_a_damaged_result(with_sound: bool, make: Make, picture: Path, tone: Path) -> None:
    studio = make(Damaging("video"))
    job = speak(studio, tone) if with_sound else studio.submit(
        OWNER, "image_to_video", SMALL, {"image": picture}
    )  # fmt: skip
    done = ended(studio, job)
    assert done.status == "failed" and done.error is not None
    assert done.error["code"] == "no_output"
    assert done.error["message"] == "ComfyUI finished, but its video is damaged and cannot be read."
