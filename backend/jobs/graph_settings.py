"""Reads the settings of a mode from a ComfyUI graph, which another program may have made.

Nodes are known by their class; a value that is linked is followed to the node that holds it. Settings that a
graph lacks are left to the mode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.jobs.recipe import Graph
from workflows.catalog import load_catalog
from workflows.graph.lora_file import partner_of
from workflows.params.expert_names import named_expert
from workflows.params.loras import MOST
from workflows.params.sizes import FPS

DEPTH = 60
"""Nodes that a link is followed through."""
LORAS_MAX = 200
"""LoRA loaders that are looked at: each is compared with all others."""
TEXT_INPUTS = ("text", "value", "string", "prompt", "positive_prompt", "text_g", "String")
MODEL_INPUTS = ("unet_name", "ckpt_name")
LOADER = ("WanVideoModelLoader", "model")
"""A loader whose input has the same name as the models that nodes pass on."""
LORA_INPUTS = ("lora_name", "lora")
FAST = re.compile(r"4.?steps?|lightx2v|lightning|distill|rapid|fusionx", re.IGNORECASE)
"""Names of models and LoRAs that make WAN fast."""
MAKERS = {
    "WanAnimateToVideo": "animate",
    "WanAnimate2ToVideo": "animate",
    "WanVideoAnimateEmbeds": "animate",
    "WanSoundImageToVideo": "sound_to_video",
    "WanFirstLastFrameToVideo": "image_to_video",
    "WanImageToVideo": "image_to_video",
    "WanVideoImageToVideoEncode": "image_to_video",
    "WanImageToVideoSVIPro": "image_to_video",
    "Wan22ImageToVideoLatent": "image_to_video",
    "EmptyHunyuanLatentVideo": "text_to_video",
    "WanVideoEmptyEmbeds": "text_to_video",
    "EmptySD3LatentImage": "text_to_image",
    "EmptyLatentImage": "text_to_image",
}
"""Node that sets the size -> mode; the first one that a graph contains counts."""
PICTURES = ("start_image", "image", "ref_image", "reference_image", "start_image_latent")
"""Inputs that make a clip of a picture."""


@dataclass(frozen=True)
class GraphSettings:
    """`values`: interface names, unchecked. `models`, `loras`: all files, as the graph spells them."""

    mode: str
    values: dict[str, Any]
    models: tuple[str, ...] = ()
    loras: tuple[str, ...] = ()


def read(graph: Graph) -> GraphSettings | None:
    """The settings of a graph in API format; None if no node identifies the mode."""
    nodes = _Nodes(graph)
    maker = next((node for kind in MAKERS for node in nodes.of(kind)), None)
    prompt, negative = nodes.prompts()
    if maker is None and not prompt:
        return None
    models, loras = nodes.models(), nodes.files(LORA_INPUTS)
    mode = _mode(nodes, maker)
    values: dict[str, Any] = {"prompt": prompt, **nodes.sampling(), **(_size(nodes, maker) if maker else {})}
    if negative is not None and negative != load_catalog().default_negative:
        values["negative_prompt"] = negative
    fast = any(FAST.search(name) for name in (*models, *loras))
    if mode == "text_to_image":
        values = {
            name: values[name] for name in values.keys() - {"cfg", "shift", "seconds", "negative_prompt"}
        }
        values["model"] = "flux" if any("flux" in name.lower() for name in models) else "wan"
    else:
        values["speed"] = "fast" if fast else "quality"
    if mode in ("sound_to_video", "animate"):
        values.pop("seconds", None)  # that of their file
    experts = {named_expert(name) for name in models}
    if mode == "image_to_video" and len(experts) == 1 and (expert := experts.pop()):
        values["experts"] = expert
    if own := _own_loras(nodes):
        values["loras"] = own
    return GraphSettings(mode, values, models, loras)


def from_page(workflow: Mapping[str, Any]) -> Graph | None:
    """A workflow as ComfyUI's page saves it, with the inputs of WIDGETS by name; None for anything else."""
    nodes, links = workflow.get("nodes"), workflow.get("links")
    if not isinstance(nodes, list) or not isinstance(links, list):
        return None
    sources = {
        link[0]: [str(link[1]), link[2]]
        for link in links
        if isinstance(link, list) and len(link) >= 5 and isinstance(link[0], int)
    }
    graph: dict[str, Any] = {}
    for node in nodes:
        if not isinstance(node, Mapping) or not isinstance(kind := node.get("type"), str):
            continue
        inputs = {
            slot["name"]: sources[slot["link"]]
            for slot in _list(node.get("inputs"))
            if isinstance(slot, Mapping) and isinstance(slot.get("name"), str)
            if isinstance(slot.get("link"), int) and slot["link"] in sources
        }
        held = node.get("widgets_values")
        given = (
            held if isinstance(held, Mapping) else dict(zip(WIDGETS.get(kind, ()), _list(held), strict=False))
        )
        graph[str(node.get("id"))] = {"class_type": kind, "inputs": {**given, **inputs}}
    return graph or None


