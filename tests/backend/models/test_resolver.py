from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from backend.models.choices import Choice
from backend.models.file_headers import HeaderCache
from backend.models.resolver import Resolution, Resolver, Server
from backend.models.roots import Roots
from backend.notices import words
from tests.support.stores import own_names, put
from tests.support.tiny_models import KEYS, gguf, safetensors
from workflows.catalog import load_catalog

CATALOG = load_catalog()
GIB = 1 << 30
HIGH, LOW = (CATALOG.file(role).name for role in ("i2v_high", "i2v_low"))
KJ = "WanVideo/Wan2_2-I2V-A14B-{}_fp8_e4m3fn_scaled_KJ.safetensors"
BF16 = "Wan2_2-I2V-A14B-{}_bf16.safetensors"
BAKED = "wan2.2_i2v_A14b_{}_noise_lightx2v_4step_1030.safetensors"
Q4 = "Wan2.2-I2V-A14B-{}Noise-Q4_K_M.gguf"


def by_names(*names: str, folder: str = "diffusion_models", choices: dict | None = None, **server: object):
    return Resolver(CATALOG, Server({folder: names}, **server), None, choices or {}).resolve()  # type: ignore[arg-type]


def on_disk(store: Path, choices: dict | None = None, **server: object) -> dict[str, Resolution]:
    roots = Roots(store)
    lists = {folder: tuple(roots.names(folder)) for folder in {file.folder for file in CATALOG.files}}
    return Resolver(CATALOG, Server(lists, **server), roots, choices or {}, HeaderCache()).resolve()  # type: ignore[arg-type]


def code(found: Resolution) -> str:
    return found.obstacle.code if found.obstacle else ""


def used(found: Resolution) -> str:
    return found.used.name if found.used else ""


def test_the_known_file_comes_first_in_any_subfolder() -> None:
    found = by_names(KJ.format("HIGH"), f"wan\\{HIGH}", f"wan/x/{LOW}", BF16.format("LOW"))
    assert (used(found["i2v_high"]), found["i2v_high"].why) == (f"wan\\{HIGH}", "known")
    assert used(found["i2v_low"]) == f"wan/x/{LOW}"
    assert [one.name for one in found["i2v_high"].others] == [KJ.format("HIGH")]


def test_another_publishers_file_takes_the_role() -> None:
    found = by_names(*(KJ.format(expert) for expert in ("HIGH", "LOW")))
    assert used(found["i2v_high"]) == KJ.format("HIGH") and found["i2v_high"].why == "found"
    assert used(found["i2v_low"]) == KJ.format("LOW")
    assert used(found["t2v_high"]) == "" and code(found["t2v_high"]) == ""


@pytest.mark.parametrize(
    ("vram", "best"),
    [(0, KJ), (96 * GIB, BF16), (24 * GIB, KJ), (16 * GIB, Q4)],
)
def test_the_best_for_the_gpu(vram: int, best: str) -> None:
    names = [form.format(e) for form in (BF16, KJ) for e in ("HIGH", "LOW")]
    names += [Q4.format("High"), Q4.format("Low"), BAKED.format("high"), BAKED.format("low")]
    found = by_names(*names, gguf=True, vram=vram)
    expected = (
        (best.format("High"), best.format("Low")) if best is Q4 else (best.format("HIGH"), best.format("LOW"))
    )
    assert (used(found["i2v_high"]), used(found["i2v_low"])) == expected


def test_formats_that_the_gpu_or_the_server_does_not_take_come_last() -> None:
    nv, rotated = (
        "wan2.2_i2v_high_noise_14B_nvfp4.safetensors",
        "wan2.2_i2v_high_noise_14B_int8_convrot.safetensors",
    )
    names = (nv, rotated, KJ.format("HIGH"))
    assert used(by_names(*names, gpu="NVIDIA GeForce RTX 4090", vram=24 * GIB)["i2v_high"]) == KJ.format(
        "HIGH"
    )
    assert used(by_names(nv, rotated, version="0.33.0")["i2v_high"]) == rotated
    assert used(by_names(rotated, BF16.format("HIGH"), version="0.3.64")["i2v_high"]) == BF16.format("HIGH")
    assert used(by_names(nv, gpu="NVIDIA GeForce RTX 5090")["i2v_high"]) == nv


