from __future__ import annotations

import re

import pytest

from workflows.catalog import load_catalog

CATALOG = load_catalog()
NEWER = {
    f"{name}_{who}"
    for name in ("lora_i2v_1022", "i2v_1030", "i2v_260412", "lora_t2v_250928", "lora_t2v_1217")
    for who in ("high", "low")
}
"""Roles of the distillations that a mode can use in place of the one that it needs."""
UNSIZED = {"animate_2", "animate_2_distilled", "lora_svi_high", "lora_svi_low"}
"""Roles of files of which no source gives size and hash."""
ENTRIES = [pytest.param(file, id=file.role) for file in CATALOG.files]


def test_read_once() -> None:
    assert load_catalog() is CATALOG


def test_names_and_roles_are_unique() -> None:
    assert len({file.name for file in CATALOG.files}) == len(CATALOG.files) == 34
    assert len({file.role for file in CATALOG.files}) == 34


@pytest.mark.parametrize("file", ENTRIES)
def test_entry(file) -> None:
    assert file.name.endswith(".safetensors") and "/" not in file.name
    assert re.fullmatch(r"[0-9a-f]{64}|", file.sha256)
    assert file.bytes > 100_000_000 or (file.role in UNSIZED and file.size_text == "unknown size")
    assert file.source.endswith("/" + file.name)
    assert file.url == "https://huggingface.co/" + "/".join(
        [*file.source.split("/")[:2], "resolve/main", *file.source.split("/")[2:]]
    )
    assert file.title and file.modes
    assert file.folder in {
        "diffusion_models", "loras", "text_encoders", "vae", "audio_encoders", "clip_vision", "checkpoints",
    }  # fmt: skip
    assert file.optional == (not set(file.needed_by) & set(load_catalog().core_modes))


def test_hashes_are_there_where_they_are_public() -> None:
    assert {file.role for file in CATALOG.files if not file.sha256} == {
        "animate_v2", "sdpose", "sam3", "lora_t2v_250928_high", "lora_t2v_250928_low", "i2v_1030_high",
        "i2v_1030_low", "i2v_260412_high", "i2v_260412_low", *UNSIZED,
    }  # fmt: skip
    rounded = {file.role for file in CATALOG.files if not file.exact}
    assert rounded - NEWER == {"animate_v2", "sdpose", *UNSIZED}
    assert NEWER - rounded == {"lora_i2v_1022_high", "lora_i2v_1022_low"}
    assert len({file.sha256 for file in CATALOG.files if file.sha256}) == 21


def test_needed_files() -> None:
    def roles(mode: str) -> set[str]:
        return {file.role for file in CATALOG.needed(mode)}

    pair = {"i2v_high", "i2v_low", "lora_i2v_high", "lora_i2v_low", "text_encoder", "vae"}
    assert roles("image_to_video") == pair
    assert roles("fast_video") == pair | {"lora_480p"}
    assert roles("sound_to_video") == {"s2v", "audio_encoder", "text_encoder", "vae", "lora_t2v_high"}
    assert roles("animate") == {
        "animate", "clip_vision", "text_encoder", "vae", "lora_relight", "lora_480p",
    }  # fmt: skip
    assert {"t2v_high", "t2v_low"} <= roles("text_to_video")
    assert roles("nothing") == set()


def test_optional_files() -> None:
    optional = {file.role for file in CATALOG.files if file.optional}
    others = {"t2v_high", "t2v_low", "lora_t2v_low", "animate_v2", "flux", "sdpose", "sam3", *UNSIZED}
    assert optional == others | NEWER


def test_settings_that_need_a_file() -> None:
    assert CATALOG.file("lora_i2v_low").option("image_to_video") == "speed=fast"
    assert CATALOG.file("lora_i2v_low").option("fast_video") == ""
    for file in CATALOG.files:
        assert {mode for mode, _ in file.options} <= set(file.modes), file.role
        assert not file.stands_in_for or CATALOG.file(file.stands_in_for).folder == file.folder


def test_one_complete_set_is_enough_for_text_to_image() -> None:
    assert CATALOG.sets("image_to_video") == (("", CATALOG.needed("image_to_video")),)
    (wan, wan_files), (flux, flux_files) = CATALOG.sets("text_to_image")
    assert (wan, flux) == ("model=wan", "model=flux")
    assert {file.role for file in wan_files} == {"t2v_high", "t2v_low", "text_encoder", "vae"}
    assert [file.role for file in flux_files] == ["flux"]
    assert CATALOG.sets("nothing") == ()
    assert set(CATALOG.modes()) == {
        "image_to_video", "fast_video", "sound_to_video", "animate", "text_to_video", "text_to_image",
    }  # fmt: skip


def test_lookup() -> None:
    assert CATALOG.file("vae").name == "wan_2.1_vae.safetensors"
    assert CATALOG.by_name("wan_2.1_vae.safetensors") is CATALOG.file("vae")
    assert CATALOG.by_name("other.safetensors") is None
    with pytest.raises(KeyError):
        CATALOG.file("other")


def test_sizes_for_people_are_decimal() -> None:
    assert CATALOG.file("i2v_high").size_text == "14.3 GB"
    assert CATALOG.file("vae").size_text == "254 MB"


def test_default_negative_is_one_line_of_chinese() -> None:
    text = CATALOG.default_negative
    assert "\n" not in text and "， " not in text
    assert sum("\u4e00" <= c <= "\u9fff" for c in text) > 60
    for fault in (
        "艳",
        "曝光",
        "毫无动作",
        "糊",
        "字幕",
        "灰",
        "画质",
        "JPEG",
        "手",
        "面部",
        "肢",
        "背景",
        "倒退",
    ):
        assert fault in text
