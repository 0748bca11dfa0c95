"""What the path of a model file says: kind, expert, format, version, distillation.

The name of the file decides, then its folders, from the innermost to the outermost. Both slashes separate
folders: names come as the server writes them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from backend.models.kinds import WAN_KINDS, Expert, Kind, NameFacts, Purpose, Speed
from workflows.params.expert_names import expert_of

GGUF = ".gguf"
_FOREIGN_NAMES: tuple[tuple[str, Kind], ...] = (
    (r"sdpose", "sdpose"),
    (r"(?<![a-z])sam[-_]?3", "sam3"),
    (r"seedvr", "seedvr2"),
    (r"flux", "flux"),
    (r"qwen[-_ ]?image", "qwen_image"),
    (r"hunyuan", "hunyuan_video"),
    (r"(?<![a-z])ltx", "ltx_video"),
    (r"sd[-_ ]?xl|pony|illustrious|noobai|juggernaut", "sdxl"),
    (r"sd[-_ ]?3(?:\.5)?(?![0-9])|stable[-_ ]diffusion[-_ ]?3", "sd3"),
    (r"(?<![a-z])sd[-_ ]?1[-_.]?5|v1-5-pruned|stable[-_ ]diffusion", "sd"),
    (
        r"cosmos|mochi|z[-_]?image|hidream|chroma|cogvideo|kandinsky|lumina|omnigen|aura[-_]?flow|framepack"
        r"|(?<![a-z])svd|krea2|ace[-_]step",
        "other",
    ),
)
_ANIMATE_2 = r"animate[-_ ]?2(?:\.0)?(?!\.?[0-9])"  # not WAN "2.2", nor a date
_WAN_NAMES: tuple[tuple[str, Kind], ...] = (
    (r"rapid|(?<![a-z])aio(?![a-z])|all[-_]?in[-_]?one", "all_in_one"),
    (_ANIMATE_2, "animate_2"),
    (r"scail", "scail"),
    (
        r"steady[-_]?dancer|phantom|multi[-_]?talk|infinite[-_]?talk|fantasy|uni3c|re[-_]?cam|remover|skyreels"
        r"|moviigen|lucy|(?<![a-z])ovi(?![a-z])|longcat|magref|wan[-_]?move|(?<![a-z])ati(?![a-z])|flf2v"
        r"|lynx|stand[-_]?in|holo[-_]?cine|chrono[-_]?edit|mocha|krea|self[-_]?forcing|one[-_]to[-_]all"
        r"|bindweave|ditto|wan[-_ ]?alpha|minimax|matrix[-_]?game|causal|anisora|portrait|controlnet",
        "wan_other",
    ),
    (r"dancer", "dancer"),
    (r"humo(?![a-z])", "humo"),
    (r"bernini", "bernini"),
    (r"vace", "vace"),
    (r"animate(?!d)", "animate"),
    (r"s2v|(?:sound|speech|audio)[-_ ]?(?:to|2)[-_ ]?vid(?:eo)?", "s2v"),
    (r"camera", "camera"),
    (r"in[-_ ]?paint|(?<![a-z])inp(?![a-z])", "fun_inpaint"),
    (r"fun.*control|control.*fun", "fun_control"),
    (r"ti2v|(?<![0-9.])5b(?![a-z0-9])", "ti2v_5b"),
    (r"1[._]3b", "wan_1.3b"),
)
_IN_MERGES = re.compile(
    r"(?<!steady)(?<!steady[-_])dancer|phantom|fantasy(?![-_ ]?(?:talk|portrait))"
    r"|(?<!fantasy)(?<!fantasy[-_ ])portrait"
    r"|remover|lucy|mocha|ditto|krea|causal(?![-_]?(?:vid|forc))|controlnet|camera(?![-_ ]?control)|rapid"
)
"""Words of other models that merges have in their names as well. A name that has one of them, a task and
nothing else of another model is that of a merge."""
_FUN = re.compile(r"(?<![a-z])fun(?![a-z])|(?<![a-z])fun[-_]?(?:camera|control|inp)|wan[-_0-9.]*fun(?![a-z])")
_TASK = re.compile(r"[it]2v|im(?:age|g)[-_ ]?(?:to|2)[-_ ]?vid(?:eo)?|te?xt[-_ ]?(?:to|2)[-_ ]?vid(?:eo)?")
_VERSION = re.compile(r"wan(?:video)?[-_ ./\\]?2[-_.]?([12])(?![0-9]{3,}[a-z]?p)")
_A14B = re.compile(r"a14b")
_SHARD = re.compile(r"-\d{5}-of-\d{5}")

_SPEED_LORA = re.compile(
    r"lightx2v|light2xv|lightning|[48][-_ ]?steps?(?![a-z])|seko|(?<![a-z])dyno(?![a-z])"
)
_OTHER_SPEED = re.compile(
    r"caus(?:al)?[-_]?vid|accvid|fusion[-_]?x|fast[-_]?wan|(?<![a-z])rcm(?![a-z])|turbo|(?<![a-z])dmd"
    r"|self[-_]?forcing|hyper[-_]?sd|(?<![a-z])lcm(?![a-z])"
)
_STEP_DISTILL = re.compile(r"step[-_]?distill|cfg[-_]?distill|moe[-_ ]?distill")
_BAKED = re.compile(
    r"lightx2v|light2xv|lightning|lightspeed|[48][-_ ]?steps?(?![a-z])|distill|turbo|fast[-_]?wan|rapid"
    r"|caus(?:al)?[-_]?vid|accvid|fusion[-_]?x|(?<![a-z])rcm(?![a-z])|(?<![a-z])dmd"
)
_NOT_BAKED = re.compile(
    r"(?:(?<![A-Za-z])(?i:(?:non?|without|w[-_ ]?o)[-_ ]*|un(?=distill))|(?<=[a-z])Non?[-_ ]*(?=[A-Z]))"
    r"(?i:lightx2v|light2xv|lightning|lightspeed|(?:cfg|step|moe)?[-_ ]?distill(?:ation|ed)?|turbo)"
)
"""Name parts that say that a file has no distillation."""
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""The folder of a revision in the cache of the Hugging Face hub."""
_PLAIN_WORD = re.compile(
    r"wan|wanvideo|comfy|comfyui|comfyorg|org|repackaged|split|files|file|diffusion|diffusers|"
    r"pytorch|models|model|unet|unets|gguf|safetensors|high|low|noise|noisy|expert|hnoise|lnoise|"
    r"highnoise|lownoise|hinoise|image|img|text|txt|video|vid|sound|speech|scaled|scale|convrot|"
    r"kijai|mixed|pure|nf4|quant|quantized|quantstack|bullerwins|city|unsloth|animate|relight|the|"
    r"new|old|backup|copy|test|official|original|base|for|and|full|final|fun|control|inp|inpaint|"
    r"vace|humo|bernini|refine|ref|scail|dev|release|shift|ckpt|checkpoint|only"
)
"""Words that are in the names of files as they were published."""
_GGUF_FORMAT = re.compile(
    r"(?<![a-z0-9])((?:iq|q|tq)\d(?:_(?:ks|kss|kl|k|xs|xxs|nl|[01smlx]+))*(?:_[48]_[48])?"
    r"|mxfp4|nvfp4|bf16|f16|f32|fp16)(?![a-z0-9])"
)
_ENCODER_FOLDERS = ("text_encoders", "vae", "audio_encoders", "clip_vision")


