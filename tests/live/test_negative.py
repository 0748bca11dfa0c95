"""Negative prompts without guidance on a real ComfyUI with KJNodes: NAG changes what is drawn."""

from __future__ import annotations

import copy
import json
import struct
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.engines.base import Prompt
from backend.events import Output
from tests.live.runs import SIZE, Bench, Pictures, pictures_of, seed
from workflows.compile import Compiled
from workflows.modes.text import TextToVideo
from workflows.stages.nag import NODE

LEAST_LATENT, LEAST_FRAME = 0.003, 0.2
"""The least change that counts: RMS as a share of the latents' own, mean grey levels of 255 in the frames."""


@dataclass(frozen=True)
class Drawn:
    latents: np.ndarray
    frames: Pictures
    evaluations: int


def samples(path: Path) -> np.ndarray:
    """The tensor of a file of SaveLatent, which is a safetensors file with one float32 tensor that counts."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + length])["latent_tensor"]
    assert head["dtype"] == "F32"
    begin, end = (8 + length + offset for offset in head["data_offsets"])
    return np.frombuffer(data[begin:end], np.float32).reshape(head["shape"])


def draw(bench: Bench, compiled: Compiled) -> Drawn:
    """Runs the graph with one node more, which saves what the last sampler drew."""
    graph: dict[str, Any] = copy.deepcopy(compiled.graphs[0])
    decoder = next(node for node in graph.values() if node["class_type"] == "VAEDecode")
    mark = str(uuid.uuid4())
    graph["latents"] = {
        "class_type": "SaveLatent",
        "inputs": {"samples": decoder["inputs"]["samples"], "filename_prefix": f"wan-studio/{mark}"},
    }
    prompt = Prompt(mark, graph, compiled.labels[0], compiled.sampling_steps, {})
    outputs = bench.engine.run(prompt, lambda _: None)
    folder = bench.folder / mark
    folder.mkdir()
    bench.engine.fetch(Output(f"{mark}_00001_.latent", "wan-studio"), folder / "latents")
    (video,) = [output for output in outputs if output.filename.endswith(".mp4")]
    bench.engine.fetch(video, folder / "video")
    return Drawn(samples(folder / "latents"), pictures_of(folder / "video"), compiled.evaluations)


def apart(one: Drawn, other: Drawn) -> tuple[float, float]:
    """(RMS difference of the latents as a share of their RMS, mean difference of the frames)."""
    latents = float(np.sqrt(np.mean((one.latents - other.latents) ** 2) / np.mean(one.latents**2)))
    return latents, float(np.abs(one.frames - other.frames).mean())


def test_nag_makes_a_negative_prompt_work_without_guidance(bench: Bench) -> None:
    if NODE not in bench.server.nodes:
        pytest.skip("this ComfyUI has no KJNodes")
    common = {"prompt": "A boat", "seed": seed(), "seconds": 0.5, "speed": "fast", **SIZE}

    def made(**options: Any) -> Drawn:
        return draw(bench, bench.compile(TextToVideo(**common, **options)))

    off, again = made(negative_prompt="people", nag="off"), made(negative_prompt="dust, rain", nag="off")
    people, dust = made(negative_prompt="people"), made(negative_prompt="dust, rain")
    found = {
        "off, another negative": apart(off, again),
        "NAG beside off": apart(off, people),
        "NAG, another negative": apart(people, dust),
    }
    for name, (latents, frames) in found.items():
        bench.table.add(
            f"negative prompt at cfg 1: {name}", "1", "64 x 64", "9 of 9", "16", "-", "-",
            f"latents {latents:.2%}, frames {frames:.2f} of 255", "-",
        )  # fmt: skip
    assert found["off, another negative"] == (0.0, 0.0), "without NAG the negative prompt has no effect"
    for name in ("NAG beside off", "NAG, another negative"):
        assert found[name][0] > LEAST_LATENT and found[name][1] > LEAST_FRAME, (name, found[name])
    assert people.evaluations == off.evaluations == 4