WIDGETS: Mapping[str, Sequence[str]] = {
    "CLIPTextEncode": ("text",),
    "PrimitiveString": ("value",),
    "PrimitiveStringMultiline": ("value",),
    "PrimitiveInt": ("value",),
    "PrimitiveFloat": ("value",),
    "KSampler": ("seed", "after", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (
        "add_noise", "noise_seed", "after", "steps", "cfg", "sampler_name", "scheduler", "start_at_step",
        "end_at_step",
    ),
    "RandomNoise": ("noise_seed",),
    "ModelSamplingSD3": ("shift",),
    "UNETLoader": ("unet_name",),
    "UnetLoaderGGUF": ("unet_name",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "WanImageToVideo": ("width", "height", "length", "batch_size"),
    "WanFirstLastFrameToVideo": ("width", "height", "length", "batch_size"),
    "WanSoundImageToVideo": ("width", "height", "length", "batch_size"),
    "WanAnimateToVideo": ("width", "height", "length", "batch_size"),
    "Wan22ImageToVideoLatent": ("width", "height", "length", "batch_size"),
    "EmptyHunyuanLatentVideo": ("width", "height", "length", "batch_size"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "CreateVideo": ("fps",),
}  # fmt: skip
"""The widgets of nodes in the order in which ComfyUI's page saves them."""


class _Nodes:
    """The nodes of a graph and the values of their inputs."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph

    def of(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """The inputs of the nodes of a class."""
        return (node["inputs"] for node in self._nodes.values() if node["class_type"] == kind)

    def value(self, inputs: Mapping[str, Any], name: str) -> Any:
        """The value of an input; None for one that no node holds as a plain value."""
        found = inputs.get(name)
        for _ in range(DEPTH):
            if not isinstance(found, list):
                return found
            node = self._source(found)
            found = next((node[key] for key in ("value", *TEXT_INPUTS) if key in node), None)
        return None

    def _source(self, link: list[Any]) -> Mapping[str, Any]:
        """The inputs of the node that a link comes from; {} for none."""
        node = self._node(link)
        return node["inputs"] if node is not None else {}

    def _node(self, link: list[Any]) -> Mapping[str, Any] | None:
        known = bool(link) and isinstance(link[0], (str, int))
        return self._nodes.get(str(link[0])) if known else None

    def prompts(self) -> tuple[str, str | None]:
        """The positive and the negative prompt; None for a negative one that the graph does not have."""
        for node in self._nodes.values():
            inputs = node["inputs"]
            if isinstance(inputs.get("positive"), list):
                negative = self._text(inputs.get("negative"), "negative")
                if positive := self._text(inputs["positive"], "positive"):
                    return positive, negative
            if isinstance(inputs.get("positive_prompt"), (str, list)):
                negative = self.value(inputs, "negative_prompt")
                given = self.value(inputs, "positive_prompt")
                if isinstance(given, str):
                    return given, negative if isinstance(negative, str) else None
        texts = [self.value(inputs, "text") for inputs in self.of("CLIPTextEncode")]
        return next((text for text in texts if isinstance(text, str) and text.strip()), ""), None

    def _text(self, link: Any, side: str) -> str | None:
        """The text behind a conditioning, through nodes that change it. A zeroed negative one counts as
        none."""
        for _ in range(DEPTH):
            if not isinstance(link, list):
                return None
            node = self._node(link)
            if node is None or (side == "negative" and node["class_type"] == "ConditioningZeroOut"):
                return None
            inputs = node["inputs"]
            given = next((self.value(inputs, key) for key in TEXT_INPUTS if key in inputs), None)
            if isinstance(given, str):
                return given
            link = next(
                (inputs[key] for key in _upstream(inputs, side) if isinstance(inputs[key], list)), None
            )
        return None

    def sampling(self) -> dict[str, Any]:
        """Seed, steps, cfg and shift. Of several samplers the seed of the one that adds noise counts."""
        found: dict[str, Any] = {}
        noisy = [one for one in self._samplers() if one.get("add_noise") != "disable"]
        for inputs in noisy:
            for key in ("noise_seed", "seed"):
                if "seed" not in found and (seed := self.value(inputs, key)) is not None:
                    found["seed"] = seed
        for name in ("steps", "cfg", "shift"):
            held = [
                self.value(node["inputs"], name) for node in self._nodes.values() if name in node["inputs"]
            ]
            figures = [one for one in held if isinstance(one, (int, float)) and not isinstance(one, bool)]
            if figures:
                found[name] = figures[0]
        return found

    def _samplers(self) -> Iterator[Mapping[str, Any]]:
        for node in self._nodes.values():
            if "noise_seed" in node["inputs"] or "seed" in node["inputs"]:
                yield node["inputs"]

    def models(self) -> tuple[str, ...]:
        """The files of diffusion models and checkpoints."""
        kind, name = LOADER
        own = tuple(inputs[name] for inputs in self.of(kind) if isinstance(inputs.get(name), str))
        return tuple(dict.fromkeys((*self.files(MODEL_INPUTS), *own)))

    def files(self, names: Sequence[str]) -> tuple[str, ...]:
        """The files that loaders name in these inputs."""
        found = (node["inputs"].get(name) for node in self._nodes.values() for name in names)
        return tuple(dict.fromkeys(one for one in found if isinstance(one, str) and "." in one))

    def loras(self) -> list[tuple[str, float]]:
        """(name, strength) of each loader, in order."""
        found = []
        for node in self._nodes.values():
            inputs = node["inputs"]
            name = next((inputs[key] for key in LORA_INPUTS if isinstance(inputs.get(key), str)), "")
            strength = self.value(inputs, "strength_model" if "strength_model" in inputs else "strength")
            usable = isinstance(strength, (int, float)) and not isinstance(strength, bool)
            if "." in name:
                found.append((name, float(strength) if usable else 1.0))
        return found


def _upstream(inputs: Mapping[str, Any], side: str) -> list[str]:
    """The inputs through which a conditioning is passed on, the one of the same side first."""
    known = [side, "conditioning", "conditioning_1", "conditioning_to", "text_embeds"]
    return [key for key in known if key in inputs]


def _mode(nodes: _Nodes, maker: Mapping[str, Any] | None) -> str:
    kind = next(
        (kind for kind in MAKERS if maker is not None and any(one is maker for one in nodes.of(kind))), ""
    )
    mode = MAKERS.get(kind, "")
    if kind in ("WanImageToVideo", "Wan22ImageToVideoLatent") and maker is not None:
        given = any(isinstance(maker.get(name), list) for name in PICTURES)
        mode = "image_to_video" if given else "text_to_video"
    if mode == "text_to_video" and maker is not None and nodes.value(maker, "length") == 1:
        return "text_to_image"
    saves = any(True for kind in ("SaveVideo", "CreateVideo", "VHS_VideoCombine") for _ in nodes.of(kind))
    return mode or ("text_to_video" if saves else "text_to_image")


def _size(nodes: _Nodes, maker: Mapping[str, Any]) -> dict[str, Any]:
    """Width, height and length. Frames become seconds at the rate of the models."""
    found = {name: side for name in ("width", "height") if (side := nodes.value(maker, name)) is not None}
    frames = nodes.value(maker, "length") or nodes.value(maker, "num_frames")
    if isinstance(frames, int) and not isinstance(frames, bool) and frames > 1:
        found["seconds"] = (frames - 1) / FPS
    return found


def _own_loras(nodes: _Nodes) -> list[dict[str, Any]]:
    """The LoRAs besides those that make WAN fast. The two files of a pair are one entry."""
    known = {file.name for file in load_catalog().files if file.folder == "loras"}
    strengths: dict[str, float] = {}
    for name, strength in nodes.loras()[:LORAS_MAX]:
        plain = name.replace("\\", "/").rsplit("/", 1)[-1]
        if plain not in known and not FAST.search(plain):
            strengths.setdefault(name, strength)
    found: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for name, strength in strengths.items():
        if name in seen:
            continue
        partner = partner_of(name, [one for one in strengths if one != name])
        seen |= {name, partner}
        found[name] = {"name": name, "strength": strength, "strength_low": strengths.get(partner, strength)}
    return list(found.values())[:MOST]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
