from __future__ import annotations

from typing import Any

import pytest

from workflows.modes.fast_video import FastVideo
from workflows.modes.image_to_video import ImageToVideo
from workflows.modes.parsing import params_from_text, params_from_values
from workflows.modes.registry import MODES
from workflows.params.media import Media
from workflows.params.values import InvalidParam

PHOTO = Media("probe", 1600, 900)
TEXTS = {"image": "photo.png", "seed": "3"}


def read(**texts: str) -> Any:
    return params_from_text("image_to_video", {**TEXTS, **texts}, PHOTO)


def test_texts_become_typed_values() -> None:
    params = read(
        seconds="2", steps="30", cfg="4", shift="5.5", width="640", height="368", tiled_decode="true",
        easy_cache="off", clip_vision="1", negative_prompt="", prompt="a = b, c", motion="subtle",
    )  # fmt: skip
    assert params == ImageToVideo(
        image=Media("photo.png", 1600, 900), seed=3, seconds=2.0, steps=30, cfg=4.0, shift=5.5, width=640,
        height=368, tiled_decode=True, clip_vision=True, negative_prompt="", prompt="a = b, c",
        motion="subtle",
    )  # fmt: skip
    assert read().negative_prompt is None


def test_media_one_for_all_or_one_each() -> None:
    assert read(end_image="last.png").end_image == Media("last.png", 1600, 900)
    each = {"image": Media("x", 10, 20), "end_image": Media("y", 30, 40)}
    params = params_from_text("image_to_video", {**TEXTS, "end_image": "last.png"}, each)
    assert isinstance(params, ImageToVideo)
    assert params.image == Media("photo.png", 10, 20) and params.end_image == Media("last.png", 30, 40)


@pytest.mark.parametrize(("text", "name"), [
    ("photo.png", "photo.png"), ("./photo.png", "photo.png"), ("sub/photo.png", "sub/photo.png"),
    ("/home/me/photo.png", "photo.png"), ("../photo.png", "photo.png"),
])  # fmt: skip
def test_names_stay_inside_the_input_folder(text: str, name: str) -> None:
    assert read(image=text).image.name == name


def test_fast_video() -> None:
    params = params_from_text("fast_video", {**TEXTS, "variant": "anti_slow_motion"}, PHOTO)
    assert isinstance(params, FastVideo) and params.variant == "anti_slow_motion"


@pytest.mark.parametrize(("key", "text"), [
    ("seconds", "nan"), ("seconds", "five"), ("seconds", ""), ("seconds", "1e999"), ("seconds", "0"),
    ("width", "17"), ("width", "8e2"), ("width", "832.0"), ("steps", "10000"), ("steps", "1"),
    ("seed", "-1"), ("seed", "9007199254740992"), ("seed", "1" * 5000), ("seed", "x"), ("cfg", "0.5"),
    ("tiled_decode", "maybe"), ("motion", "wild"), ("prompt", "x" * 4001), ("image", ""), ("colour", "red"),
    ("MODE", "x"), ("size", "x"),
])  # fmt: skip
def test_refused_by_field(key: str, text: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        read(**{key: text})
    assert caught.value.field == key and caught.value.hint


def test_unknown_key_and_mode_name_the_known_ones() -> None:
    with pytest.raises(InvalidParam, match="colour") as caught:
        read(colour="red")
    assert "motion" in caught.value.hint
    with pytest.raises(InvalidParam, match="film") as caught:
        params_from_text("film", TEXTS, PHOTO)
    assert "fast_video" in caught.value.hint
    with pytest.raises(InvalidParam):
        params_from_text("fast_video", {**TEXTS, "motion": "subtle"}, PHOTO)


def test_missing_picture_and_seed() -> None:
    with pytest.raises(InvalidParam) as caught:
        params_from_text("image_to_video", {"seed": "1"}, PHOTO)
    assert caught.value.field == "image"
    with pytest.raises(InvalidParam) as caught:
        params_from_text("image_to_video", {"image": "x.png"}, PHOTO)
    assert caught.value.field == "seed"


def test_typed_values() -> None:
    params = params_from_values("fast_video", {"seed": 5, "seconds": 1}, {"image": Media("x.png", 9, 16)})
    assert params == FastVideo(image=Media("x.png", 9, 16), seed=5, seconds=1.0)
    with pytest.raises(InvalidParam):
        params_from_values("fast_video", {"seed": 5, "seconds": "1"}, {"image": PHOTO})


def test_parameters_in_the_order_of_the_api() -> None:
    assert tuple(MODES["fast_video"].by_name) == (
        "image", "prompt", "variant", "resolution", "width", "height", "seconds", "seed", "distillation",
        "negative_prompt", "nag", "prompt_weights", "loras", "fit", "loop",
    )  # fmt: skip
