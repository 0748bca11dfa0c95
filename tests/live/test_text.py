"""Text-to-Video and Text-to-Image on a real ComfyUI."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from tests.live.runs import SIZE, Bench, seed
from workflows.modes.text import TextToImage, TextToVideo


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("quality", {**SIZE}),
        ("fast", {**SIZE, "speed": "fast"}),
        ("own steps, guidance, shift", {**SIZE, "steps": 4, "cfg": 2.0, "shift": 4.0, "negative_prompt": ""}),
        ("16:9 at draft size", {"resolution": "draft", "speed": "fast"}),
        ("9:16 at draft size", {"resolution": "draft", "speed": "fast", "aspect": "9:16"}),
        ("official", {**SIZE, "motion": "official", "steps": 4}),
        ("its first LoRAs", {**SIZE, "speed": "fast", "distillation": "v1.1"}),
        ("brackets as text", {**SIZE, "speed": "fast", "prompt": "A harbour (16:9), embedding:none ((("}),
    ],
)
def test_video(name: str, options: dict[str, Any], bench: Bench) -> None:
    compiled = bench.compile(TextToVideo(**{"prompt": "A boat", "seed": seed(), "seconds": 0.5, **options}))
    shifts = {
        n["inputs"]["shift"] for n in compiled.graphs[0].values() if n["class_type"] == "ModelSamplingSD3"
    }
    assert shifts == {12.0 if name == "official" else options.get("shift", 5.0)}
    assert len(bench.video(f"text to video, {name}", compiled, sound=False)) == 9


@pytest.mark.parametrize(
    ("name", "options", "steps"),
    [("WAN", {"width": 96, "height": 64}, 20), ("WAN, square, own steps", {"aspect": "1:1", "steps": 2}, 2)],
)
def test_picture(name: str, options: dict[str, Any], steps: int, bench: Bench) -> None:
    params = TextToImage(prompt="A boat", seed=seed(), **options)
    made = bench.run(bench.compile(params))
    with Image.open(made.path) as picture:
        width, height = picture.size
        assert (picture.format, picture.size) == ("PNG", params.size)
    bench.table.add(
        f"text to image, {name}", "1", f"{width} x {height}", "1 of 1", "-", "-", "-", "-",
        f"{made.seconds:.0f}",
    )  # fmt: skip
    assert made.steps[-1] == steps
