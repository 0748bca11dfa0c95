"""LoRAs for models of other families, by the names of their modules.

The names are those of ComfyUI 0.33 (comfy/lora.py, comfy/utils.py) and of the diffusers library. What
several families share is left open; widths of layers and numbers of the last blocks tell some of them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from backend.models.kinds import Kind

Kinds = frozenset[Kind]
_PREFIX = re.compile(
    r"^(?:base_model\.model\.|model\.diffusion_model\.|diffusion_model\.|transformer\.|unet\.|model\.|dit\."
    r"|pipe\.dit\.|lora_unet__?|lora_transformer_|lora_prior_unet_|lycoris_)"
)
_ARCHITECTURES: tuple[tuple[str, Kind], ...] = (
    ("hunyuan", "hunyuan_video"), ("hv", "hunyuan_video"), ("chroma", "chroma"), ("flux-2", "flux_2"),
    ("flux2", "flux_2"), ("flux", "flux"), ("qwen", "qwen_image"), ("z-image", "z_image"),
    ("zimage", "z_image"), ("z_image", "z_image"), ("lumina", "lumina"), ("ltx", "ltx_video"),
    ("cogvideo", "cogvideox"),
)  # fmt: skip
"""Beginning of modelspec.architecture or ss_base_model_version -> kind."""
_ALONE: tuple[tuple[str, Kind], ...] = (
    (r"joint_blocks_\d+_(?:context|x)_block_", "sd3"),
    (r"blocks_\d+_(?:attn_(?:qkv|proj|[qk]_norm)_[xy]|mod_[xy]|mlp_[xy]_)", "mochi"),
    (r"transformer_blocks_\d+_attn1_(?:add_[qkv]_proj|to_add_out)", "mochi"),
    (r"(?:visual|text)_transformer_blocks_\d+_", "kandinsky_5"),
    (r"(?:double|single)_stream_blocks_\d+_block_", "hidream"),
    (r"joint_transformer_blocks_\d+_", "other"),  # AuraFlow
    (
        r"blocks_\d+_(?:(?:self|cross)_attn_(?:[qkv]|output)_proj|mlp_layer[12]|adaln_modulation)",
        "other",
    ),  # Cosmos
    (r"blocks_\d+_attn[12]_(?:Wqkv|[qkv]_proj|kv_proj|out_proj)", "other"),  # HunyuanDiT
)
_STREAMS = re.compile(r"^(double|single)_blocks_(\d+)_", re.M)
_DIFFUSERS_STREAMS = re.compile(r"^(single_)?transformer_blocks_(\d+)_", re.M)


def plain_module(name: str) -> str:
    """The name of a module without the beginnings that trainers add, with underscores for dots."""
    while (shorter := _PREFIX.sub("", name)) != name and shorter:
        name = shorter
    return name.replace(".", "_")


def families(
    names: Sequence[str], shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]
) -> Kinds:
    """The families that plain module names can be of; empty when they do not say so."""
    joined = "\n".join(names)
    for pattern, kind in _ALONE:
        if re.search(f"^{pattern}", joined, re.M):
            return frozenset({kind})
    if _STREAMS.search(joined):
        found = _streams(joined, shapes)
    elif _DIFFUSERS_STREAMS.search(joined):
        found = _transformer_blocks(joined, shapes)
    elif re.search(
        r"^(?:layers|noise_refiner|context_refiner)_\d+_(?:attention|feed_forward|adaLN)_", joined, re.M
    ):
        found = _layers(joined, shapes)
    elif re.search(
        r"(?:down|up|mid)_block|(?:input|output|middle)_block|^lora_te|^te\d?_|text_encoder", joined, re.M
    ):
        found = _unet(joined, shapes)
    else:
        return frozenset()
    told = _architecture(metadata)
    return frozenset({told}) if told in found else found


def _architecture(metadata: Mapping[str, str]) -> Kind | None:
    """The family that the trainer wrote into the metadata."""
    for key in ("modelspec.architecture", "ss_base_model_version"):
        text = metadata.get(key, "")[:100].strip().lower()
        found = next((kind for start, kind in _ARCHITECTURES if text.startswith(start)), None)
        if found is not None:
            return found
    return None


def _width(shapes: Mapping[str, tuple[int, ...]], pattern: str) -> int:
    """Inputs of the first layer with such a name; 0 without one."""
    for key, shape in shapes.items():
        down = re.search(r"lora_(?:A|down)\b|lora\.down|layer\.down|hada_w1_b", key)
        if down and len(shape) >= 2 and re.search(pattern, key.replace(".", "_")):
            return shape[1]
    return 0


def _streams(joined: str, shapes: Mapping[str, tuple[int, ...]]) -> Kinds:
    """Flux, Flux 2, Chroma and HunyuanVideo under ComfyUI's names."""
    last = {"double": -1, "single": -1}
    for match in _STREAMS.finditer(joined):
        last[match.group(1)] = max(last[match.group(1)], int(match.group(2)[:4]))
    raw = "\n".join(shapes)
    if "distilled_guidance_layer" in joined:
        return frozenset({"chroma"})
    if re.search(r"(?:double|single)_stream_modulation", joined):
        return frozenset({"flux_2"})
    own = r"_(?:mlp_fc[12]|mod_linear|modulation_linear)\b|individual_token_refiner"
    if re.search(own, joined, re.M) or re.search(r"\.(?:img|txt)_attn_(?:qkv|proj)\.", raw):
        return frozenset({"hunyuan_video"})
    width = _width(shapes, r"(?:img_attn_qkv|single_blocks_\d+_linear1)")
    if width in (4096, 6144) or last["single"] >= 40:
        return frozenset({"flux_2"})
    if width == 2048 or last["double"] >= 19 or last["single"] >= 38:
        return frozenset({"hunyuan_video"})
    if re.search(r"_(?:mod|modulation)_lin\b", joined):
        return frozenset({"flux"})
    return _flux_like(last["double"], last["single"])