def test_a_baked_distillation_is_used_as_a_pair_when_nothing_else_is_there() -> None:
    found = by_names(BAKED.format("high"), BAKED.format("low"))
    assert found["i2v_high"].used is not None and found["i2v_high"].used.identity.speed == "baked"
    mixed = by_names(HIGH, BAKED.format("high"), BAKED.format("low"))
    assert (used(mixed["i2v_high"]), used(mixed["i2v_low"])) == (BAKED.format("high"), BAKED.format("low"))
    plain = by_names(HIGH, LOW, BAKED.format("high"), BAKED.format("low"))
    assert (used(plain["i2v_high"]), used(plain["i2v_low"])) == (HIGH, LOW)


def test_merges_of_unknown_speed_are_asked() -> None:
    names = ("smoothMixWan2214BI2V_i2vHigh.safetensors", "smoothMixWan2214BI2V_i2vLow.safetensors")
    found = by_names(*names)
    assert used(found["i2v_high"]) == "" and code(found["i2v_high"]) == "model_not_clear"
    asked = by_names(*names, choices={"i2v_high": Choice(names[0]), "i2v_low": Choice(names[1], True)})
    assert code(asked["i2v_high"]) == "model_speed_unknown"
    assert asked["i2v_low"].used is not None and asked["i2v_low"].used.identity.speed == "baked"
    assert code(asked["i2v_low"]) == "" and asked["i2v_low"].why == "chosen"
    full = by_names(*names, choices={"i2v_low": Choice(names[1], False)})
    assert full["i2v_low"].used is not None and full["i2v_low"].used.identity.speed == ""


def test_a_choice_by_hand_wins_in_any_spelling() -> None:
    found = by_names(
        HIGH, LOW, KJ.format("HIGH"), choices={"i2v_high": Choice(KJ.format("HIGH").replace("/", "\\"))}
    )
    assert used(found["i2v_high"]) == KJ.format("HIGH") and found["i2v_high"].why == "chosen"
    assert [one.name for one in found["i2v_high"].others] == [HIGH] or HIGH in str(found["i2v_high"].others)
    gone = by_names(HIGH, LOW, choices={"i2v_high": Choice("gone.safetensors")})["i2v_high"]
    assert used(gone) == HIGH and [note.code for note in gone.notes] == ["chosen_model_gone"]


def test_what_only_a_person_can_assign(tmp_path: Path) -> None:
    put(tmp_path, "diffusion_models/rig_unnamed_a.safetensors", "i2v")
    put(tmp_path, "diffusion_models/rig_unnamed_b.safetensors", "i2v")
    found = on_disk(tmp_path)["i2v_high"]
    assert found.used is None and len(found.asked) == 2 and code(found) == "model_not_clear"
    name = "rig_unnamed_a.safetensors"
    assert used(on_disk(tmp_path, {"i2v_high": Choice(name, False)})["i2v_high"]) == name


def test_kinds_that_look_alike_are_not_taken(tmp_path: Path) -> None:
    for name in (
        "wan2.2_fun_inpaint_high_noise_14B_fp8_scaled", "wan_animate_2_int8_convrot",
        "wan2.1_i2v_480p_14B_fp16",
        "wan2.2_fun_camera_high_noise_14B_bf16", "wan2.2_ti2v_5B_fp16",
    ):  # fmt: skip
        put(tmp_path, f"diffusion_models/{name}.safetensors")
    assert on_disk(tmp_path)["i2v_high"] == Resolution("i2v_high")


@pytest.mark.parametrize(
    ("role", "kind", "says"),
    [
        ("i2v_high", "flux", "flux"),
        ("i2v_high", "sdxl", "sdxl"),
        ("i2v_high", "i2v_2.1", ""),
        ("i2v_high", "t2v", ""),
        ("text_encoder", "text_encoder_kijai", "text_encoder_kijai"),
        ("text_encoder", "text_encoder_other", "text_encoder_other"),
        ("vae", "vae_2.2", "vae_2.2"),
        ("clip_vision", "clip_vision_original", "clip_vision_original"),
        ("audio_encoder", "audio_encoder_other", "audio_encoder_other"),
        ("lora_i2v_high", "i2v", ""),
        ("flux", "flux", "flux"),
        ("animate_v2", "i2v", ""),
    ],
)
def test_another_model_under_our_name(tmp_path: Path, role: str, kind: str, says: str) -> None:
    put(tmp_path, own_names(role)[role], kind)
    found = on_disk(tmp_path)[role]
    assert found.used is None and code(found) == "model_unlike_name"
    assert found.obstacle is not None and (not says or found.obstacle.arg("kind") == says)


