"""LoRAs of each key layout on a real ComfyUI: what is accepted has an effect, what is refused has none.

Needs the files that a model folder in WAN_MODELS_DIR has below loras/rig_style; else the tests skip.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from backend.engines.comfy.engine import ComfyEngine
from backend.jobs.server_facts import found_by
from backend.models.choices import Choices
from backend.models.finder import Finder
from backend.settings.model import Settings
from tests.live.runs import SIZE, Bench, Pictures, pictures_of
from workflows.compile import ServerFacts, model_obstacle
from workflows.modes.text import TextToVideo

STYLES = Path(os.environ.get("WAN_MODELS_DIR", "-")) / "loras" / "rig_style"
SEED = 271828
WORKS = {
    "peft_high_noise": (), "kohya_high_noise": (), "comfy_low_noise": (),
    "fun_high_noise": ("lora_one_expert",),
    "comfy_alpha1_high_noise": ("lora_weak",), "wan21_i2v": ("lora_partly",),
    "mispaired_high_noise": ("lora_pair_is_one_file",),
}  # fmt: skip
"""File -> codes of the warnings."""
REFUSED = {
    "diffusers_high_noise": "lora_keys_ignored", "bare_high_noise": "lora_keys_ignored",
    "flux": "lora_other_model", "sdxl": "lora_other_model", "qwen_image": "lora_other_model",
    "../rig_wrong_size_lora": "lora_other_width", "gone": "lora_missing",
}  # fmt: skip
"""File -> code of the obstacle."""


@pytest.fixture(scope="module")
def known(engine: ComfyEngine, tmp_path_factory: pytest.TempPathFactory) -> ServerFacts:
    """The server with the files of its model folder."""
    if not STYLES.is_dir():
        pytest.skip("WAN_MODELS_DIR has no LoRAs of each layout")
    folder = tmp_path_factory.mktemp("facts")
    settings = Settings.from_env({**os.environ, "WAN_DATA_DIR": str(folder)}, folder)
    facts_of = found_by(Finder(settings, Choices(folder / "choices.yaml")))
    return facts_of(engine.info(), engine.contract())


def params(*names: str, strength: float = 1.0) -> TextToVideo:
    loras = [{"name": _listed(name), "strength": strength} for name in names]
    figures = {"speed": "fast", "distillation": "v1.1", "seconds": 0.25, **SIZE}
    return TextToVideo(prompt="A boat", seed=SEED, loras=loras, **figures)  # type: ignore[arg-type]


def _listed(name: str) -> str:
    return f"{name[3:]}.safetensors" if name.startswith("../") else f"rig_style/{name}.safetensors"


def drawn(bench: Bench, known: ServerFacts, given: TextToVideo, name: str) -> Pictures:
    bench.server = known
    made = bench.run(bench.compile(given))
    pictures = pictures_of(made.path)
    bench.table.add(
        f"LoRA, {name}", "1", "64 x 64", f"{len(pictures)}", "-", "-", "-", "-", f"{made.seconds:.0f}"
    )
    return pictures


_plain: list[Pictures] = []


def change(bench: Bench, known: ServerFacts, given: TextToVideo, name: str) -> float:
    """How far a result is from the one without a LoRA, in levels of 255."""
    if not _plain:
        _plain.append(drawn(bench, known, params(), "none"))
    return float(np.abs(drawn(bench, known, given, name) - _plain[0]).mean())


@pytest.mark.parametrize("name", WORKS)
def test_accepted_ones_have_an_effect(bench: Bench, known: ServerFacts, name: str) -> None:
    given = params(name)
    bench.server = known
    made = bench.compile(given)
    assert model_obstacle(given, made, known) is None
    assert tuple(one.code for one in made.warnings if one.code.startswith("lora_")) == WORKS[name]
    began = time.monotonic()
    far = change(bench, known, given, name)
    print(f"{name}: changed by {far:.2f}, {time.monotonic() - began:.1f} s")
    assert far > 0.2


@pytest.mark.parametrize("name", REFUSED)
def test_refused_ones_would_have_none(bench: Bench, known: ServerFacts, name: str) -> None:
    given = params(name)
    bench.server = known
    obstacle = model_obstacle(given, bench.compile(given), known)
    assert obstacle is not None and obstacle.code == REFUSED[name]
    if obstacle.code == "lora_missing":
        return
    far = change(bench, known, given, name)
    print(f"{name}: changed by {far:.2f}")
    assert far == 0


def test_several_in_order_with_strengths(bench: Bench, known: ServerFacts) -> None:
    two = params("peft_high_noise", "kohya_high_noise", strength=0.5)
    one = params("peft_high_noise")
    assert change(bench, known, two, "two at 0.5") > 0.2
    assert change(bench, known, params("peft_high_noise", strength=0.0), "strength 0") == 0
    assert change(bench, known, one, "one at 1") > 0.2
