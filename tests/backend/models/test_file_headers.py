from __future__ import annotations

import json
import os
import random
import struct
import time
import tracemalloc
from pathlib import Path

import pytest

from backend.models.file_headers import HeaderCache, read_facts
from backend.models.file_names import name_facts
from backend.models.kinds import HeaderFacts, identify
from backend.models.tensor_list import HEADER_MAX
from tests.support.tiny_models import KEYS, gguf, safetensors


def facts(path: Path) -> HeaderFacts:
    return read_facts(path, path.stat().st_size)


@pytest.mark.parametrize("kind", KEYS)
def test_the_kind_by_keys_and_shapes(tmp_path: Path, kind: str) -> None:
    found = facts(safetensors(tmp_path / "a.safetensors", kind))
    assert kind in found.kinds and not found.fault
    others = found.kinds - {kind}
    alike = {
        "t2v": {"t2v_2.1", "bernini", "wan_other"},
        "i2v": {"fun_inpaint", "wan_other"},
        "i2v_2.1": {"fun_inpaint", "wan_other"},
        "ti2v_5b": {"wan_other"},
        "vae": {"vae_other"},
    }
    assert others == alike.get(kind, set())


def test_animate_2_is_an_i2v_with_metadata(tmp_path: Path) -> None:
    config = json.dumps({"transformer": {"model_type": "animate2"}})
    marked = safetensors(tmp_path / "a.safetensors", "i2v", "I8", {"config": config})
    assert facts(marked).kinds == {"animate_2"}
    for other in ("[]", "{", json.dumps({"transformer": None}), "[" * 90_000):
        odd = safetensors(tmp_path / "b.safetensors", "i2v", metadata={"config": other})
        assert "i2v" in facts(odd).kinds
    assert "animate_2" in facts(gguf(tmp_path / "a.gguf", "i2v")).kinds, "a GGUF of it cannot be told apart"


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("kind", ["i2v", "t2v", "s2v", "animate", "vace"])
def test_gguf_by_its_reversed_shapes(tmp_path: Path, kind: str, flat: bool) -> None:
    found = facts(gguf(tmp_path / "a.gguf", kind, flat=flat))
    assert kind in found.kinds and found.format == "Q4_K" and not found.fault


def test_text_encoders_as_gguf(tmp_path: Path) -> None:
    keys = {"enc.blk.0.attn_q.weight": (64, 64)}
    umt5 = {**keys, "enc.blk.1.attn_rel_b.weight": (64, 32)}
    assert facts(gguf(tmp_path / "a.gguf", umt5)).kinds == {"text_encoder"}
    assert facts(gguf(tmp_path / "b.gguf", keys)).kinds == {"text_encoder_other"}
    assert facts(gguf(tmp_path / "c.gguf", keys, vocabulary=256_384)).kinds == {"text_encoder"}


@pytest.mark.parametrize(
    ("dtype", "more", "expected"),
    [
        ("F8_E4M3", {"blocks.0.self_attn.q.scale_weight": ()}, "fp8_scaled"),
        ("F8_E5M2", {"blocks.0.self_attn.q.weight_scale": (1,)}, "fp8_e5m2_scaled"),
        ("F8_E4M3", {}, "fp8"),
        ("F8_E5M2", {}, "fp8_e5m2"),
        ("F16", {}, "fp16"),
        ("BF16", {}, "bf16"),
        ("F32", {}, "fp32"),
        ("I8", {}, "int8"),
        ("U8", {"blocks.0.self_attn.q.weight_scale_2": (1,)}, "nvfp4"),
    ],
)
def test_the_format(tmp_path: Path, dtype: str, more: dict, expected: str) -> None:
    assert facts(safetensors(tmp_path / "a.safetensors", {**KEYS["i2v"], **more}, dtype)).format == expected


def test_rotated_int8_and_the_number_of_weights(tmp_path: Path) -> None:
    quant = json.dumps({"layers": {"x": {"format": "int8_tensorwise", "convrot": True}}})
    found = facts(safetensors(tmp_path / "a.safetensors", "i2v", "I8", {"_quantization_metadata": quant}))
    assert found.format == "int8_convrot"
    assert found.parameters == 128 * 36 * 4 + 2 * 128 * 128 + 64 * 128


