"""Going on from the last frames of a clip with Stable Video Infinity (SVI 2.0 Pro).

The two LoRAs teach the experts to continue from latents: one of a reference picture (the anchor), which holds
look and subject over many parts, and those of the last frames of the clip before. The node is KJNodes'
WanImageToVideoSVIPro. Measured on ComfyUI 0.33: frame 0 of what is drawn is the anchor, the next 4 frames of
each latent handed on repeat the clip's last ones, and the latents of anchor and motion must fit into the
length.
"""

from __future__ import annotations

from collections.abc import Mapping

from workflows.catalog import Catalog
from workflows.graph.node_contract import ServerFacts
from workflows.params.sizes import FPS
from workflows.stages.own_loras import OwnLoras
from workflows.stages.schedule import HIGH, LOW

NODE = "WanImageToVideoSVIPro"
LORAS: Mapping[str, str] = {HIGH: "lora_svi_high", LOW: "lora_svi_low"}
"""expert -> role of its file in the catalog."""
STRENGTH = 1.0
MOTION_LATENTS = 1
"""Latents that are handed on: the number that the LoRAs were trained with."""
OVERLAP = 4 * MOTION_LATENTS
"""Frames of the clip that a part repeats before its first new one."""
FRAMES_MAX = 13
"""Frames of the clip that are encoded: more than the latents that are taken, since the encoder looks back."""
FRAMES_MIN = OVERLAP + 1


def frames_handed_on(frames: int) -> int:
    """How many of the last frames of a clip of `frames` frames are encoded, 4k+1; 0 when it has too few."""
    if frames < FRAMES_MIN:
        return 0
    return 4 * ((min(frames, FRAMES_MAX) - 1) // 4) + 1


def fits_rate(fps: float) -> bool:
    """Whether a clip has the rate of the models, so that its frames can be handed on as they are."""
    return abs(fps - FPS) < 0.01


def missing(catalog: Catalog, server: ServerFacts) -> tuple[str, ...]:
    """What the server lacks for it: the node, the files; () when it has all of them. A server of which
    nothing is known lacks the node."""
    lacks = [] if NODE in server.nodes else [NODE]
    listed = server.options.get(("LoraLoaderModelOnly", "lora_name"), ())
    for role in LORAS.values():
        file = server.models.get(role)
        name = file.name if file is not None else catalog.file(role).name
        if name not in listed or (file is not None and file.obstacle is not None):
            lacks.append(name)
    return tuple(lacks)


def with_loras(own: OwnLoras, catalog: Catalog) -> OwnLoras:
    """The creator's LoRAs after those of SVI."""
    return OwnLoras(
        {expert: ((catalog.file(role).name, STRENGTH), *own.of(expert)) for expert, role in LORAS.items()}
    )