def test_a_lora_for_another_family_under_our_name(tmp_path: Path) -> None:
    keys = {"lora_unet_double_blocks_0_img_mod_lin.lora_up.weight": (8, 4)}
    safetensors(tmp_path / own_names("lora_i2v_high")["lora_i2v_high"], keys)
    found = on_disk(tmp_path)["lora_i2v_high"]
    assert (
        code(found) == "model_unlike_name"
        and found.obstacle is not None
        and found.obstacle.arg("kind") == "flux"
    )


def test_an_imposter_beside_a_good_file_is_pointed_out(tmp_path: Path) -> None:
    put(tmp_path, own_names("vae")["vae"], "vae_other")
    put(tmp_path, "vae/Wan2_1_VAE_bf16.safetensors")
    found = on_disk(tmp_path)["vae"]
    assert used(found) == "Wan2_1_VAE_bf16.safetensors" and code(found) == ""
    assert [note.code for note in found.notes] == ["model_unlike_name"]


def test_a_truncated_file(tmp_path: Path) -> None:
    path = put(tmp_path, own_names("i2v_high")["i2v_high"])
    os.truncate(path, path.stat().st_size - 9)
    assert code(on_disk(tmp_path)["i2v_high"]) == "model_damaged"


def test_kijais_text_encoder_alone(tmp_path: Path) -> None:
    put(tmp_path, "text_encoders/umt5-xxl-enc-bf16.safetensors")
    assert code(on_disk(tmp_path)["text_encoder"]) == "model_other_layout"
    put(tmp_path, "text_encoders/umt5_xxl_fp16.safetensors")
    assert used(on_disk(tmp_path)["text_encoder"]) == "umt5_xxl_fp16.safetensors"
    only = by_names("umt5-xxl-enc-fp8_e4m3fn.safetensors", folder="text_encoders")
    assert code(only["text_encoder"]) == "model_other_layout", "by name where the disk is not shared"


def test_swapped_experts_by_their_metadata(tmp_path: Path) -> None:
    for name, says in ((HIGH, "low"), (LOW, "high")):
        safetensors(
            tmp_path / "diffusion_models" / name, "i2v", metadata={"model_type": f"Wan2_2-I2V-A14B-{says}"}
        )
    found = on_disk(tmp_path)
    assert code(found["i2v_high"]) == code(found["i2v_low"]) == "expert_unlike_name"


def test_a_pair_that_is_one_file_twice(tmp_path: Path) -> None:
    high = tmp_path / "diffusion_models" / HIGH
    low = tmp_path / "diffusion_models" / LOW
    put(tmp_path, f"diffusion_models/{HIGH}", seed=1)
    low.symlink_to(high)
    assert code(on_disk(tmp_path)["i2v_low"]) == "pair_is_one_file"
    low.unlink()
    with high.open("r+b") as file:
        file.seek(4000)
        file.write(os.urandom(high.stat().st_size - 4000))
    low.write_bytes(high.read_bytes())
    assert code(on_disk(tmp_path)["i2v_low"]) == "pair_is_one_file", "a copy"
    with low.open("r+b") as file:
        file.seek(9000)
        file.write(os.urandom(low.stat().st_size - 9000))
    assert code(on_disk(tmp_path)["i2v_low"]) == ""


def test_gguf_needs_its_loader(tmp_path: Path) -> None:
    for expert in ("High", "Low"):
        put(tmp_path, f"unet/{Q4.format(expert)}")
    assert code(on_disk(tmp_path, gguf=False)["i2v_high"]) == "gguf_without_loader"
    assert used(on_disk(tmp_path, gguf=True)["i2v_high"]) == Q4.format("High")
    roots = Roots(tmp_path)
    server = Server({"diffusion_models": ()}, gguf=False)
    listed = Resolver(CATALOG, server, roots).resolve()["i2v_low"]
    assert code(listed) == "gguf_without_loader", "the server lists no GGUF files without the loader"


def test_2_000_files_are_resolved_by_their_headers_alone(tmp_path: Path) -> None:
    for number in range(1900):
        path = tmp_path / "loras" / f"s{number % 40}" / f"style_{number}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    for number in range(100):
        put(tmp_path, f"diffusion_models/m{number}/wan2.2_t2v_high_noise_{number}.safetensors")
    cache, roots = HeaderCache(), Roots(tmp_path)
    lists = {folder: tuple(roots.names(folder)) for folder in ("loras", "diffusion_models")}
    began = time.process_time()
    for _ in range(2):
        Resolver(CATALOG, Server(lists), roots, headers=cache).resolve()
    assert sum(map(len, lists.values())) == 2000
    assert cache.reads <= 101, "LoRAs whose names do not fit are not opened, and nothing twice"
    assert time.process_time() - began < 10


