"""Clips for tests of joined videos, and an engine with SVI Pro."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.compile_cases import newer
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, ended
from workflows.catalog import load_catalog
from workflows.graph.node_contract import Contract

CLIP = {**SMALL, "seed": 5, "prompt": "A boat drifts", "speed": "fast"}
"""9 frames of 64 x 64."""
QUICK = {"seconds": 0.5}
"""8 new frames."""


def made(studio: Studio, picture: Path, **values: Any) -> JobView:
    """A finished clip."""
    return ended(studio, studio.submit(OWNER, "image_to_video", {**CLIP, **values}, {"image": picture}))


def extended(studio: Studio, job: JobView, **options: Any) -> JobView:
    """The video joined with a new part, when it has ended."""
    return ended(studio, studio.extend(OWNER, job.id, job.key, **{**QUICK, **options}))


def with_svi(engine: FakeEngine) -> FakeEngine:
    """The engine with SVI Pro and its files."""
    found = svi_contract()
    engine.contract = engine.known_contract = lambda: found  # type: ignore[method-assign]
    return engine


def svi_contract() -> Contract:
    """ComfyUI 0.33 with KJNodes, listing the catalogue's LoRAs."""
    found = newer()
    node = found.nodes["LoraLoaderModelOnly"]
    names = tuple(file.name for file in load_catalog().files if file.folder == "loras")
    listed = {**node.inputs, "lora_name": replace(node.inputs["lora_name"], options=names)}
    return replace(found, nodes={**found.nodes, "LoraLoaderModelOnly": replace(node, inputs=listed)})


def moving(
    count: int,
    size: tuple[int, int] = (128, 96),
    first: int = 0,
    light: float = 0.0,
    tint: tuple[float, float, float] = (0, 0, 0),
) -> list[np.ndarray]:
    """A wave that moves by two pixels a frame and is always as bright; `light` and `tint` are added."""
    across = np.arange(size[0])[None, :] + np.zeros((size[1], 1))
    down = np.arange(size[1])[:, None]
    found = []
    for number in range(first, first + count):
        wave = 110 + 45 * np.sin((across + 2 * number) * np.pi / 16) + 20 * np.sin(down * np.pi / 24)
        pixels = wave[:, :, None] + light + np.array(tint)[None, None, :]
        found.append(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    return found
