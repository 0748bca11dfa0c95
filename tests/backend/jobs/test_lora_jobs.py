"""LoRAs up to a job: what the plan says, what is refused when it is submitted, and what is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import EngineInfo
from backend.errors import BadInput, MissingModel
from backend.jobs import preflight
from backend.jobs.job import Job
from backend.jobs.lora_library import LoraLibrary
from backend.jobs.offers import Offer
from backend.jobs.planning import plan
from backend.jobs.server_facts import found_by, where
from backend.models.choices import Choices
from backend.models.finder import Finder
from backend.models.lora_files import LoraFiles
from backend.notices import words
from backend.settings.model import Settings
from tests.backend.jobs.test_server_facts import HERE, Engine, contract
from tests.support.compile_cases import text
from tests.support.lora_files import write_lora
from tests.support.stores import own_names, put
from workflows.graph.node_contract import facts, recorded

ROLES = ("t2v_high", "t2v_low", "text_encoder", "vae", "lora_t2v_high", "lora_t2v_low")
RUNPOD = EngineInfo("runpod", "https://api.runpod.ai/v2/x", state="ok")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for path in own_names(*ROLES).values():
        put(tmp_path / "m", path)
    folder = tmp_path / "m" / "loras"
    write_lora(folder / "my/ink_high.safetensors", seed=1, metadata={"modelspec.trigger_phrase": "1nk"})
    write_lora(folder / "my/ink_low.safetensors", seed=2)
    write_lora(folder / "flux.safetensors", "flux")
    write_lora(folder / "narrow.safetensors", width=64)
    return tmp_path / "m"


@pytest.fixture
def offer(store: Path, tmp_path: Path) -> Offer:
    """A server of this machine with the files of the store."""
    values = {"WAN_MODELS_DIR": str(store), "WAN_DATA_DIR": str(tmp_path / "data")}
    finder = Finder(Settings.from_env(values, tmp_path), Choices(tmp_path / "data" / "c.yaml"))
    described = contract(store)
    models = {"loras": described.nodes["LoraLoaderModelOnly"].inputs["lora_name"].options or ()}
    return Offer(replace(HERE, models=models), finder.facts(described, where(HERE)))


def planned(offers: list[Offer], **values: Any) -> Any:
    known = {"prompt": "A boat", "speed": "fast", **values}
    infos = [replace(one.info, models={}) for one in offers]  # else every file of the job would be missing
    offers = [replace(one, info=info) for one, info in zip(offers, infos, strict=True)]
    return plan("text_to_video", known, {}, infos, lambda *_: (), offers=offers)


def test_the_plan_names_what_prevents_a_job(offer: Offer) -> None:
    assert planned([offer], loras=["my/ink_high.safetensors"]).obstacle is None
    for name, code in (
        ("gone", "lora_missing"),
        ("flux", "lora_other_model"),
        ("narrow", "lora_other_width"),
    ):
        found = planned([offer], loras=[name])
        assert found.obstacle is not None and found.obstacle.code == code
        assert found.steps == 4 and found.width, "the rest is planned all the same"
    assert planned([offer], loras="no list").problems.keys() == {"loras"}


def test_of_two_servers_the_one_that_has_it_runs_the_job(offer: Offer) -> None:
    bare = replace(offer.facts, options={**offer.facts.options, ("LoraLoaderModelOnly", "lora_name"): ()})
    other = Offer(replace(HERE, address="http://127.0.0.1:8189"), bare)
    found = planned([other, offer], loras=["my/ink_low.safetensors"])
    assert found.obstacle is None
    said = [one for one in found.warnings if one.code == "server_refuses"]
    assert len(said) == 1 and "is not on this engine" in words(said[0])


def test_an_engine_that_lists_nothing_says_so() -> None:
    unknown = Offer(RUNPOD, facts(recorded()))
    found = planned([unknown], loras=["whatever.safetensors"])
    assert found.obstacle is None and "lora_list_unknown" in [one.code for one in found.warnings]


def test_the_check_before_a_run_refuses_a_lora_that_has_gone(
    store: Path, tmp_path: Path, offer: Offer
) -> None:
    values = {"WAN_MODELS_DIR": str(store), "WAN_DATA_DIR": str(tmp_path / "data")}
    facts_of = found_by(Finder(Settings.from_env(values, tmp_path), Choices(tmp_path / "c.yaml")))
    stored = {"prompt": "A boat", "seed": 1, "speed": "fast", "loras": [{"name": "my/ink_high.safetensors"}]}
    job = Job("job", "owner", "text_to_video", stored, {}, created=0.0, seed=1)
    made = preflight.checked(job, Engine(contract(store)), facts_of)  # type: ignore[arg-type]
    assert {"my/ink_high.safetensors", "my/ink_low.safetensors"} <= set(made.models)
    (store / "loras" / "my" / "ink_high.safetensors").unlink()
    with pytest.raises(MissingModel) as caught:
        preflight.checked(job, Engine(contract(store)), facts_of)  # type: ignore[arg-type]
    assert caught.value.message == "The LoRA my/ink_high.safetensors is not on this engine."
    assert caught.value.hint


def test_what_is_found_for_a_mode(offer: Offer) -> None:
    class Known:
        def all(self) -> list[Offer]:
            return [offer]

    library = LoraLibrary(Known(), None)  # type: ignore[arg-type]
    found = library.find("text_to_video", "ink")
    assert [(row.name, row.partner, row.words) for row in found.rows] == [
        ("my/ink_high.safetensors", "my/ink_low.safetensors", ("1nk",))
    ]
    named = library.find("image_to_video", names=["MY\\ink_low.safetensors", "gone"])
    assert [row.name for row in named.rows] == ["my/ink_high.safetensors"]
    everything = library.find("text_to_video")
    assert {row.name for row in everything.rows if row.obstacle} == {"flux.safetensors", "narrow.safetensors"}
    assert library.find("text_to_video", most=1).count == 3
    with pytest.raises(BadInput):
        library.find("no_mode")

    class Unknown:
        def all(self) -> list[Offer]:
            return [Offer(RUNPOD, facts(recorded()))]

    silent = LoraLibrary(Unknown(), None)  # type: ignore[arg-type]
    assert silent.find("animate") == replace(silent.find("animate"), rows=(), listed=False)
    assert silent.picture("x") == b""


def test_facts_of_a_server_elsewhere_have_names_only(store: Path, tmp_path: Path) -> None:
    far = replace(HERE, address="http://10.0.0.9:8188")
    values = {"WAN_MODELS_DIR": str(store), "WAN_DATA_DIR": str(tmp_path / "data")}
    finder = Finder(Settings.from_env(values, tmp_path), Choices(tmp_path / "c.yaml"))
    found = finder.facts(contract(store), where(far)).loras
    assert isinstance(found, LoraFiles) and found.path("flux.safetensors") is None
    assert found["my/ink_high.safetensors"].partner == "my/ink_low.safetensors"
    assert not found["flux.safetensors"].fits and text(loras=["flux"]).loras
