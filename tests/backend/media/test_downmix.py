"""Any channel layout becomes stereo: nothing is lost that the standard keeps, and nothing is clipped."""

from __future__ import annotations

import numpy as np
import pytest
from av import AudioLayout

from backend.media.downmix import stereo

LAYOUTS = (
    "2.1", "3.0", "3.0(back)", "4.0", "quad", "quad(side)", "3.1", "5.0", "5.0(side)", "4.1", "5.1",
    "5.1(side)",
    "6.0", "6.0(front)", "hexagonal", "6.1", "6.1(back)", "6.1(front)", "7.0", "7.0(front)", "7.1",
    "7.1(wide)",
    "7.1(wide-side)", "octagonal", "cube", "5.1.2", "5.1.4", "7.1.2", "7.1.4", "9.1.4", "9.1.6",
    "hexadecagonal",
    "22.2",
)  # fmt: skip


def names(layout: str) -> list[str]:
    return [channel.name for channel in AudioLayout(layout).channels]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_channel_goes_to_its_side(layout: str) -> None:
    channels = names(layout)
    matrix = stereo(channels)
    assert matrix.shape == (2, len(channels))
    assert matrix.sum(axis=1).max() <= 1 + 1e-6, "clipped"
    for name, (left, right) in zip(channels, matrix.T, strict=True):
        if name.startswith("LFE"):
            assert (left, right) == (0, 0)
        elif name.endswith("L") or name == "FLC":
            assert left > 0 == right, name
        elif name.endswith("R") or name == "FRC":
            assert right > 0 == left, name
        else:
            assert left == right > 0, name


def test_the_levels_are_those_of_the_standard() -> None:
    matrix = stereo(names("5.1(side)"))
    front, centre, surround = matrix[0, 0], matrix[0, 2], matrix[0, 4]
    assert centre / front == pytest.approx(0.7071, abs=1e-3)
    assert surround / front == pytest.approx(0.7071, abs=1e-3)
    assert front == pytest.approx(1 / (1 + 2 * 0.7071), abs=1e-3)


@pytest.mark.parametrize("count", range(1, 33))
def test_channels_without_a_position(count: int) -> None:
    """As many as a usual layout has: that one; otherwise all of them on both sides."""
    matrix = stereo(["NONE"] * count)
    silent = np.flatnonzero(~matrix.any(axis=0))
    assert list(silent) == ([3] if count in (6, 7, 8) else []), "only the LFE of a usual layout"
    assert matrix.sum(axis=1).max() <= 1 + 1e-6


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_ambisonics(order: int) -> None:
    matrix = stereo([f"AMBI{index}" for index in range((order + 1) ** 2)])
    assert matrix[:, 0].tolist() == [0.5, 0.5] and matrix[0, 1] == -matrix[1, 1] == 0.5
    assert not matrix[:, 2:].any()


def test_a_sound_that_is_all_lfe_is_audible() -> None:
    assert stereo(["LFE", "LFE2"]).all()
