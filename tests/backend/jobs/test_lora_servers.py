"""LoRAs of several servers: one list, and what is missing where."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.jobs.endpoint_loras import EndpointLoras
from backend.jobs.job import Job
from backend.jobs.lora_library import LoraLibrary
from backend.jobs.offers import Offer
from backend.jobs.planning import outlook
from backend.models.lora_files import LoraFiles
from backend.models.lora_header import LoraHeaders
from backend.models.roots import Roots
from backend.models.state import LoraList
from backend.notices import words
from backend.settings.model import Settings
from tests.support.compile_cases import image
from tests.support.lora_files import write_lora
from ui.i18n.texts import section
from workflows.graph.lora_file import LIST
from workflows.graph.node_contract import ServerFacts, facts, recorded

HERE, AWAY = "http://127.0.0.1:8188", "http://gpu:8188"


class Known:
    """Offers of servers that have described themselves."""

    def __init__(self, *offers: Offer) -> None:
        self._offers = list(offers)

    def all(self) -> list[Offer]:
        return self._offers

    def infos(self) -> list[EngineInfo]:
        return [one.info for one in self._offers]


def offer(address: str, names: tuple[str, ...], store: Path | None = None, state: str = "ok") -> Offer:
    plain = facts(recorded())
    files = LoraFiles(names, Roots(store) if store else None, LoraHeaders())
    server = ServerFacts(plain.nodes, {**plain.options, LIST: names}, loras=files)
    return Offer(EngineInfo("comfyui", address, state=state), server)


def library(*offers: Offer) -> LoraLibrary:
    return LoraLibrary(Known(*offers), None)  # type: ignore[arg-type]


def test_one_list_of_all_servers_with_what_is_missing_where(tmp_path: Path) -> None:
    meta = {"modelspec.title": "Ink wash"}
    write_lora(tmp_path / "loras" / "wan" / "ink.safetensors", metadata=meta)
    write_lora(tmp_path / "loras" / "here.safetensors")
    away = offer(AWAY, ("wan\\ink.safetensors", "away.safetensors"))
    found = library(away, offer(HERE, ("wan/ink.safetensors", "here.safetensors"), tmp_path))
    rows = {row.name: row for row in found.find("image_to_video").rows}
    assert set(rows) == {"wan/ink.safetensors", "here.safetensors", "away.safetensors"}
    assert {name: row.missing for name, row in rows.items()} == {
        "wan/ink.safetensors": (), "here.safetensors": (AWAY,), "away.safetensors": (HERE,),
    }  # fmt: skip
    assert rows["wan/ink.safetensors"].title == "Ink wash", "as the server of this disk knows it"
    assert rows["away.safetensors"].note == f"Not on {HERE}."
    assert rows["away.safetensors"].record()["missing"] == [HERE]
    assert [row.name for row in found.find("image_to_video", "wash").rows] == ["wan/ink.safetensors"]
    named = found.find("image_to_video", names=["away"]).rows
    assert [row.name for row in named] == ["away.safetensors"]


def test_a_pair_of_which_one_file_is_missing_somewhere() -> None:
    pair = ("a_high.safetensors", "a_low.safetensors")
    rows = library(offer(HERE, pair), offer(AWAY, pair[:1])).find("image_to_video").rows
    assert [(row.name, row.partner, row.missing) for row in rows] == [(*pair, (AWAY,))]


def test_a_lost_server_counts_only_where_all_are_lost() -> None:
    lost = offer(AWAY, ("a.safetensors",), state="lost")
    rows = library(lost, offer(HERE, ("b.safetensors",))).find("image_to_video").rows
    assert [(row.name, row.missing) for row in rows] == [("b.safetensors", ())]
    assert [row.name for row in library(lost).find("image_to_video").rows] == ["a.safetensors"]


def test_what_fits_on_one_server_is_not_said_to_be_unfit(tmp_path: Path) -> None:
    write_lora(tmp_path / "loras" / "x.safetensors", "flux")
    names = ("x.safetensors",)
    servers = (offer(HERE, names, tmp_path), offer(AWAY, names))
    assert not library(*servers).find("image_to_video").rows[0].obstacle, "the other file is not known"
    assert library(servers[0]).find("image_to_video").rows[0].obstacle


@pytest.mark.parametrize("order", [1, -1])
def test_a_job_goes_to_a_server_that_has_its_lora(order: int) -> None:
    servers = [offer(HERE, ("here.safetensors",)), offer(AWAY, ("away.safetensors",))][::order]
    for name, address, other in (("here", HERE, AWAY), ("away", AWAY, HERE)):
        found = outlook("image_to_video", image(loras=[f"{name}.safetensors"]), servers, "job")
        assert [info.address for info in found.able] == [address] and found.obstacle is None
        refused = next(one for one in found.warnings if one.code == "server_refuses")
        assert refused.arg("address") == other
    none = outlook("image_to_video", image(loras=["gone.safetensors"]), servers, "job")
    assert none.able == () and none.obstacle is not None and none.obstacle.code == "lora_missing"


ENDPOINT = Offer(EngineInfo("runpod", "https://api.example/v2/x", state="ok"), facts(recorded()))


def endpoint(folder: Path, *jobs: Job, mounted: bool = False) -> LoraLibrary:
    """The library of an endpoint, with a model store on a volume."""
    values = {"WAN_MODELS_DIR": str(folder / "volume" / "models"), "WAN_DATA_DIR": str(folder / "data")}
    known = EndpointLoras(
        Settings.from_env(values, folder), lambda engine, mode: [one for one in jobs if one.mode == mode],
        (folder / "volume",), lambda _: mounted,
    )  # fmt: skip
    return LoraLibrary(Known(ENDPOINT), None, known)  # type: ignore[arg-type]


def test_an_endpoint_has_the_loras_that_its_workers_loaded(tmp_path: Path) -> None:
    job = Job(
        "a", "o", "animate", {}, {}, created=0, status="done", resolved={"loras": ["ink.safetensors", 3]}
    )
    found = endpoint(tmp_path, job).find("image_to_video")
    assert not found.listed and [row.name for row in found.rows] == ["ink.safetensors"]
    odd = Job("b", "o", "animate", {}, {}, created=0, status="done", resolved={"loras": "ink"})
    assert endpoint(tmp_path, odd).find("image_to_video") == LoraList(listed=False)
    assert library(ENDPOINT).find("image_to_video") == LoraList(listed=False)


def test_a_network_volume_says_what_an_endpoint_has(tmp_path: Path) -> None:
    write_lora(tmp_path / "volume" / "models" / "loras" / "ink.safetensors", "flux")
    rows = endpoint(tmp_path, mounted=True).find("image_to_video").rows
    assert [(row.name, bool(row.obstacle)) for row in rows] == [("ink.safetensors", True)]
    assert not endpoint(tmp_path).find("image_to_video").rows, "a folder of this machine is not the volume"


def test_the_plan_of_an_endpoint_says_when_names_are_checked() -> None:
    made = outlook("image_to_video", image(loras=["ink.safetensors"]), [ENDPOINT], "job")
    said = [words(one) for one in made.warnings if one.code == "lora_list_unknown"]
    assert made.obstacle is None and len(said) == 1 and "does not list its LoRAs" in said[0]
    assert "checked when the job runs" in section("script")["lora_unlisted"]