@lru_cache(maxsize=8192)
def name_facts(path: str, folder: str = "") -> NameFacts:
    """What a path says. folder: the kind of model folder that it lies in (loras, vae, ...), "" if unknown."""
    parts = [part for part in re.split(r"[/\\]+", path) if part and not _HASH.fullmatch(part)]
    if not parts:
        return NameFacts()
    lower = [part.lower() for part in parts]
    folder = folder or _folder(lower[:-1])
    form, expert, version = _format(parts[-1]), expert_of(parts), _version(lower)
    if _SHARD.search(lower[-1]):
        return NameFacts("shard", expert, form)
    if folder == "loras" or (not folder and _is_lora(lower)):
        return NameFacts(
            "lora", expert, form, version=_lora_version(lower, version), base=_base(lower, expert, version),
            purpose=_purpose(lower),
        )  # fmt: skip
    special = _special(lower, folder)
    if special or folder in _ENCODER_FOLDERS:
        return NameFacts(special, format=form, version=version)
    kind = _model_kind(lower, expert, version)
    if folder == "checkpoints" and kind in WAN_KINDS:
        kind = "all_in_one"
    if folder == "checkpoints" and kind == "flux":
        kind = "flux_checkpoint"
    if kind not in ("t2v", "i2v", "bernini", "vace", "camera", "fun_control", "fun_inpaint", ""):
        expert = ""
    speed: Speed = _speed(parts, kind) if kind in WAN_KINDS or not kind else ""
    return NameFacts(kind, expert, form, speed, version)


def plain_name(path: str) -> str:
    """The file's own name, without the folders that either slash separates."""
    return re.split(r"[/\\]", path)[-1]


