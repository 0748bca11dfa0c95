from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.support.least_params import PHOTO, least
from workflows.modes.fast_video import FastVideo
from workflows.modes.image_to_video import ImageToVideo
from workflows.modes.registry import MODES, mode
from workflows.params.limits import SECONDS_MAX, SECONDS_MIN, SEED_MAX
from workflows.params.media import Media
from workflows.params.sizes import AREAS, crop_fraction, fit_size, frames_for
from workflows.params.values import InvalidParam


def image(**options: Any) -> ImageToVideo:
    return ImageToVideo(**{"image": PHOTO, "seed": 1, **options})


def refused(field: str, **options: Any) -> InvalidParam:
    with pytest.raises(InvalidParam) as caught:
        image(**options)
    error = caught.value
    assert error.field == field
    assert error.message.endswith(".") and error.hint.endswith(".") and str(error) == error.message
    assert "!" not in error.message + error.hint
    return error


def test_defaults() -> None:
    params = image()
    assert params.size == (832, 480) and params.frames == 81 and params.fps == 16.0
    assert FastVideo(image=PHOTO, seed=1).size == (832, 480)


def test_params_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        image().seed = 2  # type: ignore[misc]


def test_the_first_choice_is_the_default_and_all_are_accepted() -> None:
    for name, spec in MODES.items():
        for field, allowed in spec.choices.items():
            assert getattr(least(name), field) == allowed[0]
            for value in allowed:
                assert getattr(least(name, **{field: value}), field) == value
            for wrong in ("", "Both", None, 3, ["both"], "x" * 5000):
                with pytest.raises(InvalidParam) as caught:
                    least(name, **{field: wrong})
                assert caught.value.field == field
                assert all(value in caught.value.hint for value in allowed)
                assert len(caught.value.message) < 120


def test_unknown_mode() -> None:
    with pytest.raises(InvalidParam) as caught:
        mode("film")
    assert "image_to_video" in caught.value.hint


@pytest.mark.parametrize("seconds", [SECONDS_MIN, 0.5, 1, 5, 5.0, SECONDS_MAX])
def test_seconds(seconds: float) -> None:
    params = image(seconds=seconds)
    assert params.seconds == seconds and type(params.seconds) is float


@pytest.mark.parametrize("seconds", [
    0, -1, 0.2, 15.01, 1e9, 10**400, pytest.param(10**5000, id="huge"), float("nan"), float("inf"),
    -float("inf"), "5", None, True, [5], 5j,
])  # fmt: skip
def test_seconds_refused(seconds: Any) -> None:
    assert "seconds" in refused("seconds", seconds=seconds).hint


@pytest.mark.parametrize(("width", "height"), [(0, 0), (64, 64), (1920, 1920), (480, 832), (16 * 5, 64)])
def test_sizes(width: int, height: int) -> None:
    assert image(width=width, height=height).size == ((width, height) if width else (832, 480))


@pytest.mark.parametrize("side", [17, 833, 48, 16, 1, -16, 1936, 10**9, 832.0, 832.5, "832", True, None])
def test_sides_refused(side: Any) -> None:
    assert "multiple of 16" in refused("width", width=side, height=480).hint
    refused("height", width=480, height=side)
    with pytest.raises(InvalidParam):
        FastVideo(image=PHOTO, seed=1, width=side, height=480)


def test_17_is_said_to_be_no_multiple_when_the_range_is_right() -> None:
    assert "multiple of 16" in refused("width", width=833, height=480).message


def test_one_side_alone_names_the_missing_one() -> None:
    refused("height", width=832)
    refused("width", height=480)


@pytest.mark.parametrize(("field", "value"), [
    ("steps", -1), ("steps", 101), ("steps", 10_000), ("steps", 20.0), ("steps", "20"), ("steps", True),
    ("steps", float("nan")), ("steps", 1),
    ("cfg", 0.5), ("cfg", -1), ("cfg", 20.5), ("cfg", float("nan")), ("cfg", "3.5"), ("cfg", False),
    ("shift", 0.99), ("shift", 21), ("shift", float("inf")), ("shift", None),
    ("seed", -1), ("seed", -2), ("seed", SEED_MAX + 1), ("seed", 1.0), ("seed", "1"), ("seed", True),
    ("seed", None),
    ("prompt", "x" * 4001), ("prompt", None), ("prompt", 5), ("prompt", b"x"),
    ("negative_prompt", "x" * 4001), ("negative_prompt", 0),
    ("clip_vision", 1), ("tiled_decode", "yes"), ("easy_cache", None),
    ("image", None), ("image", "photo.png"), ("image", Media("")), ("image", Media("../x.png")),
    ("image", Media("/etc/passwd")), ("image", Media("a\nb.png")), ("image", Media("..\\x.png")),
    ("image", Media("x.png", -1, 5)), ("image", Media("x.png", 1.5, 5)), ("end_image", "last.png"),
    ("end_image", Media("")),
])  # fmt: skip
def test_refused(field: str, value: Any) -> None:
    refused(field, **{field: value})


