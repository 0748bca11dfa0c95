"""LoRAs of a part that no server has any more, that only some have, or that cannot be used."""

from __future__ import annotations

from typing import Any

from backend.engines.base import EngineInfo
from backend.jobs.offers import Offer
from backend.jobs.part_loras import usable
from backend.notices import words
from workflows.graph.lora_file import LIST, LoraFile
from workflows.graph.node_contract import ServerFacts
from workflows.resolved import Resolved

MODE = "image_to_video"
NOWHERE = ServerFacts(frozenset())


def server(*names: str, state: Any = "ok", address: str = "http://a", **files: LoraFile) -> Offer:
    facts = ServerFacts(frozenset(), options={LIST: names}, loras=files)
    return Offer(EngineInfo("comfyui", address, state=state), facts)


def names(*given: str, servers: tuple[Offer, ...], keep: Resolved | None = None) -> list[str]:
    return [one["name"] for one in usable(MODE, {"loras": list(given)}, servers, keep).values["loras"]]


def test_what_is_gone_is_left_out_and_named() -> None:
    found = usable(
        MODE, {"loras": ["a.safetensors", "b.safetensors"], "steps": 8}, [server("b.safetensors")], None
    )
    assert [one["name"] for one in found.values["loras"]] == ["b.safetensors"] and found.values["steps"] == 8
    (said,) = map(words, found.notes)
    assert said == "The LoRA a.safetensors is not on this engine. The part is drawn without it."
    both = usable(MODE, {"loras": ["a.safetensors", "c.safetensors"]}, [server("b.safetensors")], None)
    assert both.values["loras"] == [] and len(both.notes) == 2


def test_a_server_that_has_more_of_them_draws_the_part() -> None:
    bare, able = server(), server("a.safetensors", address="http://b")
    found = usable(MODE, {"loras": ["a.safetensors"]}, [bare, able], None)
    assert found.notes == () and found.offers == (able,)
    away = server("a.safetensors", state="lost", address="http://b")
    assert usable(MODE, {"loras": ["a.safetensors"]}, [bare, away], None).values["loras"] == []
    assert usable(MODE, {"loras": ["a.safetensors"]}, [away], None).notes == ()


def test_a_server_that_does_not_list_its_loras_is_believed_to_have_them() -> None:
    worker = Offer(EngineInfo("runpod", "https://api.runpod.ai/v2/x", state="ok"), NOWHERE)
    assert usable(MODE, {"loras": ["a.safetensors"]}, [worker], None).notes == ()


def test_of_a_pair_the_file_that_is_asked_for_counts() -> None:
    high, low = "style_high_noise.safetensors", "style_low_noise.safetensors"
    found = usable(MODE, {"loras": [high]}, [server(low)], Resolved(loras=(high, low, "b.safetensors")))
    assert found.values["loras"] == [] and [one.code for one in found.notes] == ["part_without_lora"]
    assert found.keep is not None and found.keep.loras == ("b.safetensors",), "not missed a second time"
    assert names(high, low, servers=(server(low),)) == [low]
    assert usable(MODE, {"loras": [high]}, [server(high)], None).notes == (), "a warning of its own"


def test_a_file_without_effect_is_left_out_too() -> None:
    broken = LoraFile("a.safetensors", fault="unreadable")
    facts = ServerFacts(frozenset(), options={LIST: ("a.safetensors",)}, loras={"a.safetensors": broken})
    found = usable(
        MODE, {"loras": ["a.safetensors"]}, [Offer(EngineInfo("comfyui", "http://a"), facts)], None
    )
    assert found.values["loras"] == [] and "a.safetensors" in words(found.notes[0])
    moved = server("old/a.safetensors", "new/a.safetensors")
    assert names("a.safetensors", servers=(moved,)) == [], "several files are meant"


def test_what_cannot_be_read_is_left_to_the_check_of_the_submission() -> None:
    for given in ("[", [{"strength": 1}], None, ""):
        assert usable(MODE, {"loras": given}, [server()], None).values == {"loras": given}
    assert usable("text_to_image", {"prompt": "x"}, [], None).values == {"prompt": "x"}