def test_every_kind_of_the_fixtures_is_a_kind() -> None:
    assert {"i2v", "lora", "text_encoder"} <= set(KEYS)


# Animate 2

SECOND = "wan_animate_2_int8_convrot.safetensors"
SECOND_DISTILLED = "wan_animate_2_distill_int8_convrot.safetensors"


def second(*names: str) -> dict[str, Resolution]:
    """What the roles of Animate 2, and those that must not take its files, use by names alone."""
    found = by_names(*names, gguf=True)
    return {role: found[role] for role in ("animate_2", "animate_2_distilled", "animate", "i2v_high")}


@pytest.mark.parametrize(("names", "full", "distilled"), [
    ((SECOND, SECOND_DISTILLED), SECOND, SECOND_DISTILLED),
    ((SECOND,), SECOND, ""), ((SECOND_DISTILLED,), "", SECOND_DISTILLED),
    (("Wan/wan_animate_2_bf16.safetensors",), "Wan/wan_animate_2_bf16.safetensors", ""),
    (("wan_animate_2_bf16.safetensors", "wan_animate_2_distill_bf16.safetensors"),
     "wan_animate_2_bf16.safetensors", "wan_animate_2_distill_bf16.safetensors"),
])  # fmt: skip
def test_files_of_animate_2(names: tuple[str, ...], full: str, distilled: str) -> None:
    found = second(*names)
    assert [used(one) for one in found.values()] == [full, distilled, "", ""]
    assert all(one.obstacle is None for one in found.values())


def test_a_gguf_of_animate_2_is_never_used_and_the_reason_is_said() -> None:
    name = "Wan-Animate-2-Q4_K_M.gguf"
    found = second(name)
    assert all(one.used is None for one in found.values())
    assert code(found["animate_2"]) == "gguf_animate_2"
    sentence = words(found["animate_2"].obstacle)
    assert name in sentence and "models download animate_2`" in sentence
    chosen = by_names(name, choices={"animate_2": Choice(name)}, gguf=True)
    assert code(chosen["animate_2"]) == "gguf_animate_2"


def test_a_copy_without_its_metadata_is_not_animate_2(tmp_path: Path) -> None:
    """ComfyUI would load it as an Image-to-Video model."""
    config = {"config": json.dumps({"transformer": {"model_type": "animate2"}})}
    for metadata, expected in ((config, ""), ({}, "model_unlike_name")):
        put(tmp_path, f"diffusion_models/{SECOND}", "i2v", metadata=metadata)
        assert code(on_disk(tmp_path)["animate_2"]) == expected


@pytest.mark.parametrize(
    ("path", "kind", "role", "says"),
    [
        ("diffusion_models/x/Wan2_2-I2V-A14B-HIGH_bf16.safetensors", "t2v", "i2v_high", "t2v"),
        ("diffusion_models/x/Wan2_2-I2V-A14B-LOW_bf16.safetensors", "flux", "i2v_low", "flux"),
        ("diffusion_models/x/Wan2_2-T2V-A14B-LOW_bf16.safetensors", "animate", "t2v_low", "animate"),
        ("diffusion_models/x/Wan2_2-S2V-14B_bf16.safetensors", "sdxl", "s2v", "sdxl"),
        ("diffusion_models/x/Wan2_2-Animate-14B_bf16.safetensors", "i2v", "animate", "i2v"),
        ("vae/x/Wan2_1_VAE_bf16.safetensors", "vae_other", "vae", "vae_other"),
    ],
)
def test_a_file_of_any_publisher_that_is_unlike_its_name_is_said(
    tmp_path: Path, path: str, kind: str, role: str, says: str
) -> None:
    put(tmp_path, path, kind)
    resolved = on_disk(tmp_path)
    found = resolved[role]
    assert found.used is None and found.obstacle is not None and code(found) == "model_unlike_name"
    assert found.obstacle.arg("kind") == says and found.obstacle.arg("file") == path.partition("/")[2]
    assert words(found.obstacle).count("  ") == 0
    assert [name for name, one in resolved.items() if code(one)] == [role], "the other roles are just missing"