@pytest.mark.parametrize(("field", "value"), [
    ("steps", 0), ("steps", 2), ("steps", 100), ("cfg", 0), ("cfg", 1), ("cfg", 20), ("cfg", 3.5),
    ("shift", 0.0), ("shift", 1), ("shift", 20.0), ("seed", 0), ("seed", SEED_MAX), ("prompt", "x" * 4000),
    ("negative_prompt", None), ("negative_prompt", ""), ("end_image", PHOTO),
    ("image", Media("wan-studio/3f.png")), ("image", Media("ein Bild.png", 1, 1)),
])  # fmt: skip
def test_accepted(field: str, value: Any) -> None:
    assert getattr(image(**{field: value}), field) == value


def test_one_step_is_enough_for_one_expert() -> None:
    assert image(steps=1, experts="low").steps == 1
    assert "2 steps" in refused("steps", steps=1).hint


@pytest.mark.parametrize(("given", "kept"), [
    ("a\x00b\x1bc\x7fd\x85e", "abcde"), ("one\ntwo\tthree", "one\ntwo\tthree"), ("a\r\nb\rc", "a\nb\nc"),
    ("half \ud83d pair", "half  pair"), ("<b>bold</b> & 'quotes'", "<b>bold</b> & 'quotes'"),
    ("\N{FAMILY}\N{ZERO WIDTH JOINER}\N{VARIATION SELECTOR-16}", "\N{FAMILY}\u200d\ufe0f"),
    ("\u05e9\u05dc\u05d5\u05dd \u200f", "\u05e9\u05dc\u05d5\u05dd \u200f"), ("", ""),
])  # fmt: skip
def test_text_is_cleaned(given: str, kept: str) -> None:
    assert image(prompt=given).prompt == kept
    assert image(negative_prompt=given).negative_prompt == kept
    assert FastVideo(image=PHOTO, seed=1, prompt=given).prompt == kept


def test_length_counts_what_is_kept() -> None:
    assert len(image(prompt="x" * 4000 + "\x00" * 50).prompt) == 4000
    assert "4,001" in refused("prompt", prompt="x" * 4001).message


@pytest.mark.parametrize(("seconds", "frames"), [
    (0.25, 5), (0.5, 9), (1, 17), (2, 33), (3, 49), (5, 81), (5.1, 81), (5.2, 85), (15, 241),
])  # fmt: skip
def test_frames(seconds: float, frames: int) -> None:
    assert frames_for(seconds) == frames
    assert image(seconds=seconds).frames == frames


@pytest.mark.parametrize(("picture", "resolution", "size"), [
    ((832, 480), "480p", (832, 480)), ((1920, 1080), "480p", (832, 480)), ((1080, 1920), "480p", (480, 832)),
    ((1280, 720), "720p", (1280, 720)), ((3840, 2160), "720p", (1280, 720)),
    ((512, 288), "draft", (512, 288)),
    ((1000, 1000), "480p", (624, 624)), ((1000, 1000), "720p", (960, 960)), ((1, 1), "draft", (384, 384)),
    ((0, 0), "480p", (832, 480)), ((0, 100), "720p", (1280, 720)),
])  # fmt: skip
def test_automatic_size(picture: tuple[int, int], resolution: str, size: tuple[int, int]) -> None:
    assert fit_size(*picture, resolution) == size


PICTURES = [(w, h) for w in (1, 2, 3, 7, 64, 500, 999, 4000) for h in (1, 2, 3, 5, 50, 640, 1000, 12000)]


@pytest.mark.parametrize("resolution", AREAS)
def test_automatic_size_is_always_legal_and_close(resolution: str) -> None:
    for w, h in [*PICTURES, (20, 1), (1, 20), (100_000, 1), (16, 9), (21, 9), (3, 2)]:
        width, height = fit_size(w, h, resolution)
        assert width % 16 == 0 and height % 16 == 0
        assert 64 <= width <= 1920 and 64 <= height <= 1920
        assert width * height <= AREAS[resolution]
        assert image(width=width, height=height).size == (width, height)
        if 1 / 3 <= w / h <= 3:
            assert max(crop_fraction(w, h, width, height)) < 0.04
            assert width * height > 0.93 * AREAS[resolution]


def test_turning_the_picture_turns_the_size() -> None:
    for w, h in ((16, 9), (4, 3), (20, 1), (3, 2)):
        assert fit_size(w, h, "480p") == fit_size(h, w, "480p")[::-1]


@pytest.mark.parametrize(("sizes", "lost"), [
    ((100, 100, 100, 100), (0, 0)), ((200, 100, 100, 100), (0.5, 0)), ((100, 200, 100, 100), (0, 0.5)),
    ((1000, 1000, 1600, 900), (0, 0.4375)), ((0, 0, 832, 480), (0, 0)),
])  # fmt: skip
def test_crop(sizes: tuple[int, int, int, int], lost: tuple[float, float]) -> None:
    assert crop_fraction(*sizes) == pytest.approx(lost)
