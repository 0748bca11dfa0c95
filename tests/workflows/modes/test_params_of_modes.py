"""What Sound-to-Video, Animate and the text modes refuse, in which words."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from tests.support.least_params import REQUIRED, least
from workflows.modes.parsing import params_from_text, params_from_values
from workflows.modes.registry import MODES
from workflows.modes.sound_to_video import SoundToVideo
from workflows.params.media import Media
from workflows.params.values import InvalidParam

NEW = ("sound_to_video", "animate", "text_to_video", "text_to_image")
SONG = Media("song.wav", seconds=12.0)


def refused(mode: str, field: str, **options: Any) -> InvalidParam:
    with pytest.raises(InvalidParam) as caught:
        least(mode, **options)
    error = caught.value
    assert error.field == field, error.message
    assert error.message.endswith(".") and error.hint.endswith(".")
    assert "!" not in error.message + error.hint
    return error


def test_every_mode_has_its_media() -> None:
    for mode, spec in MODES.items():
        inner = set(spec.files) - set(spec.media)
        assert inner == ({"clip"} if mode == "image_to_video" else set())
        given = [field.name for field in fields(spec.params) if field.name not in inner]
        assert [each.name for each in spec.all] == given
        assert {field.kind for field in spec.media.values()} <= {"picture", "sound", "video"}
        assert {name for name, field in spec.media.items() if field.required} == {
            name for name in REQUIRED[mode] if name != "prompt"
        }


@pytest.mark.parametrize("mode", NEW)
def test_missing_media_are_named(mode: str) -> None:
    for name, field in MODES[mode].media.items():
        for wrong in ("file.wav", 3, Media(""), Media("../x")) + ((None,) if field.required else ()):
            refused(mode, name, **{name: wrong})
    assert "seed" in refused(mode, "seed", seed=-1).message.lower()


@pytest.mark.parametrize("mode", NEW)
@pytest.mark.parametrize(("field", "value"), [
    ("steps", 101), ("steps", "4"), ("width", 17), ("width", 832), ("height", 480), ("prompt", "x" * 4001),
    ("cfg", 0.5), ("shift", 21), ("cfg", float("nan")), ("negative_prompt", 3), ("resolution", "4K"),
])  # fmt: skip
def test_refused_in_every_mode(mode: str, field: str, value: Any) -> None:
    if field not in MODES[mode].by_name:
        pytest.skip("not a setting of this mode")
    other = {"width": "height", "height": "width"}
    alone = field in other and value in (832, 480)
    refused(mode, other[field] if alone else field, **{field: value})


def test_sound_defaults() -> None:
    params = least("sound_to_video")
    assert (params.seconds, params.frames, params.fps, params.size) == (12.0, 192, 16.0, (832, 480))
    assert least("sound_to_video", image=Media("p.png", 900, 1600)).size == (480, 832)
    assert (params.start, params.duration, params.level, params.speed) == (0.0, 0.0, False, "quality")


@pytest.mark.parametrize(("start", "duration", "seconds", "frames"), [
    (0, 0, 12.0, 192), (2.5, 0, 9.5, 152), (2.5, 4, 4.0, 64), (0, 12.05, 12.0, 192), (11.8, 0, 0.2, 3),
    (0, 4.9, 4.9, 78), (0, 0.2, 0.2, 3),
])  # fmt: skip
def test_part_of_a_sound(start: float, duration: float, seconds: float, frames: int) -> None:
    params = least("sound_to_video", start=start, duration=duration)
    assert params.seconds == pytest.approx(seconds) and params.frames == frames


@pytest.mark.parametrize(("options", "field", "words"), [
    ({"start": 12.0}, "start", "past the end"), ({"start": 99.0}, "start", "12 s"),
    ({"start": 10.0, "duration": 5.0}, "duration", "only 2 s"), ({"duration": -1.0}, "duration", "between"),
    ({"start": -0.5}, "start", "between"), ({"start": float("nan")}, "start", "finite"),
    ({"duration": 0.1}, "duration", "at least 0.2 s"), ({"start": 11.9}, "audio", "at least 0.2 s"),
    ({"audio": Media("a", seconds=0.02)}, "audio", "0.02 s"),
    ({"audio": Media("a", seconds=0.1)}, "audio", "0.1 s"),
    ({"audio": Media("a", seconds=10_800)}, "audio", "180 min"),
    ({"audio": Media("a", seconds=10_800), "duration": 601}, "duration", "at most 10 min"),
    ({"audio": Media("a")}, "audio", "not known"), ({"level": 1}, "level", "on or off"),
    ({"audio": Media("a", seconds=float("inf"))}, "audio", "length"),
    ({"audio": Media("a", seconds=-1)}, "audio", "length"),
])  # fmt: skip
def test_sounds_refused(options: dict[str, Any], field: str, words: str) -> None:
    assert words in refused("sound_to_video", field, **options).message


def test_what_an_encoder_adds_to_the_longest_is_cut_off() -> None:
    """MP3 and AAC fill their last packet: ten minutes come as 600.03 s, five of video with a frame more."""
    whole = least("sound_to_video", audio=Media("a", seconds=600.03))
    assert (whole.seconds, whole.frames) == (600.0, 9600)
    assert least("sound_to_video", audio=Media("a", seconds=900.0), start=299.9).seconds == 600.0
    driving = least("animate", video=Media("v", 640, 480, seconds=300.04))
    assert (driving.driving_seconds, driving.frames) == (300.0, 4800)


def test_ten_minutes_of_three_hours() -> None:
    params = least("sound_to_video", audio=Media("a", seconds=10_800), start=3000, duration=600)
    assert params.frames == 9600


def test_a_sound_of_unknown_length_needs_a_duration() -> None:
    assert least("sound_to_video", audio=Media("a"), duration=3).frames == 48


def test_animate_defaults() -> None:
    params = least("animate")
    assert (params.method, params.relight, params.fps, params.frames) == ("move", 0.8, 16.0, 144)
    assert least("animate", fps=30, seconds=2).frames == 60
    assert least("animate", fps=23.976, seconds=2).frames == 48
    assert least("animate", start=8.0).frames == 16


@pytest.mark.parametrize(("options", "field", "words"), [
    ({"fps": 31}, "fps", "30"), ({"fps": 0}, "fps", "8"), ({"relight": -0.1}, "relight", "between"),
    ({"relight": 2.1}, "relight", "between"), ({"method": "swap"}, "method", "swap"),
    ({"seconds": 0.1}, "seconds", "0.25 s"), ({"start": 9.0}, "start", "past the end"),
    ({"seconds": 20}, "seconds", "only 9 s"),
    ({"video": Media("v", 640, 480, seconds=3600)}, "video", "5 min"),
    ({"video": Media("v", 640, 480, seconds=3600), "seconds": 301}, "seconds", "5 min"),
    ({"video": Media("v", 640, 480, seconds=0.06)}, "video", "0.06 s"),
    ({"method": "mix", "mask": Media("m", 640, 480, seconds=5.0)}, "mask", "9 s"),
    ({"pose_video": Media("p", 640, 480, seconds=5.0), "start": 6.0, "seconds": 2.0}, "pose_video", "8 s"),
    ({"face_video": Media("f", 512, 512, seconds=1.0)}, "face_video", "face video"),
    ({"method": "mix", "mask": Media("m", 640, 640, seconds=9.0)}, "mask", "640 × 640"),
    ({"method": "mix", "mask": Media("m", 480, 640, seconds=9.0)}, "mask", "aspect ratios differ"),
    ({"method": "mix", "pose_video": Media("p", 640, 640, seconds=9.0)}, "pose_video", "ratios differ"),
    ({"start": -1}, "start", "between"), ({"seconds": -1}, "seconds", "between"),
    ({"seconds": float("nan")}, "seconds", "finite"),
    ({"video": Media("v", 640, 480, seconds=300.6)}, "video", "5 min"),
])  # fmt: skip
def test_driving_videos_refused(options: dict[str, Any], field: str, words: str) -> None:
    error = refused("animate", field, **options)
    assert words in error.message + error.hint


def test_masks_that_fit() -> None:
    for mask in (Media("m", 320, 240, seconds=9.0), Media("m", 640, 478, seconds=8.8), Media("m"),
                 Media("m", 1280, 960, seconds=60.0)):  # fmt: skip
        assert least("animate", mask=mask).mask is mask
    assert least("animate", seconds=2, mask=Media("m", 640, 480, seconds=2.0)).frames == 32


@pytest.mark.parametrize("mode", ["text_to_video", "text_to_image"])
def test_words_are_needed(mode: str) -> None:
    for nothing in ("", "  \n"):
        assert "empty" in refused(mode, "prompt", prompt=nothing).message
    with pytest.raises(InvalidParam) as caught:
        params_from_values(mode, {"seed": 1}, {})
    assert caught.value.field == "prompt"


@pytest.mark.parametrize(("aspect", "size"), [
    ("16:9", (832, 480)), ("9:16", (480, 832)), ("1:1", (624, 624)), ("4:3", (720, 544)), ("3:4", (544, 720)),
])  # fmt: skip
def test_aspects(aspect: str, size: tuple[int, int]) -> None:
    params = least("text_to_video", aspect=aspect)
    assert params.size == size and params.frames == 81
    picture = least("text_to_image", aspect=aspect)
    assert (picture.frames, picture.fps) == (1, 0.0) and picture.size[0] * picture.size[1] > 880_000
    assert least("text_to_image", aspect=aspect, width=64, height=128).size == (64, 128)


def test_steps_of_two_experts() -> None:
    refused("text_to_video", "steps", steps=1)
    refused("text_to_image", "steps", steps=1)
    assert least("text_to_image", model="flux", steps=1).steps == 1
    assert least("sound_to_video", steps=1).steps == least("animate", steps=1).steps == 1


def test_texts_of_the_command_line() -> None:
    media = {"audio": Media("x", seconds=30.0), "image": Media("y", 900, 1600)}
    texts = {"audio": "talk.mp3", "image": "me.png", "seed": "3", "start": "1.5", "level": "yes"}
    params = params_from_text("sound_to_video", texts, media)
    assert isinstance(params, SoundToVideo)
    assert (params.audio.name, params.start, params.level, params.seconds) == ("talk.mp3", 1.5, True, 28.5)
    with pytest.raises(InvalidParam) as caught:
        params_from_text("animate", {"image": "me.png", "seed": "3"}, media)
    assert caught.value.field == "video"


def test_a_mask_that_move_never_reads_is_no_obstacle() -> None:
    assert least("animate", mask=Media("m", 640, 640, seconds=1.0)).method == "move"
