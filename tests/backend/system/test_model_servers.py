"""Model files of several servers: each by its own list, and this disk only where it is the server's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.errors import BadInput
from backend.models.choices import Choice
from backend.settings.model import Settings
from backend.system import health
from backend.system.model_servers import best, by_server, choice_on
from tests.support.stores import own_names, put
from ui.views.model_choice import details
from workflows.catalog import load_catalog

HERE, AWAY, FAR = "http://127.0.0.1:8188", "http://gpu:8188", "http://[2001:db8::1]:8188"
CATALOG = load_catalog()
VAE, HIGH = CATALOG.file("vae").name, CATALOG.file("i2v_high").name
OTHER = "Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors"


def settings(folder: Path) -> Settings:
    values = {"WAN_MODELS_DIR": str(folder / "store"), "WAN_DATA_DIR": str(folder / "data")}
    return Settings.from_env(values, folder)


def server(address: str, models: Mapping[str, tuple[str, ...]], kind: str = "comfyui") -> EngineInfo:
    return EngineInfo(kind, address, state="ok", models=models)


def full() -> dict[str, tuple[str, ...]]:
    """The lists of a server with every file of the catalogue."""
    found: dict[str, tuple[str, ...]] = {}
    for file in CATALOG.files:
        found[file.folder] = (*found.get(file.folder, ()), file.name)
    return found


def test_each_server_has_its_own_files(tmp_path: Path) -> None:
    put(tmp_path / "store", own_names("vae")["vae"], "vae")
    made = settings(tmp_path)
    here, away = server(HERE, {"vae": ()}), server(AWAY, {"vae": (), "diffusion_models": (HIGH,)})
    servers = by_server(made, [away, here, EngineInfo("comfyui", FAR)])
    assert [(one.address, one.local) for one in servers] == [(AWAY, False), (HERE, True)]
    states = [{state.file.role: state for state in one.overview.files} for one in servers]
    assert states[0]["vae"].state == "missing" and states[0]["vae"].path is None, (
        "not the disk of this machine"
    )
    assert states[1]["vae"].state in ("unseen", "wrong_size") and states[1]["vae"].path is not None
    assert (states[0]["i2v_high"].state, states[1]["i2v_high"].state) == ("ready", "missing")
    assert states[0]["audio_encoder"].state == "unknown", "a folder that it does not list"
    assert servers[0].overview.used == 0 and servers[1].overview.used > 0
    assert not any(need.command for need in servers[0].overview.modes), "a download here does not help there"
    merged = {state.file.role: state for state in best(servers)}
    assert merged["i2v_high"].state == "ready" and merged["vae"].state == "missing"


def test_without_a_server_the_disk_counts(tmp_path: Path) -> None:
    (one,) = by_server(settings(tmp_path), [EngineInfo("comfyui", AWAY)])
    assert one.local and not one.address and not one.overview.complete


def test_system_shows_what_is_missing_where(tmp_path: Path) -> None:
    made = settings(tmp_path)
    engines = [server(AWAY, {**full(), "vae": ()}), server(FAR, full())]
    files = {one.role: one for one in health.scan(made, engines).files}
    vae, high = files["vae"], files["i2v_high"]
    assert vae.state == high.state == "ready"
    assert [(one.address, one.state) for one in vae.servers] == [(AWAY, "missing"), (FAR, "ready")]
    assert f"<small>not on {AWAY}</small>" in details(vae, admin=False)
    assert "<small>" not in details(high, admin=False)
    names = {"diffusion_models": (OTHER,)}
    files = {one.role: one for one in health.scan(made, [server(AWAY, full()), server(FAR, names)]).files}
    assert f"{FAR} uses {OTHER}" in details(files["i2v_high"], admin=False)
    alone = {one.role: one for one in health.scan(made, engines[:1]).files}
    assert alone["vae"].servers == () and alone["vae"].state == "missing"


def test_a_file_is_chosen_that_one_of_the_servers_has(tmp_path: Path) -> None:
    made = settings(tmp_path)
    put(tmp_path / "store", f"diffusion_models/{OTHER}")
    away = server(AWAY, {"diffusion_models": (f"wan\\{OTHER}",)})
    here = server(HERE, {"diffusion_models": (HIGH,)})
    choice = Choice(f"wan/{OTHER}")
    assert choice_on(made, "i2v_high", choice, [here, away]) == (Choice(f"wan\\{OTHER}"), (HERE,))
    assert choice_on(made, "i2v_high", Choice(HIGH), [here, away]) == (Choice(HIGH), (AWAY,))
    with pytest.raises(BadInput):
        choice_on(made, "i2v_high", Choice("gone.safetensors"), [here, away])
    chosen, lacking = choice_on(made, "i2v_high", Choice(OTHER), [])
    assert (chosen.file, lacking) == (OTHER, ()) and chosen.size > 0, "found again by its size"