def is_sidecar(path: str) -> bool:
    """Whether macOS wrote the file beside another one: ComfyUI lists it and cannot load it."""
    return plain_name(path).startswith("._")


def _folder(folders: list[str]) -> str:
    """The model folder that a part of the path names, the innermost first."""
    names = {
        "diffusion_models": "diffusion_models", "unet": "diffusion_models", "unet_gguf": "diffusion_models",
        "text_encoders": "text_encoders", "clip": "text_encoders", "clip_gguf": "text_encoders", "vae": "vae",
        "audio_encoders": "audio_encoders", "clip_vision": "clip_vision", "loras": "loras", "lora": "loras",
        "checkpoints": "checkpoints", "stable-diffusion": "checkpoints",
    }  # fmt: skip
    return next((names[part] for part in reversed(folders) if part in names), "")


def _version(lower: list[str]) -> Literal["", "2.1", "2.2"]:
    for part in reversed(lower):
        found = _VERSION.findall(part)
        if found:
            return "2.2" if "2" in found else "2.1"
        if _A14B.search(part):
            return "2.2"
    return ""


def _is_lora(lower: list[str]) -> bool:
    return any(re.search(r"(?<![a-z])lora(?:s)?(?![a-z])|loras?[-_.]", part) for part in lower) or bool(
        re.search(r"rank[-_]?\d+", lower[-1])
    )


def _special(lower: list[str], folder: str) -> Kind | Literal[""]:
    """The kinds that are no diffusion models: encoders and VAEs."""
    name = lower[-1]
    if folder == "text_encoders" or (not folder and re.search(r"umt5|t5[-_]?xxl|clip_[lg]\.", name)):
        if re.search(r"umt5[-_]?xxl[-_]?enc(?!oder)", name):
            return "text_encoder_kijai"
        return "text_encoder" if "umt5" in name else "text_encoder_other"
    if folder == "vae" or (not folder and re.search(r"(?<![a-z])vae(?![a-z])|(?<![a-z])taew?\d", name)):
        return _vae(name)
    if folder == "audio_encoders" or (not folder and re.search(r"wav2vec|whisper", name)):
        good = re.search(r"wav2vec2.*large", name) and not re.search(r"chinese|base", name)
        return "audio_encoder" if good else "audio_encoder_other"
    if folder == "clip_vision" or (
        not folder and re.search(r"clip[-_ ]?vision|clip[-_]vit|vit-huge|sigclip", name)
    ):
        if re.search(r"xlm[-_]roberta", name):
            return "clip_vision_original"
        huge = re.search(r"clip[-_]?vision[-_](?:vit[-_])?h(?![a-z])|vit[-_]?h(?:uge)?(?![a-z])", name)
        return "clip_vision" if huge else "clip_vision_other"
    return ""


def _vae(name: str) -> Kind | Literal[""]:
    if re.search(r"taew?[0-9_]|^tae|upscale|qwen|flux|sdxl|hunyuan|ltx|(?<![a-z])ae\.|seedvr", name):
        return "vae_other"
    if found := re.search(r"wan[-_ .]?2[-_.]?([12])", name):
        return "vae" if found.group(1) == "1" else "vae_2.2"
    silent = "wan" in name or re.fullmatch(r"(?:video_)?vae\.\w+|diffusion_pytorch_model\.\w+", name)
    return "" if silent else "vae_other"


def _model_kind(lower: list[str], expert: Expert, version: str) -> Kind | Literal[""]:
    """The kind of a diffusion model by the innermost part of the path that names one."""
    for part in reversed(lower):
        foreign = next((kind for pattern, kind in _FOREIGN_NAMES if re.search(pattern, part)), None)
        if foreign is not None and "wan" not in part:
            return foreign
        named = _named(part, expert)
        if named is not None:
            if named in ("fun_inpaint", "fun_control") and "fun" not in part and "wan" not in part:
                return "other"
            return named
        tasks = _TASK.findall(part)
        if tasks:
            task = tasks[-1][0]
            if version == "2.1":
                return "i2v_2.1" if task == "i" else "t2v_2.1"
            return "i2v" if task == "i" else "t2v"
    return ""


def _named(part: str, expert: Expert) -> Kind | None:
    """The model of the WAN family that a part of a path names besides its task."""
    named = next((kind for pattern, kind in _WAN_NAMES if re.search(pattern, part)), None)
    if named is None or _FUN.search(part) or not _TASK.search(part):
        return named
    if named == "all_in_one" and not expert:
        return named
    rest = _IN_MERGES.sub(" ", part)
    return next((kind for pattern, kind in _WAN_NAMES if re.search(pattern, rest)), None)