@pytest.mark.parametrize(
    ("keys", "base"),
    [
        ("diffusion_model.blocks.0.self_attn.q.lora_{}.weight", "i2v"),
        ("lora_unet__blocks_0_self_attn_q.lora_{}.weight", "i2v"),
        ("diffusion_model.blocks.0.cross_attn.k_img.lora_{}.weight", "i2v_2.1"),
        ("transformer.blocks.0.attn1.to_q.lora_{}.weight", "wan_diffusers"),
        ("lora_unet_double_blocks_0_img_attn_qkv.lora_{}.weight", "flux"),
        ("lora_unet_down_blocks_1_attentions_0_proj_in.lora_{}.weight", "sdxl"),
        ("transformer_blocks.0.attn.add_k_proj.lora_{}.weight", "qwen_image"),
    ],
)
@pytest.mark.parametrize("sides", ["AB", ("down", "up")])
def test_what_a_lora_is_for(tmp_path: Path, keys: str, base: str, sides: str) -> None:
    shapes = {keys.format(sides[0]): (4, 128), keys.format(sides[1]): (128, 4)}
    found = facts(safetensors(tmp_path / "a.safetensors", shapes))
    assert found.kinds == {"lora"} and base in found.bases


def test_a_lora_for_5b_by_its_width(tmp_path: Path) -> None:
    key = "diffusion_model.blocks.0.self_attn.q.lora_{}.weight"
    for width, base in ((3072, "ti2v_5b"), (1536, "wan_1.3b")):
        shapes = {key.format("A"): (4, width), key.format("B"): (width, 4)}
        assert facts(safetensors(tmp_path / "a.safetensors", shapes)).bases == {base}


@pytest.mark.parametrize(
    ("metadata", "expert"),
    [
        ({"model_type": "Wan2_2-I2V-A14B-high"}, "high"),
        ({"model_type": "Wan2_2-I2V-A14B-low"}, "low"),
        ({"general.name": "Wan2.2 I2V A14B LowNoise"}, "low"),
        ({"model_type": "Wan2_1-I2V-14B"}, ""),
        ({"modelspec.title": "for low VRAM"}, ""),
        ({"modelspec.title": "WAN 2.2 14B highnoise"}, "high"),
        ({"modelspec.title": "Slow motion"}, ""),
        ({"modelspec.title": "Yellow flower"}, ""),
        ({"modelspec.title": "Highlights, highly detailed"}, ""),
        ({"modelspec.title": "Low angle (High Noise)"}, "high"),
    ],
)
def test_the_expert_by_metadata(tmp_path: Path, metadata: dict, expert: str) -> None:
    assert facts(safetensors(tmp_path / "a.safetensors", "i2v", metadata=metadata)).expert == expert


def test_name_and_header_together(tmp_path: Path) -> None:
    i2v = facts(safetensors(tmp_path / "a.safetensors", "i2v", "F8_E4M3"))
    flux = facts(safetensors(tmp_path / "b.safetensors", "flux"))
    ours = name_facts("wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors")
    good = identify(ours, i2v)
    assert (good.kind, good.expert, good.format, good.unlike) == ("i2v", "high", "fp8_scaled", "")
    assert (identify(ours, flux).kind, identify(ours, flux).unlike) == ("flux", "i2v")
    fun = identify(name_facts("wan2.2_fun_inpaint_high_noise.safetensors"), i2v)
    assert fun.kind == "fun_inpaint"
    unclear = identify(name_facts("mine.safetensors"), i2v)
    assert unclear.kind == "" and {"i2v", "fun_inpaint"} <= unclear.possible
    assert identify(name_facts("wan2.2_t2v_high.safetensors"), i2v).unlike == "t2v"
    low = facts(safetensors(tmp_path / "c.safetensors", "i2v", metadata={"model_type": "x-low"}))
    assert identify(ours, low).experts_differ and not identify(ours, i2v).experts_differ
    finer = identify(
        name_facts("Wan2.2-I2V-A14B-HighNoise-Q4_K_M.gguf"), facts(gguf(tmp_path / "a.gguf", "i2v"))
    )
    assert finer.format == "Q4_K_M"


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (39, "MXFP4"), (40, "NVFP4"), (41, "Q1_0"), (42, "Q2_0"), (43, "type 43"), (57, "type 57"),
        (4, "Q4_2"), (31, "Q4_0_4_4"), (36, "IQ4_NL_4_4"), (146, "IQ4_KSS"), (152, "type 152"),
        (399, "type 399"),
    ],
)  # fmt: skip
def test_a_type_that_no_loader_knows_is_new_and_not_damage(tmp_path: Path, number: int, name: str) -> None:
    found = facts(gguf(tmp_path / "a.gguf", "i2v", number))
    assert (found.fault, found.unloaded) == ("", name) and "i2v" in found.kinds


@pytest.mark.parametrize("number", [1024, 2**20, 2**32 - 1])
def test_a_number_that_is_no_type_is_damage(tmp_path: Path, number: int) -> None:
    found = facts(gguf(tmp_path / "a.gguf", "i2v", number))
    assert (found.fault, found.unloaded) == ("damaged", "")


# damaged and hostile files


