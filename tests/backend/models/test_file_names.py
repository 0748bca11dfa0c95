from __future__ import annotations

from collections import Counter

import pytest

from backend.models.file_names import name_facts
from tests.support.paths import DATA

ROWS = [
    line.split("\t")
    for line in (DATA / "model_names.tsv").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_public_name(row: list[str]) -> None:
    path, *expected = row
    found = name_facts(path)
    said = [found.kind, found.expert, found.format, found.speed, found.base, found.purpose]
    assert [value or "-" for value in said] == expected


def test_the_table_has_names_of_every_sort() -> None:
    kinds = Counter(row[1] for row in ROWS)
    assert len({row[0] for row in ROWS}) == len(ROWS) >= 180
    assert kinds["i2v"] >= 25 and kinds["lora"] >= 30 and len(kinds) >= 25


@pytest.mark.parametrize(
    ("name", "expert"),
    [
        ("wan2.2_i2v_lowvram_high_noise.safetensors", "high"),
        ("wan2.2_i2v_14B_lowvram.safetensors", ""),
        ("wan_low-cfg_i2v.safetensors", ""),
        ("wan_highres_i2v_low.safetensors", "low"),
        ("wan_highquality_t2v.safetensors", ""),
        ("wan_slow_motion_yellow_flower_i2v.safetensors", ""),
        ("low_noise/wan2.2_i2v.safetensors", "low"),
        ("high_and_low/wan2.2_i2v.safetensors", ""),
        ("high/wan2.2_low_noise_i2v.safetensors", "low"),
        ("WanVideo\\High\\i2v.safetensors", "high"),
        ("my_lora_H.safetensors", "high"),
        ("my_lora_L.safetensors", "low"),
        ("wan22_i2v_HN.safetensors", "high"),
        ("wan22_i2v_ln_fp8.safetensors", "low"),
        ("wan2.2-i2v-highnoise-fp8.safetensors", "high"),
        ("wan22I2VLowNoiseFp8.safetensors", "low"),
        ("highlights_i2v.safetensors", ""),
        ("wan_i2v_high_motion.safetensors", ""),
        ("wan_high_heels_i2v.safetensors", ""),
        ("HighHeels_wan22.safetensors", ""),
        ("wan22_high_kick.safetensors", "high"),
        ("WAN2.2_LowAngleShot_HighNoise.safetensors", "high"),
        ("low-angle_wan22_HIGH.safetensors", "high"),
        ("high_angle_low_noise.safetensors", "low"),
        ("wan_low_risers_i2v.safetensors", "low"),
    ],
)
def test_the_expert_by_its_tokens(name: str, expert: str) -> None:
    assert name_facts(name, "loras").expert == expert


@pytest.mark.parametrize(
    ("name", "speed"),
    [
        ("wan2.2_i2v_high_noise_14B_fp8_scaled_no_lightning.safetensors", ""),
        ("wan22_i2v_high_without-lightx2v.safetensors", ""),
        ("wan22_i2vHigh_noLightning.safetensors", ""),
        ("wan22_i2v_high_undistilled_bf16.safetensors", ""),
        ("dreamyNoLightning_i2vHigh.safetensors", "unknown"),
        ("wan22_i2v_high_piano_lightning.safetensors", "baked"),
        ("wan22_i2v_high_no_lora_lightx2v_4step.safetensors", "unknown"),
    ],
)
def test_a_name_can_say_that_no_distillation_is_in_the_weights(name: str, speed: str) -> None:
    assert name_facts(name, "diffusion_models").speed == speed


def test_the_folder_of_a_revision_says_nothing() -> None:
    revision = "206a9ee1a14bfaaf8f7e4d813356505334901f5b"
    found = name_facts(f"models--x--y\\snapshots\\{revision}\\high_noise_model.sft", "diffusion_models")
    assert (found.kind, found.expert, found.version) == ("", "high", "")
    assert name_facts(revision) == name_facts("")


@pytest.mark.parametrize(
    "name", ["", "/", "\\", "...", "a" * 5000, "/".join("ab" * 900), "\udcff.gguf", "İ_high"]
)
def test_odd_paths_are_read_without_an_error(name: str) -> None:
    assert name_facts(name).kind in ("", "other")


def test_the_folder_decides_what_a_name_leaves_open() -> None:
    assert name_facts("x/high.safetensors", "loras").kind == "lora"
    assert name_facts("i2v/high.safetensors", "diffusion_models").kind == "i2v"
    assert name_facts("wan_vae.safetensors", "vae").kind == ""
    assert name_facts("wan2.2_high_noise_14B.safetensors", "diffusion_models").kind == ""
    assert name_facts("wan2.2_i2v_high.safetensors", "checkpoints").kind == "all_in_one"
