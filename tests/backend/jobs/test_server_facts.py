"""The files of the roles from a server's own lists, up to the plan and the refusal of a job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.errors import MissingModel
from backend.jobs import preflight
from backend.jobs.job import Job
from backend.jobs.offers import Offer
from backend.jobs.planning import outlook
from backend.jobs.server_facts import found_by, where
from backend.models.choices import Choice, Choices
from backend.models.finder import Finder, lists_of, merged_lists
from backend.settings.model import Settings
from tests.support.compile_cases import animated, compiled, newer, text
from tests.support.stores import own_names, put
from workflows.graph.node_contract import Contract, facts, from_object_info
from workflows.graph.object_info import FILE_INPUTS

ROLES = ("t2v_high", "t2v_low", "text_encoder", "vae", "lora_t2v_high", "lora_t2v_low")
HERE = EngineInfo("comfyui", "http://127.0.0.1:8188", state="ok", vram_total=24 << 30)


def contract(store: Path, gguf: bool = False) -> Contract:
    """ComfyUI 0.33 with the files of a store, as it lists them."""
    nodes = dict(newer().nodes)
    if gguf:
        loader = {"UnetLoaderGGUF": {"input": {"required": {"unet_name": [[]]}}, "output": ["MODEL"]}}
        nodes.update(from_object_info(loader).nodes)
    for (name, key), folder in FILE_INPUTS.items():
        if name in nodes:
            top = store / folder
            files = sorted(str(p.relative_to(top)) for p in top.rglob("*") if p.is_file())
            listed = tuple(f for f in files if f.endswith(".gguf") == (name == "UnetLoaderGGUF"))
            inputs = {**nodes[name].inputs, key: replace(nodes[name].inputs[key], options=listed)}
            nodes[name] = replace(nodes[name], inputs=inputs)
    return Contract(nodes)


@pytest.fixture
def finder(tmp_path: Path) -> Finder:
    values = {"WAN_MODELS_DIR": str(tmp_path / "m"), "WAN_DATA_DIR": str(tmp_path / "data")}
    return Finder(Settings.from_env(values, tmp_path), Choices(tmp_path / "data" / "model_choices.yaml"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for path in own_names(*ROLES).values():
        put(tmp_path / "m", path.replace("/", "/wan/", 1))
    return tmp_path / "m"


class Engine:
    """As much of an engine as the check before a job asks for."""

    def __init__(self, described: Contract) -> None:
        self._described = described

    def info(self) -> EngineInfo:
        return HERE

    def contract(self) -> Contract:
        return self._described


def planned(finder: Finder, described: Contract) -> tuple[str, list[str]]:
    """(obstacle, names that the job loads)."""
    models = {folder: tuple(names) for folder, names in lists_of(facts(described)).items()}
    info = replace(HERE, models=models)
    found = outlook("text_to_video", text(), [Offer(info, found_by(finder)(info, described))], "plan")
    return found.obstacle.code if found.obstacle else "", list(found.compiled.models)


def test_names_below_a_folder_go_into_graph_and_check(finder: Finder, store: Path) -> None:
    obstacle, names = planned(finder, contract(store))
    assert obstacle == "" and all(name.startswith("wan/") for name in names) and len(names) == 4
    job = Job("j", "o", "text_to_video", {"prompt": "a boat", "seed": 1}, {}, 0.0)
    engine = Engine(contract(store))
    made = preflight.compiled(job, engine, found_by(finder))  # type: ignore[arg-type]
    assert list(made.models) == names
    with pytest.raises(MissingModel):
        preflight.compiled(job, engine)  # type: ignore[arg-type]


def test_an_imposter_is_an_obstacle_and_refused(finder: Finder, store: Path) -> None:
    put(store, own_names("t2v_low")["t2v_low"].replace("/", "/wan/", 1), "sdxl")
    described = contract(store)
    assert planned(finder, described)[0] == "model_unlike_name"
    job = Job("j", "o", "text_to_video", {"prompt": "a boat", "seed": 1}, {}, 0.0)
    with pytest.raises(MissingModel) as refused:
        preflight.compiled(job, Engine(described), found_by(finder))  # type: ignore[arg-type]
    assert "is an SDXL model" in refused.value.message and "Rename or remove it" in refused.value.hint


def test_the_files_are_looked_at_once_for_each_list_and_choice(finder: Finder, store: Path) -> None:
    put(store, "diffusion_models/Wan2_2-T2V-A14B_HIGH_fp8_e4m3fn_scaled_KJ.safetensors")
    facts_of, described = found_by(finder), contract(store)
    first = facts_of(HERE, described)
    assert facts_of(HERE, described) is first
    finder.choices.use("t2v_high", Choice("Wan2_2-T2V-A14B_HIGH_fp8_e4m3fn_scaled_KJ.safetensors"))
    second = facts_of(HERE, described)
    assert second is not first and second.models["t2v_high"].name.startswith("Wan2_2-T2V")
    assert facts_of(HERE, contract(store)) is not second


def test_gguf_with_and_without_the_loader(finder: Finder, tmp_path: Path) -> None:
    store = tmp_path / "m"
    for role, path in own_names(*ROLES).items():
        if role.startswith("t2v"):
            path = f"diffusion_models/Wan2.2-T2V-A14B-{role[4:].title()}Noise-Q4_K_M.gguf"
        put(store, path)
    put(store, "diffusion_models/flux1-dev.safetensors")
    assert planned(finder, contract(store))[0] == "gguf_without_loader"
    obstacle, names = planned(finder, contract(store, gguf=True))
    assert obstacle == "" and sum(name.endswith(".gguf") for name in names) == 2


def test_a_choice_wins_over_the_second_version(finder: Finder, store: Path) -> None:
    for role in ("animate", "animate_v2"):
        put(store, own_names(role)[role], "animate")
    put(store, "diffusion_models/wan2.2_animate_14B_bf16.safetensors")
    facts_of, described = found_by(finder), contract(store)
    second = Path(own_names("animate_v2")["animate_v2"]).name
    assert compiled(animated(), server=facts_of(HERE, described)).models[0] == second
    name = "wan2.2_animate_14B_bf16.safetensors"
    finder.choices.use("animate", Choice(name))
    assert compiled(animated(), server=facts_of(HERE, described)).models[0] == name


def test_the_disk_counts_only_for_a_server_of_this_machine() -> None:
    assert where(HERE).local and not where(replace(HERE, address="http://10.0.0.5:8188")).local
    assert not where(replace(HERE, kind="demo")).local, "the demo engine has no files"


def test_the_folders_of_comfyui_gguf_are_merged() -> None:
    merged = merged_lists({"diffusion_models": ("a",), "unet_gguf": ("b.gguf",), "clip_gguf": ("c.gguf",)})
    assert merged["diffusion_models"] == ("a", "b.gguf") and merged["text_encoders"] == ("c.gguf",)
