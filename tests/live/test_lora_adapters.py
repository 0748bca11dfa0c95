"""LoRAs of each kind of adapter on a real ComfyUI: what is judged to be applied has an effect, the rest none.

Writes small files below the loras folder of WAN_MODELS_DIR, from which the server loads, and removes them.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from backend.engines.comfy.engine import ComfyEngine
from backend.jobs.server_facts import found_by
from backend.models.choices import Choices
from backend.models.finder import Finder
from backend.models.lora_header import LoraHeaders
from backend.settings.model import Settings
from tests.backend.models.test_lora_keys import adapter
from tests.live.runs import SIZE, Bench, Pictures, pictures_of
from workflows.compile import ServerFacts, model_obstacle
from workflows.modes.text import TextToVideo

STORE = Path(os.environ.get("WAN_MODELS_DIR", "-"))
FOLDER = "adapters_of_a_test"
SEED = 271828
APPLIED = (
    "kohya",
    "peft_default",
    "diffusers",
    "dora",
    "loha",
    "lokr",
    "lokr_low",
    "oft",
    "full",
    "peft_dora",
)
LEFT_OUT = {
    "peft_named": "lora_keys_ignored", "vera": "lora_keys_ignored", "peft_oft": "lora_keys_ignored",
    "lycoris": "lora_keys_ignored", "vace": "lora_other_model", "animate": "lora_other_model",
}  # fmt: skip


def width() -> int:
    """Of the model that the server draws with, by a LoRA for it."""
    found = LoraHeaders().of(STORE / "loras" / "rig_style" / "peft_high_noise.safetensors").width
    return found or 128


def tensors(kind: str) -> dict[str, tuple[int, ...]]:
    """The keys and shapes of a file."""
    prefix = "lycoris_" if kind == "lycoris" else "diffusion_model."
    names = {
        "vace": ("vace_blocks.0.self_attn.q", "vace_blocks.0.self_attn.v"),
        "animate": ("face_adapter.fuser_blocks.0.linear1_kv",),
    }.get(kind, tuple(f"blocks.{block}.self_attn.{part}" for block in range(2) for part in "vo"))
    if kind == "lycoris":
        names = tuple(name.replace(".", "_") for name in names)
    how = "kohya" if kind in ("vace", "animate", "lycoris") else kind
    return {k: s for name in names for k, s in adapter(how, prefix + name, width(), width()).items()}


def write(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A file of random numbers."""
    draw = random.Random(5)
    entries: dict[str, object] = {}
    data = b""
    for name, shape in shapes.items():
        count = math.prod(shape)
        values = [4.0] if name.endswith(".alpha") else [draw.gauss(0, 0.5) for _ in range(count)]
        part = struct.pack(f"<{count}f", *values)
        entries[name] = {
            "dtype": "F32",
            "shape": list(shape),
            "data_offsets": [len(data), len(data) + len(part)],
        }
        data += part
    head = json.dumps(entries).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)


@pytest.fixture(scope="module")
def known(engine: ComfyEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerFacts]:
    """The server with these files."""
    if not (STORE / "loras" / "rig_style").is_dir():
        pytest.skip("WAN_MODELS_DIR has no LoRAs for the server's model")
    target = STORE / "loras" / FOLDER
    for kind in (*APPLIED, *LEFT_OUT):
        write(target / f"{kind}.safetensors", tensors(kind))
    try:
        other = ComfyEngine(engine.info().address)
        other.refresh()
        folder = tmp_path_factory.mktemp("facts")
        settings = Settings.from_env({**os.environ, "WAN_DATA_DIR": str(folder)}, folder)
        facts_of = found_by(Finder(settings, Choices(folder / "choices.yaml")))
        yield facts_of(other.info(), other.contract())
        other.close()
    finally:
        shutil.rmtree(target)


def params(*kinds: str) -> TextToVideo:
    loras = [{"name": f"{FOLDER}/{kind}.safetensors", "strength": 1.0} for kind in kinds]
    figures = {"speed": "fast", "distillation": "v1.1", "seconds": 0.25, **SIZE}
    return TextToVideo(prompt="A boat", seed=SEED, loras=loras, **figures)  # type: ignore[arg-type]


_plain: list[Pictures] = []


def change(bench: Bench, known: ServerFacts, *kinds: str) -> float:
    """How far a result is from the one without a LoRA, in levels of 255."""
    bench.server = known
    if kinds and not _plain:
        _plain.append(pictures_of(bench.run(bench.compile(params())).path))
    made = pictures_of(bench.run(bench.compile(params(*kinds))).path)
    return float(np.abs(made - _plain[0]).mean())


@pytest.mark.parametrize("kind", APPLIED)
def test_what_is_applied_has_an_effect(bench: Bench, known: ServerFacts, kind: str) -> None:
    given = params(kind)
    bench.server = known
    assert model_obstacle(given, bench.compile(given), known) is None
    assert known.loras[f"{FOLDER}/{kind}.safetensors"].seen
    far = change(bench, known, kind)
    print(f"{kind}: changed by {far:.2f}")
    assert far > 0.05


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_what_is_refused_would_have_none(bench: Bench, known: ServerFacts, kind: str) -> None:
    given = params(kind)
    bench.server = known
    obstacle = model_obstacle(given, bench.compile(given), known)
    assert obstacle is not None and obstacle.code == LEFT_OUT[kind]
    assert change(bench, known, kind) == 0
