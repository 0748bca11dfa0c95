"""The seam of a loop: a round of small steps, a repeated frame, a jump, and clips too short to have one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from backend.errors import BadMedia
from backend.media.facts import LoopSeam
from backend.media.loop_seam import loop_seam


def write(path: Path, greys: list[float], blue: Sequence[int] = ()) -> str:
    """A clip of plain pictures with a brighter left half; `blue`: added to that channel, by frame."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=16, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, grey in enumerate(greys):
            picture = np.full((48, 64, 3), grey, np.uint8)
            picture[:, :32] += 40
            if blue:
                picture[:, :, 2] += blue[number]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return str(path)


def seam(path: str) -> LoopSeam:
    found = loop_seam(path, "clip.mp4")
    return LoopSeam(**{name: found[name] for name in ("jump", "usual", "brightness", "colour")})


def swing(frames: int) -> list[float]:
    return [100 + 60 * math.sin(2 * math.pi * n / frames) for n in range(frames)]


def test_a_round_without_an_end_has_the_usual_step(tmp_path: Path) -> None:
    found = seam(write(tmp_path / "round.mp4", swing(32)))
    assert not found.doubled and found.step == pytest.approx(1.4, abs=0.3)
    assert found.brightness < 14 and found.colour < 1


def test_a_repeated_frame_is_found(tmp_path: Path) -> None:
    found = seam(write(tmp_path / "doubled.mp4", [*swing(32), swing(32)[0]]))
    assert found.doubled and found.step < 0.1 and found.brightness < 0.5


def test_a_jump_in_brightness_and_in_colour(tmp_path: Path) -> None:
    greys = [80.0 + 2 * n for n in range(30)]
    found = seam(write(tmp_path / "ramp.mp4", greys))
    assert not found.doubled and found.step > 20
    assert found.brightness == pytest.approx(58, abs=3) and found.jump == pytest.approx(58, abs=3)
    coloured = seam(write(tmp_path / "colour.mp4", [100.0] * 30, blue=[2 * n for n in range(30)]))
    assert coloured.colour > 10 > coloured.brightness


def test_a_clip_that_stands_still_repeats_nothing(tmp_path: Path) -> None:
    found = seam(write(tmp_path / "still.mp4", [100.0] * 20))
    assert not found.doubled and found.jump < 0.5 and found.usual < 0.5


@pytest.mark.parametrize("frames", [1, 2])
def test_two_frames_have_nothing_to_compare_with(tmp_path: Path, frames: int) -> None:
    found = loop_seam(write(tmp_path / "short.mp4", [100.0, 140.0][:frames]), "clip.mp4")
    assert found == {"jump": 0.0, "usual": 0.0, "brightness": 0.0, "colour": 0.0, "frames": float(frames)}


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(BadMedia):
        loop_seam(str(tmp_path / "text.mp4"), "text.mp4")


def test_figures_survive_the_database() -> None:
    found = LoopSeam(2.0, 1.6, 0.4, 0.2)
    assert LoopSeam.from_json({"jump": 2.0, "usual": 1.6, "brightness": 0.4, "colour": 0.2}) == found
    assert LoopSeam.from_json({}) is None and LoopSeam.from_json({"jump": 1.0}) is None
    assert found.to_json() == {
        "jump": 2.0, "usual": 1.6, "brightness": 0.4, "colour": 0.2, "doubled": False,
    }  # fmt: skip
    assert LoopSeam(0.0, 0.0, 0.0, 0.0).step == 1.0 and LoopSeam(1.0, 0.0, 0.0, 0.0).step == 2.0
