"""A job with LoRAs through a whole studio: refused at once, else stored and in the graph that was sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.errors import BadInput
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import Make, ended
from workflows.graph.lora_file import LIST
from workflows.graph.node_contract import Contract, recorded

pytestmark = pytest.mark.full
OWNER = "owner-token-of-a-visitor-01"
VALUES = {"prompt": "A boat", "seconds": 0.5, "width": 64, "height": 64}


def listing(*names: str) -> Contract:
    """The recorded ComfyUI that lists these LoRAs and no other model files."""
    plain = recorded()
    node, key = LIST
    entry = plain.nodes[node].inputs[key]
    inputs = {**plain.nodes[node].inputs, key: replace(entry, options=names)}
    return replace(plain, nodes={**plain.nodes, node: replace(plain.nodes[node], inputs=inputs)})


def test_refused_stored_and_sent(make: Make, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    known = listing("my/ink_HIGH.safetensors", "my/ink_LOW.safetensors", "flux-grain.safetensors")
    monkeypatch.setattr(engine, "contract", lambda: known)
    monkeypatch.setattr(engine, "known_contract", lambda: known)
    studio = make()
    for wrong, said in (("gone", "is not on this engine"), ([{"name": "x", "weight": 1}], "has no 'weight'")):
        with pytest.raises(BadInput) as caught:
            loras = [wrong] if isinstance(wrong, str) else wrong
            studio.submit(OWNER, "text_to_video", {**VALUES, "loras": loras}, {})
        assert caught.value.field == "loras" and said in caught.value.message
    assert not engine.prompts and not studio.jobs(OWNER)

    given = '[{"name": "INK_high", "strength": 0.9, "strength_low": 0.5}, "flux-grain"]'
    job = studio.submit(OWNER, "text_to_video", {**VALUES, "loras": given}, {})
    assert job.params["loras"] == [
        {"name": "INK_high", "strength": 0.9, "strength_low": 0.5},
        {"name": "flux-grain", "strength": 1.0, "strength_low": 1.0},
    ]
    done = ended(studio, job)
    assert done.status == "done" and "lora_other_family" in done.record()["warning_codes"]
    nodes = [n for n in engine.prompts[0].graph.values() if n["class_type"] == "LoraLoaderModelOnly"]
    assert [(n["inputs"]["lora_name"], n["inputs"]["strength_model"]) for n in nodes] == [
        ("my/ink_HIGH.safetensors", 0.9), ("flux-grain.safetensors", 1.0),
        ("my/ink_LOW.safetensors", 0.5), ("flux-grain.safetensors", 1.0),
    ]  # fmt: skip
    again = studio.submit(OWNER, "text_to_video", {**job.params, "seed": 5}, {})
    assert again.params["loras"] == job.params["loras"], "Try again and Reuse start from the stored values"
    found = studio.loras("text_to_video", "ink")
    assert [(row.name, row.partner) for row in found.rows] == [
        ("my/ink_HIGH.safetensors", "my/ink_LOW.safetensors")
    ]
    assert studio.lora_picture("flux-grain.safetensors") == b""