def packed(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text


HOSTILE = {
    "nothing": (b"", "empty"),
    "seven bytes": (b"\1" * 7, "cut_short"),
    "a huge length": (packed(b"{}", 2**63), "cut_short"),
    "the largest length": (packed(b"{}", 2**64 - 1), "cut_short"),
    "no JSON": (packed(b"{not json at all"), "damaged"),
    "a list": (packed(b"[1, 2]"), "not_a_model"),
    "markup": (b"<!DOCTYPE html><html><body>" * 9, "not_a_model"),
    "zeros": (b"\0" * 4096, "not_a_model"),
    "nested": (packed(b'{"a":' * 60_000), "damaged"),
    "nested lists": (packed(b'{"a":' + b"[" * 60_000), "damaged"),
    "a tensor that is a number": (packed(b'{"a":1}'), "damaged"),
    "offsets of text": (packed(b'{"a":{"dtype":"F8","shape":[1],"data_offsets":["0","1"]}}'), "damaged"),
    "offsets of bool": (packed(b'{"a":{"dtype":"F8","shape":[1],"data_offsets":[false,true]}}'), "damaged"),
    "a negative shape": (packed(b'{"a":{"dtype":"F8","shape":[-1],"data_offsets":[0,0]}}'), "damaged"),
    "many dimensions": (
        packed(b'{"a":{"dtype":"F8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,0]}}'), "damaged",
    ),
    "a huge shape": (packed(b'{"a":{"dtype":"F8","shape":[%d],"data_offsets":[0,0]}}' % 10**400), "damaged"),
    "data that is not there": (packed(b'{"a":{"dtype":"F8","shape":[9],"data_offsets":[0,9]}}'), "cut_short"),
    "no UTF-8": (packed(b'{"\xff\xfe":1}'), "damaged"),
    "metadata that is a list": (packed(b'{"__metadata__":[1]}'), ""),
    "metadata of markup": (packed(b'{"__metadata__":{"model_type":"<script>high</script>"}}'), ""),
    "a GGUF without a version": (b"GGUF", "cut_short"),
    "a GGUF of version 9": (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "damaged"),
    "a GGUF of many tensors": (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "damaged"),
    "a GGUF of many keys": (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "damaged"),
    "a GGUF with a long key": (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62), "damaged"),
    "a GGUF with nested arrays": (
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 9, 5), "damaged",
    ),
    "a GGUF with a long array": (
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 4, 2**40), "damaged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("ending", [".safetensors", ".gguf"])
def test_a_damaged_or_hostile_header_is_a_fault(tmp_path: Path, name: str, ending: str) -> None:
    content, fault = HOSTILE[name]
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    found = facts(path)
    odd = "other_ending" if ending == ".gguf" and not fault else ""
    assert found.fault == (fault or odd) and found.kinds == frozenset()


def test_a_header_of_100_mb_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(packed(b"{", 100_000_000))
        file.truncate(100_000_008)
    tracemalloc.start()
    found = facts(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.fault == "header_too_large" and peak < HEADER_MAX


def test_random_changes_of_good_files_never_raise(tmp_path: Path) -> None:
    chance = random.Random(7)
    good = [
        safetensors(tmp_path / "a.safetensors", KEYS["lora"], metadata={"a": "b"}).read_bytes()[:900],
        gguf(tmp_path / "a.gguf", KEYS["vae"], vocabulary=5, flat=True).read_bytes()[:900],
    ]
    path = tmp_path / "odd.safetensors"
    began = time.process_time()
    for _ in range(600):
        data = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(bytes(data[: chance.randint(1, len(data))]))
        found = facts(path)
        identify(name_facts(path.name), found)
    assert time.process_time() - began < 20


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    cache = HeaderCache()
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "loop.safetensors").symlink_to("loop.safetensors")
    assert cache.facts(tmp_path / "pipe.safetensors").fault == "not_a_model"
    assert cache.facts(tmp_path / "folder.safetensors").fault == "not_a_model"
    assert cache.facts(tmp_path / "loop.safetensors").fault == "unreadable"
    assert cache.facts(tmp_path / "none.safetensors").fault == "unreadable"
    assert cache.facts(tmp_path / "no\0name").fault == "unreadable"


def test_files_that_can_run_code_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "Wan2.1_VAE.pth"
    path.write_bytes(b"\x80\x04x")
    assert facts(path) == HeaderFacts(size=3)


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path, cache = safetensors(tmp_path / "a.safetensors", "i2v"), HeaderCache(most=2)
    first = cache.facts(path)
    assert cache.facts(path) == first and cache.reads == 1
    safetensors(path, "t2v")
    os.utime(path, ns=(1, 1))
    assert "t2v" in cache.facts(path).kinds and cache.reads == 2
    for name in "bc":
        cache.facts(safetensors(tmp_path / f"{name}.safetensors", "vae"))
    cache.facts(path)
    assert cache.reads == 5, "the oldest is forgotten"
