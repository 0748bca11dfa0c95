"""A custom node of ComfyUI, copied into the folder of `bench --random-weights --scale tiny`.

ComfyUI reads the dimensions of WAN's transformer from the file, but has those of the text encoder, the image
encoder, the VAE and Animate's face encoder in its code. This node replaces them by those of
backend/models/random_weights/shapes.py at scale `tiny`; input and output widths stay the same. It adds no
nodes, and runs in ComfyUI alone.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

NODE_CLASS_MAPPINGS: dict[str, Any] = {}

TEXT = {"d_model": 4096, "d_ff": 64, "d_kv": 64, "num_heads": 2, "num_layers": 2, "vocab_size": 1024}
VISION = {"hidden_size": 1280, "intermediate_size": 64, "num_attention_heads": 16, "num_hidden_layers": 2}
VISION_CONFIG = "clip_vision_config_h.json"
VAE_WIDTH = 16
FACE_CHANNELS = (2, 4, 8, 16, 32, 32, 32, 32)  # ComfyUI: 32, 64, 128, 256, 512, 512, 512, 512


def shrink_text_encoder() -> None:
    import comfy.text_encoders.wan as wan

    original = wan.UMT5XXlModel.__init__

    def create(self: Any, *args: Any, model_options: Any = None, **kwargs: Any) -> None:
        options = {**(model_options or {}), "model_name": "tiny", "tiny_model_config": TEXT}
        original(self, *args, model_options=options, **kwargs)

    wan.UMT5XXlModel.__init__ = create


def shrink_image_encoder() -> None:
    import comfy.clip_vision as vision

    original = vision.ClipVisionModel.__init__

    def create(self: Any, json_config: str) -> None:
        if Path(json_config).name != VISION_CONFIG:
            original(self, json_config)
            return
        config = json.loads(Path(json_config).read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / VISION_CONFIG
            path.write_text(json.dumps({**config, **VISION}), encoding="utf-8")
            original(self, str(path))

    vision.ClipVisionModel.__init__ = create


def shrink_face_encoder() -> None:
    import comfy.ldm.wan.model_animate as animate
    import torch

    class EncoderApp(torch.nn.Module):
        def __init__(self, w_dim: int = 512, **kwargs: Any) -> None:
            super().__init__()
            layers = [animate.ConvLayer(3, FACE_CHANNELS[0], 1, **kwargs)]
            pairs = itertools.pairwise(FACE_CHANNELS)
            layers += [animate.ResBlock(source, target, **kwargs) for source, target in pairs]
            layers.append(animate.EqualConv2d(FACE_CHANNELS[-1], w_dim, 4, padding=0, bias=False, **kwargs))
            self.convs = torch.nn.ModuleList(layers)

        def forward(self, picture: Any) -> Any:
            for layer in self.convs:
                picture = layer(picture)
            return picture.flatten(1)

    animate.EncoderApp = EncoderApp


def shrink_vae() -> None:
    import comfy.ldm.wan.vae as vae

    original = vae.WanVAE.__init__

    def create(self: Any, **config: Any) -> None:
        original(self, **{**config, "dim": VAE_WIDTH})

    vae.WanVAE.__init__ = create


def shrink() -> None:
    """Replaces all of them."""
    shrink_text_encoder()
    shrink_image_encoder()
    shrink_face_encoder()
    shrink_vae()


if __name__ != "backend.custom_nodes.tiny_models":  # loaded by ComfyUI
    shrink()