def _base(lower: list[str], expert: Expert, version: str) -> Kind | Literal[""]:
    """The kind of model that a LoRA is for."""
    joined = "/".join(lower)
    foreign = next((kind for pattern, kind in _FOREIGN_NAMES if re.search(pattern, joined)), None)
    if foreign is not None and "wan" not in joined:
        return foreign
    version = _lora_version(lower, version)
    for part in reversed(lower):
        if re.search(_ANIMATE_2, part):
            return "animate_2"
        if "animate" in part or "relight" in part:
            return "animate"
        if re.search(r"s2v", part):
            return "s2v"
        if re.search(r"ti2v|(?<![0-9.])5b(?![a-z0-9])", part):
            return "ti2v_5b"
        if re.search(r"1[._]3b", part):
            return "wan_1.3b"
        tasks = _TASK.findall(part)
        if tasks:
            task = tasks[-1][0]
            if version == "2.1" and not expert:
                return "i2v_2.1" if task == "i" else "t2v_2.1"
            return "i2v" if task == "i" else "t2v"
    return ""


def _lora_version(lower: list[str], version: str) -> Literal["", "2.1", "2.2"]:
    """The version of a LoRA: `cfg_step_distill` without another version is WAN 2.1's."""
    if version == "" and re.search(r"cfg[-_]step[-_]distill", lower[-1]):
        return "2.1"
    return "2.1" if version == "2.1" else "2.2" if version == "2.2" else ""


def _purpose(lower: list[str]) -> Purpose:
    for part in reversed(lower):
        if "relight" in part:
            return "relight"
        if re.search(r"(?<![a-z])svi(?![a-z])|stable[-_]video[-_]infinity", part):
            return "svi_pro" if re.search(r"(?<![a-z])pro(?![a-z])", "/".join(lower)) else "svi"
        if _SPEED_LORA.search(part) or _STEP_DISTILL.search(part):
            return "speed"
        if _OTHER_SPEED.search(part):
            return "other_speed"
    bare = re.fullmatch(r"(?:high|low)_noise_model\.\w+", lower[-1])
    return "" if bare else "style"


def _speed(parts: list[str], kind: str) -> Speed:
    """Whether a diffusion model is distilled, by its name; a word that no publisher of plain files uses makes
    it a merge of which the name does not say so."""
    name = _NOT_BAKED.sub(" ", parts[-1].rsplit(".", 1)[0])
    if re.search(r"(?<![a-z])loras?(?![a-z])", name.lower()):  # merged, or a LoRA in the wrong folder
        return "unknown"
    if _BAKED.search(name.lower()) or any(re.search(r"lightx2v|4[-_]?steps?", p.lower()) for p in parts[:-1]):
        return "baked"
    if kind not in ("t2v", "i2v", "animate", "s2v", ""):
        return ""
    return "unknown" if any(not _PLAIN_WORD.fullmatch(word) for word in _words(name)) else ""


def _words(name: str) -> list[str]:
    """The words of three or more letters in a name, split at case changes; numbers are left out."""
    name = re.sub(
        r"(?i)ti2v|[it]2v|s2v|a14b|14b|fp8|fp16|bf16|fp32|e4m3fn|e5m2|int8|nvfp4|mxfp[48]|_kss", " ", name
    )
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.findall(r"[A-Za-z]+", split) if len(word) >= 3]


def _format(name: str) -> str:
    lower = name.lower()
    if lower.endswith(GGUF):
        found = _GGUF_FORMAT.findall(lower)
        return found[-1].upper().replace("FP16", "F16") if found else ""
    if "nvfp4" in lower:
        return "nvfp4"
    if re.search(r"int8.*convrot|convrot.*int8", lower):
        return "int8_convrot"
    if "mxfp8" in lower:
        return "mxfp8"
    if "fp8" in lower or "e4m3" in lower or "e5m2" in lower:
        scaled = "_scaled" if "scaled" in lower else ""
        return f"fp8_e5m2{scaled}" if "e5m2" in lower else f"fp8{scaled}"
    for form, pattern in (("int8", "int8"), ("int4", "int4|svdq"), ("nf4", "nf4"), ("bf16", "bf16")):
        if re.search(rf"(?<![a-z0-9])(?:{pattern})", lower):
            return form
    if re.search(r"(?<![a-z])fp16(?![0-9])", lower):
        return "fp16"
    return "fp32" if re.search(r"(?<![a-z])fp32(?![0-9])", lower) else ""