def _flux_like(double: int, single: int) -> Kinds:
    """Families with the same names, by the numbers of the last blocks: Flux and Chroma have 19 and 38 blocks,
    HunyuanVideo one and two more."""
    complete = double == 18 or single == 37
    return frozenset({"flux", "chroma"} if complete else {"flux", "chroma", "hunyuan_video"})


def _transformer_blocks(joined: str, shapes: Mapping[str, tuple[int, ...]]) -> Kinds:
    """Families with the names of the diffusers library."""
    single = [int(m.group(2)[:4]) for m in _DIFFUSERS_STREAMS.finditer(joined) if m.group(1)]
    double = [int(m.group(2)[:4]) for m in _DIFFUSERS_STREAMS.finditer(joined) if not m.group(1)]
    if re.search(r"token_refiner", joined):
        return frozenset({"hunyuan_video"})
    if re.search(r"transformer_blocks_\d+_(?:img|txt)_(?:mod|mlp)_", joined):
        return frozenset({"qwen_image"})
    if re.search(r"^transformer_blocks_\d+_(?:audio_\w*?)?attn[12]_", joined, re.M):
        return _by_attention(joined, shapes)
    if re.search(r"to_qkv_mlp_proj|_ff_linear_(?:in|out)\b", joined) or max(single, default=0) >= 40:
        return frozenset({"flux_2"})
    if max(single, default=0) >= 38 or (single and max(double, default=0) >= 19):
        return frozenset({"hunyuan_video"})
    if single:
        modulated = re.search(r"_norm1?(?:_context)?_linear\b", joined)
        found = _flux_like(max(double, default=0), max(single))
        return found - {"chroma"} if modulated else found
    width = _width(shapes, r"transformer_blocks_\d+_attn_(?:to_[qkv]|add_[qkv]_proj)")
    if width in (1536, 2432):
        return frozenset({"sd3"})
    if re.search(r"transformer_blocks_\d+_(?:norm1|ff)_", joined):  # Qwen-Image names them otherwise
        return frozenset({"flux", "chroma"})
    if max(double, default=0) >= 24:
        return frozenset({"qwen_image"})
    return frozenset({"qwen_image", "flux", "chroma"})


def _by_attention(joined: str, shapes: Mapping[str, tuple[int, ...]]) -> Kinds:
    """Video models with attn1 and attn2, or attn1 alone."""
    width = _width(shapes, r"transformer_blocks_\d+_attn1_to_")
    if "audio_" in joined:
        return frozenset({"ltx_video"})
    if width == 1152:  # PixArt
        return frozenset({"other"})
    crossed = re.search(r"transformer_blocks_\d+_attn2_", joined) or width in (2048, 4096)
    return frozenset({"ltx_video"}) if crossed else frozenset({"cogvideox"})


def _layers(joined: str, shapes: Mapping[str, tuple[int, ...]]) -> Kinds:
    """Lumina 2 and Z-Image, which is wider and has more layers."""
    width = _width(shapes, r"(?:layers|refiner)_\d+_attention_(?:qkv|to_[qkv])")
    last = max((int(number[:4]) for number in re.findall(r"^layers_(\d+)_", joined, re.M)), default=0)
    if width == 3840 or last >= 26:
        return frozenset({"z_image"})
    return frozenset({"lumina"}) if width == 2304 else frozenset({"lumina", "z_image"})


def _unet(joined: str, shapes: Mapping[str, tuple[int, ...]]) -> Kinds:
    """Stable Diffusion 1 and XL, by the width of the text that they read."""
    width = _width(shapes, r"attn2_to_[kv]")
    return frozenset({"sd"}) if width in (768, 1024) else frozenset({"sdxl"})
