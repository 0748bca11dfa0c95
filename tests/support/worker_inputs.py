"""Inputs for a RunPod worker, and readers for its responses."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from backend.engines.runpod.responses import worker_error
from backend.jobs.params import make_params
from backend.jobs.preflight import compile_for
from workflows.graph.node_contract import facts, recorded
from workflows.params.media import Media

SMALL = {"prompt": "a boat", "seconds": 0.5, "width": 64, "height": 64, "speed": "fast", "seed": 3}


def video(answer: dict[str, Any], here: Path) -> Path:
    (item,) = answer["images"]
    assert item["type"] == "base64" and item["filename"].endswith(".mp4")
    path = here / "answer.mp4"
    path.write_bytes(base64.b64decode(item["data"]))
    return path


def error(answer: dict[str, Any]) -> Mapping[str, Any]:
    assert "images" not in answer
    assert isinstance(answer["error"], str), "a dict there becomes an error of the SDK"
    return worker_error(answer["error"])


def png(size: tuple[int, int] = (96, 64), colour: str = "red") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    return data.getvalue()


def graph_of(image: str = "input_image.png") -> dict[str, Any]:
    """A graph as the page compiles it, with a custom name for its image."""
    params = make_params("image_to_video", SMALL, {"image": Media("PICTURE", 96, 64)})
    text = json.dumps(compile_for(params, facts(recorded()), "job").graphs[0])
    return json.loads(text.replace("PICTURE", image))