@pytest.mark.parametrize(
    ("path", "role"),
    [
        (f"diffusion_models/{KJ.format('HIGH')}", "i2v_high"),
        (f"diffusion_models/{KJ.format('LOW')}", "i2v_low"),
        ("diffusion_models/Wan2_2-S2V-14B_bf16.safetensors", "s2v"),
        ("diffusion_models/Wan2_2-Animate-14B_bf16.safetensors", "animate"),
        ("vae/Wan2_1_VAE_bf16.safetensors", "vae"),
        ("loras/Wan2.2-Lightning_I2V-A14B-4steps-lora_HIGH_fp16.safetensors", "lora_i2v_high"),
    ],
)
def test_a_file_of_any_publisher_that_is_cut_short_is_said(tmp_path: Path, path: str, role: str) -> None:
    whole = put(tmp_path, path)
    assert used(on_disk(tmp_path)[role]) == path.partition("/")[2]
    os.truncate(whole, whole.stat().st_size - 9)
    resolved = on_disk(tmp_path)
    found = resolved[role]
    assert found.obstacle is not None and found.obstacle.arg("fault") == "cut_short"
    assert [name for name, one in resolved.items() if code(one)] == [role]
    folder = CATALOG.file(role).folder
    put(tmp_path, own_names(role)[role])
    found = on_disk(tmp_path)[role]
    assert (used(found), code(found)) == (CATALOG.file(role).name, ""), folder


@pytest.mark.parametrize("lies", ["gguf", "safetensors"])
def test_a_file_with_the_ending_of_another_format(tmp_path: Path, lies: str) -> None:
    name = {"gguf": HIGH, "safetensors": Q4.format("High")}[lies]
    target = tmp_path / "diffusion_models" / name
    gguf(target, "i2v") if lies == "gguf" else safetensors(target, "i2v")
    found = on_disk(tmp_path, gguf=True)["i2v_high"]
    assert found.used is None and code(found) == "model_damaged"
    assert "holds another format than its ending says" in words(found.obstacle)


def test_a_choice_in_the_other_form_of_an_accented_letter() -> None:
    composed, split = "Z\u00fcrich_i2v.safetensors", "Zu\u0308rich_i2v.safetensors"
    found = by_names(split, HIGH, choices={"i2v_high": Choice(f"x/{composed}", False)})["i2v_high"]
    assert used(found) == split and [note.code for note in found.notes] == ["chosen_model_moved"]
    assert used(by_names(split, HIGH, choices={"i2v_high": Choice(composed, False)})["i2v_high"]) == split


def test_files_that_macos_writes_beside_others_take_no_role() -> None:
    names = [f"{folder}._{name}" for name in (HIGH, BF16.format("HIGH")) for folder in ("", "wan/", "wan\\")]
    assert [role for role, one in by_names(*names).items() if used(one) or code(one) or one.others] == []
    found = by_names(*names, BF16.format("HIGH"))["i2v_high"]
    assert used(found) == BF16.format("HIGH") and found.others == ()


def test_only_model_files_take_a_role(tmp_path: Path) -> None:
    folder = tmp_path / "diffusion_models"
    folder.mkdir()
    name = BF16.format("HIGH")
    for ending in (".part", ".aria2", ".png", ".txt", ".metadata.json"):
        (folder / f"{name}{ending}").write_bytes(b"x")
        (folder / name.replace(".safetensors", ending)).write_bytes(b"x")
    assert [role for role, one in on_disk(tmp_path).items() if used(one) or code(one) or one.asked] == []
    for ending in (".SAFETENSORS", ".sft", ".gguf", ".pth", ".bin"):
        put(tmp_path, f"diffusion_models/a{ending}", "i2v")
    assert [Path(one).suffix for one in Roots(tmp_path).names("diffusion_models")] == [
        ".SAFETENSORS", ".bin", ".gguf", ".pth", ".sft",
    ]  # fmt: skip


def test_a_lora_in_the_folder_of_models_takes_no_role(tmp_path: Path) -> None:
    name = "Wan2.2-Lightning_I2V-A14B-4steps-lora_HIGH_fp16.safetensors"
    far = by_names(name)["i2v_high"]
    assert far.used is None and [one.name for one in far.asked] == [name] and code(far) == "model_not_clear"
    put(tmp_path, f"diffusion_models/{name}", "lora")
    near = on_disk(tmp_path)["i2v_high"]
    assert near.used is None and near.asked == () and near.obstacle is not None
    assert (code(near), near.obstacle.arg("kind")) == ("model_unlike_name", "lora")


