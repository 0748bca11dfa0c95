"""A model file that cannot be used is named before Generate, in the API's error, and by `models check`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

import app
from tests.support.compile_cases import newer
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended
from tests.support.stores import own_names, put
from ui.forms.planner import Planner
from ui.i18n.texts import text
from ui.tabs.registry import TABS
from workflows.graph.node_contract import Contract
from workflows.graph.object_info import FILE_INPUTS

pytestmark = pytest.mark.full

ROLES = ("t2v_high", "t2v_low", "text_encoder", "vae", "lora_t2v_high", "lora_t2v_low")
VALUES = {**SMALL, "prompt": "A boat", "seed": 5}


def contract(store: Path) -> Contract:
    """ComfyUI 0.33 with the files of a store."""
    nodes = dict(newer().nodes)
    for (name, key), folder in FILE_INPUTS.items():
        if name in nodes:
            listed = tuple(sorted(path.name for path in (store / folder).glob("*")))
            inputs = {**nodes[name].inputs, key: replace(nodes[name].inputs[key], options=listed)}
            nodes[name] = replace(nodes[name], inputs=inputs)
    return Contract(nodes)


def imposter(store: Path) -> str:
    put(store, own_names("t2v_low")["t2v_low"], "sdxl")
    return "wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors is an SDXL model"


def truncated(store: Path) -> str:
    path = store / own_names("vae")["vae"]
    os.truncate(path, path.stat().st_size - 9)
    return "wan_2.1_vae.safetensors is cut short"


def kijais(store: Path) -> str:
    (store / own_names("text_encoder")["text_encoder"]).unlink()
    put(store, "text_encoders/umt5-xxl-enc-bf16.safetensors")
    return "umt5-xxl-enc-bf16.safetensors is the Text encoder for another loader"


@pytest.mark.parametrize("spoil", [imposter, truncated, kijais])
def test_it_is_named_on_the_page_in_the_api_and_on_the_command_line(
    make: Make, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], str],
) -> None:  # fmt: skip
    store = tmp_path / "store"
    for path in own_names(*ROLES).values():
        put(store, path)
    says = spoil(store).casefold()
    described = contract(store)
    engine.address = "http://127.0.0.1:9"
    monkeypatch.setattr(engine, "contract", lambda: described)
    monkeypatch.setattr(engine, "known_contract", lambda: described)
    studio = make(WAN_MODELS_DIR=str(store))

    with gr.Blocks():
        (form,) = (f for tab in TABS for f in tab.build(100, "").forms if f.mode == "text_to_video")
    given = {**form.start, "prompt": "A boat", "width": 64, "height": 64}
    shown = Planner(studio, text("advanced.negative")).view(form, given, OWNER)
    assert not shown.ready and says in shown.hint.casefold()

    failed = ended(studio, studio.submit(OWNER, "text_to_video", VALUES, {}))
    assert failed.status == "failed" and failed.error is not None
    assert failed.error["code"] == "missing_model" and says in failed.error["message"].casefold()
    assert failed.error["hint"]

    for name in list(os.environ):
        if name.startswith(("WAN_", "COMFYUI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WAN_MODELS_DIR", str(store))
    monkeypatch.setenv("WAN_DATA_DIR", str(tmp_path / "cli"))
    monkeypatch.setenv("WAN_ENGINE", "demo")
    assert app.main(["models", "check", "text_to_video"], tmp_path) == 1
    assert says in capsys.readouterr().out.casefold()
