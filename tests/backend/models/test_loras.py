"""LoRAs on the disk: which model their keys are for, what their metadata says, pairs, and the list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from backend.models.lora_files import LoraFiles
from backend.models.lora_header import LoraHeaders
from backend.models.lora_keys import judge, lora_bases
from backend.models.lora_rows import LoraServer, lora_rows
from backend.models.lora_words import one_line, trigger_words
from backend.models.roots import Roots
from backend.notices import words
from tests.support.compile_cases import animated, compiled, image, sound, still, text
from tests.support.lora_files import LAYOUTS, write_lora
from tests.support.tiny_models import safetensors
from workflows.compile import ServerFacts, model_obstacle
from workflows.graph.lora_file import LIST
from workflows.graph.node_contract import RoleFile, facts, recorded
from workflows.modes.registry import MODES
from workflows.notice import Notice
from workflows.spec import ModeParams

WORKS = ("peft", "kohya", "comfy", "fun")


def server_of(store: Path, models: dict[str, RoleFile] | None = None) -> ServerFacts:
    """A server whose LoRAs are those of a folder."""
    roots = Roots(store)
    names = tuple(sorted(name for name in roots.names("loras") if name.endswith(".safetensors")))
    plain = facts(recorded())
    files = LoraFiles(names, roots, LoraHeaders())
    return ServerFacts(plain.nodes, {**plain.options, LIST: names}, models or {}, files)


def judged(params: ModeParams, server: ServerFacts) -> tuple[Notice | None, Sequence[Notice]]:
    made = compiled(params, server=server)
    about = [one for one in made.warnings if one.code.startswith("lora_")]
    return model_obstacle(params, made, server), about


def codes(params: ModeParams, server: ServerFacts) -> list[str]:
    obstacle, warnings = judged(params, server)
    return [one.code for one in ((obstacle,) if obstacle else ()) + tuple(warnings)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_key_layout_in_each_mode(tmp_path: Path, layout: str) -> None:
    write_lora(tmp_path / "loras" / "style.safetensors", layout)
    server = server_of(tmp_path)
    name = ["style.safetensors"]
    wan = [image(loras=name), text(loras=name), sound(loras=name), animated(loras=name), still(loras=name)]
    expected = {"diffusers": "lora_keys_ignored", "bare": "lora_keys_ignored"}
    for params in wan:
        found = codes(params, server)
        assert found == ([] if layout in WORKS else [expected.get(layout, "lora_other_model")]), params.MODE
    flux = codes(still(loras=name, model="flux"), server)
    assert flux == ([] if layout == "flux" else ["lora_other_model"])


def test_the_sentences_name_file_and_reason(tmp_path: Path) -> None:
    for layout in ("flux", "bare", "diffusers", "peft"):
        write_lora(tmp_path / "loras" / f"{layout}.safetensors", layout)
    server = server_of(tmp_path)

    def said(name: str, **options: str) -> str:
        params = still(loras=[name], **options) if options else image(loras=[name])
        return words(judged(params, server)[0])

    assert said("flux").startswith(
        "The LoRA flux.safetensors is made for Flux and has no effect on WAN 2.2 Image-to-Video."
    )
    assert "they lack the beginning diffusion_model." in said("bare")
    assert "in the layout of the diffusers library" in said("diffusers")
    assert "is made for WAN with 14B parameters and has no effect on Flux" in said("peft", model="flux")


def test_other_widths_have_no_effect(tmp_path: Path) -> None:
    model = {"i2v_high": RoleFile("h", width=128), "i2v_low": RoleFile("l", width=128)}
    for width in (64, 128, 1536, 3072):
        write_lora(tmp_path / "loras" / f"w{width}.safetensors", width=width)
    server = server_of(tmp_path, model)
    found = {width: codes(image(loras=[f"w{width}"]), server) for width in (64, 128, 1536, 3072)}
    assert found == {
        64: ["lora_other_width"], 128: [], 1536: ["lora_other_model"], 3072: ["lora_other_model"],
    }  # fmt: skip


def test_image_encoder_keys_of_wan_2_1_are_left_out(tmp_path: Path) -> None:
    write_lora(tmp_path / "loras" / "old.safetensors", images=True)
    server = server_of(tmp_path)
    assert codes(image(loras=["old"]), server) == ["lora_partly"]
    assert codes(animated(loras=["old"]), server) == []
    assert codes(still(loras=["old"], model="flux"), server) == ["lora_other_model"]


@pytest.mark.parametrize(("alpha", "dtype", "weak"), [
    (1.0, "BF16", True), (1.0, "F32", True), (4.0, "BF16", False), (2.0, "F32", False), (None, "", False),
])  # fmt: skip
def test_alpha_far_below_the_rank(tmp_path: Path, alpha: float | None, dtype: str, weak: bool) -> None:
    write_lora(tmp_path / "loras" / "a.safetensors", "comfy", alpha=alpha, dtype=dtype)
    obstacle, warnings = judged(image(loras=["a"]), server_of(tmp_path))
    assert obstacle is None and [one.code for one in warnings] == ["lora_weak"] * weak
    if weak:
        assert "scaled to 25%" in words(warnings[0])


def test_a_pair_that_is_one_file_twice(tmp_path: Path) -> None:
    for name, seed in (("a_high", 1), ("a_low", 1), ("b_high", 1), ("b_low", 2)):
        write_lora(tmp_path / "loras" / f"{name}.safetensors", seed=seed)
    server = server_of(tmp_path)
    assert codes(image(loras=["a_high"]), server) == ["lora_pair_is_one_file"]
    assert codes(image(loras=["a_low", "a_high"]), server) == ["lora_pair_is_one_file"]
    assert codes(image(loras=["b_high"]), server) == []
    assert codes(sound(loras=["a_high"]), server) == [], "a model without experts takes one file"


def test_pairs_and_swaps_by_metadata(tmp_path: Path) -> None:
    folder = tmp_path / "loras"
    for number, name in enumerate(("ink_high", "ink_low", "oil_high")):
        metadata = {"ss_output_name": name}
        write_lora(folder / f"x/{number}.safetensors", metadata=metadata, seed=number)
    write_lora(folder / "s_high.safetensors", metadata={"ss_output_name": "s_low"}, seed=7)
    write_lora(folder / "s_low.safetensors", metadata={"ss_output_name": "s_high"}, seed=8)
    server = server_of(tmp_path)
    assert server.loras["x/1.safetensors"].partner == "x/0.safetensors"
    assert server.loras["x/2.safetensors"].partner == ""
    graph = compiled(image(loras=["x/1.safetensors"]), server=server).graphs[0]
    used = [n["inputs"]["lora_name"] for n in graph.values() if n["class_type"] == "LoraLoaderModelOnly"]
    assert used == ["x/0.safetensors", "x/1.safetensors"]
    assert codes(image(loras=["s_high"]), server) == ["lora_experts_differ"]
    assert codes(image(loras=["x/2.safetensors"]), server) == ["lora_one_expert"]


def test_damaged_files_and_other_files(tmp_path: Path) -> None:
    folder = tmp_path / "loras"
    whole = write_lora(folder / "whole.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[:-100])
    (folder / "text.safetensors").write_bytes(b"<html>not found</html>" * 9)
    (folder / "empty.safetensors").write_bytes(b"")
    safetensors(folder / "vae.safetensors", "vae")
    server = server_of(tmp_path)
    assert codes(image(loras=["whole"]), server) == []
    for name, code in (("cut", "damaged"), ("text", "damaged"), ("empty", "damaged"), ("vae", "not_lora")):
        assert codes(image(loras=[name]), server)[:1] == [f"lora_{code}"]


def test_a_link_without_a_target(tmp_path: Path) -> None:
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "gone.safetensors").symlink_to("/gone/x.safetensors")
    plain = facts(recorded())
    files = LoraFiles(("gone.safetensors", "of-another-root.safetensors"), Roots(tmp_path), LoraHeaders())
    server = ServerFacts(plain.nodes, {**plain.options, LIST: files.names}, loras=files)
    assert codes(image(loras=["gone"]), server) == ["lora_damaged"]
    assert "is a link whose target does not exist" in words(judged(image(loras=["gone"]), server)[0])
    assert codes(image(loras=["of-another-root"]), server) == []


def test_a_title_is_no_expert(tmp_path: Path) -> None:
    for name, title in (("a", "Slow motion"), ("b", "WAN 2.2 low noise")):
        write_lora(tmp_path / "loras" / f"{name}.safetensors", metadata={"modelspec.title": title})
    server = server_of(tmp_path)
    graph = compiled(image(loras=["a.safetensors"]), server=server).graphs[0]
    used = [n["inputs"]["lora_name"] for n in graph.values() if n["class_type"] == "LoraLoaderModelOnly"]
    assert used == ["a.safetensors"] * 2, "on both experts"
    assert server.loras["b.safetensors"].expert == "low"


def test_names_alone_where_the_files_are_elsewhere() -> None:
    names = (
        "Wan2.1-1.3B-x.safetensors", "flux-y.safetensors", "Wan2.2-T2V-z.safetensors", "plain.safetensors",
        "my_4steps_lightning.safetensors",
    )  # fmt: skip
    plain = facts(recorded())
    server = ServerFacts(plain.nodes, {**plain.options, LIST: names}, loras=LoraFiles(names))
    found = [codes(image(loras=[name]), server) for name in names]
    assert found == [["lora_other_family"], ["lora_other_family"], ["lora_other_task"], [], ["lora_is_speed"]]
    assert codes(sound(loras=[names[2]]), server) == [], "Sound-to-Video's own speed LoRA is of that kind"


def test_headers_are_read_once(tmp_path: Path) -> None:
    path = write_lora(tmp_path / "a.safetensors")
    headers = LoraHeaders()
    first = headers.of(path)
    assert headers.of(path) is first and headers.reads == 1
    write_lora(path, width=256)
    assert headers.of(path).width == 256 and headers.reads == 2
    assert headers.of(tmp_path / "gone.safetensors").fault == "unreadable"
    assert LoraHeaders(1).of(path).width == 256


def test_trigger_words() -> None:
    tags = {"10_ink": {"ink wash": 40, "a boat": 3, "brush": 25}, "5_more": {"ink wash": 10}}
    assert trigger_words({"ss_tag_frequency": json.dumps(tags)}) == ("ink wash", "brush")
    assert trigger_words({"modelspec.trigger_phrase": "1nk w4sh,  soft\nlight"}) == ("1nk w4sh", "soft light")
    for key in ("modelspec.trigger_word", "trigger_words", "ss_trigger_words", "activation text"):
        assert trigger_words({key: "1nk, fog", "ss_tag_frequency": json.dumps(tags)}) == ("1nk", "fog")
    for broken in ("[", "3", '{"a": 3}', '{"a": {"b": "c"}}', "[" * 90_000, '{"a": {"b": 1e999}}'):
        assert trigger_words({"ss_tag_frequency": broken}) == ()
    assert len(trigger_words({"modelspec.trigger_phrase": "w" * 9_000})[0]) <= 120
    assert one_line("a\0b\u202ec\n d", 80) == "a b c d"


def test_layouts_of_other_families_are_left_to_them() -> None:
    flux = {"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 3072)}
    assert judge(flux).ignored == "" and "flux" in judge(flux).fits
    assert judge({"blocks.0.self_attn.q.lora_A.weight": (4, 8)}).ignored == "bare"
    kohya = {"lora_unet_blocks_0_self_attn_q.lora_down.weight": (4, 3072)}
    assert lora_bases(kohya) == {"ti2v_5b"}


def test_the_list_has_pairs_words_and_what_fits(tmp_path: Path) -> None:
    folder = tmp_path / "loras"
    meta = {"modelspec.title": "Ink <b>wash</b>", "modelspec.trigger_phrase": "1nk"}
    write_lora(folder / "styles/ink_high.safetensors", metadata=meta, seed=1)
    write_lora(folder / "styles/ink_low.safetensors", seed=2)
    write_lora(folder / "a_flux.safetensors", "flux")
    write_lora(folder / "zoom.safetensors")
    write_lora(folder / "wan2.2_i2v_lightx2v_4steps_lora_v1_high_noise.safetensors")
    (folder / "zoom.png").write_bytes(b"x")
    server = server_of(tmp_path)
    files = server.loras
    assert isinstance(files, LoraFiles)
    servers = [LoraServer("a", files, server)]
    rows = lora_rows(servers, MODES["image_to_video"].lora_targets)
    assert [(row.name, row.partner, bool(row.obstacle)) for row in rows] == [
        ("styles/ink_high.safetensors", "styles/ink_low.safetensors", False),
        ("zoom.safetensors", "", False),
        ("a_flux.safetensors", "", True),
    ]
    assert (rows[0].title, rows[0].words, rows[1].title) == ("Ink <b>wash</b>", ("1nk",), "zoom")
    assert [row.name for row in lora_rows(servers, search="WASH ink")] == [rows[0].name]
    assert [row.name for row in lora_rows(servers, search="ink_low")] == [rows[0].name]
    assert lora_rows(servers, search="nothing") == []
    either = lora_rows(servers, MODES["text_to_image"].lora_targets)
    assert not any(row.obstacle for row in either), "Text-to-Image has a model for each"
    assert json.loads(json.dumps(rows[0].record()))["words"] == ["1nk"]


@pytest.mark.parametrize(
    "given",
    [
        ["style", "wan/style.safetensors"],
        ["style.safetensors", "WAN\\STYLE.safetensors"],
        ["wan/style", "other.safetensors", "STYLE"],
    ],
)
def test_one_lora_under_two_spellings_is_refused(tmp_path: Path, given: list[str]) -> None:
    write_lora(tmp_path / "loras" / "wan" / "style.safetensors")
    write_lora(tmp_path / "loras" / "other.safetensors", seed=1)
    server = server_of(tmp_path)
    for params in (image(loras=given), sound(loras=given), animated(loras=given)):
        obstacle, _ = judged(params, server)
        assert obstacle is not None and obstacle.code == "lora_twice"
        assert words(obstacle) == f"{given[0]} and {given[-1]} are one LoRA. Remove one of the two."


def test_both_files_of_a_pair_are_not_one_lora(tmp_path: Path) -> None:
    for number, expert in enumerate(("high", "low")):
        write_lora(tmp_path / "loras" / f"ink_{expert}.safetensors", seed=number)
    assert codes(image(loras=["ink_high", "ink_low"]), server_of(tmp_path)) == []


def test_the_list_has_only_model_files(tmp_path: Path) -> None:
    write_lora(tmp_path / "loras" / "style.safetensors")
    for name in ("style.png", "style.json", "readme.md", "._style.safetensors"):
        (tmp_path / "loras" / name).write_bytes(b"x")
    files = LoraFiles(tuple(Roots(tmp_path).names("loras")), Roots(tmp_path))
    assert [row.name for row in lora_rows([LoraServer("a", files, server_of(tmp_path))])] == [
        "style.safetensors"
    ]