# chosen by hand, and moved since


def test_a_chosen_file_that_moved_is_found_by_its_name() -> None:
    high = KJ.format("HIGH").rsplit("/", 1)[-1]
    found = by_names(HIGH, LOW, f"new/{high}", choices={"i2v_high": Choice(f"old/{high}")})["i2v_high"]
    assert used(found) == f"new/{high}" and found.why == "chosen" and found.obstacle is None
    assert [note.code for note in found.notes] == ["chosen_model_moved"]
    bare = by_names(HIGH, LOW, f"new\\{high}", choices={"i2v_high": Choice(high)})["i2v_high"]
    assert used(bare) == f"new\\{high}"


def test_two_files_of_the_chosen_name_are_refused_with_both_paths(tmp_path: Path) -> None:
    high = KJ.format("HIGH").rsplit("/", 1)[-1]
    choice = {"i2v_high": Choice(f"old/{high}")}
    found = by_names(HIGH, LOW, f"a/{high}", f"b/{high}", choices=choice)["i2v_high"]
    assert found.used is None and found.obstacle is not None
    assert words(found.obstacle) == (
        f"old/{high}, which was chosen as the {CATALOG.file('i2v_high').title}, is not where it was, and"
        f" several files have its name: a/{high}, b/{high}. Choose one of them."
    )
    assert [one.name for one in found.others] == [f"a/{high}", f"b/{high}"]
    put(tmp_path, f"diffusion_models/a/{high}")
    path = put(tmp_path, f"diffusion_models/b/{high}")
    with path.open("ab") as file:
        file.write(b"\0" * 64)
    assert code(on_disk(tmp_path, choice)["i2v_high"]) == "chosen_model_ambiguous"
    sized = {"i2v_high": Choice(f"old/{high}", size=path.stat().st_size)}
    assert used(on_disk(tmp_path, sized)["i2v_high"]) == f"b/{high}", "the one of its size"


def test_a_chosen_lora_that_moved(tmp_path: Path) -> None:
    put(tmp_path, "loras/new/my_speed.safetensors", "lora")
    choice = {"lora_i2v_high": Choice("old/my_speed.safetensors")}
    found = on_disk(tmp_path, choice)["lora_i2v_high"]
    assert used(found) == "new/my_speed.safetensors"


@pytest.mark.parametrize("dtype", ["MXFP4", "NVFP4", 43])
def test_a_gguf_of_a_type_that_its_loader_does_not_know(tmp_path: Path, dtype: str | int) -> None:
    name = "Wan2.2-I2V-A14B-HighNoise-new.gguf"
    gguf(tmp_path / "diffusion_models" / name, "i2v", dtype)
    found = on_disk(tmp_path, gguf=True, choices={"i2v_high": Choice(name, False)})["i2v_high"]
    said = str(dtype) if isinstance(dtype, str) else f"type {dtype}"
    assert code(found) == "gguf_type" and found.obstacle.arg("type") == said
    assert f"stored as {said}" in words(found.obstacle) and "damaged" not in words(found.obstacle)
    good = put(tmp_path, f"diffusion_models/{Q4.format('High')}")
    assert used(on_disk(tmp_path, gguf=True)["i2v_high"]) == good.name


def test_a_type_that_the_name_gives_where_no_header_is_read() -> None:
    found = by_names("Wan2.2-I2V-A14B-HighNoise-MXFP4.gguf", gguf=True)["i2v_high"]
    assert (used(found), code(found)) == ("", "gguf_type")
    both = by_names("Wan2.2-I2V-A14B-HighNoise-NVFP4.gguf", Q4.format("High"), gguf=True)["i2v_high"]
    assert used(both) == Q4.format("High")


@pytest.mark.parametrize(
    ("high", "low"),
    [("fp16", "bf16"), ("bf16", "fp16"), ("fp8_scaled", "fp8_e5m2_scaled"), ("fp8_e4m3fn", "fp8_e5m2")],
)
def test_experts_of_one_name_are_a_pair_at_another_precision(high: str, low: str) -> None:
    name = "Wan2_2-I2V-A14B-{}_{}.safetensors"
    pair = name.format("HIGH", high), name.format("LOW", low)
    found = by_names(*pair, f"backup_i2v_low_{high}.safetensors")
    assert (used(found["i2v_high"]), used(found["i2v_low"])) == pair
