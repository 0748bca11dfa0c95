from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backend.engines.base import EngineInfo
from backend.settings.model import Settings
from backend.system import health
from tests.support.model_files import sparse
from workflows.catalog import load_catalog

VAE = load_catalog().file("vae")


def settings(folder: Path) -> Settings:
    return Settings.from_env({"WAN_MODELS_DIR": str(folder)}, folder)


def engine(models: Mapping[str, tuple[str, ...]], address: str = "http://127.0.0.1:8188") -> EngineInfo:
    return EngineInfo("comfyui", address, state="ok", models=models)


def put(folder: Path, size: int = VAE.bytes) -> None:
    sparse(folder / VAE.folder / VAE.name, size)


def state(folder: Path, *engines: EngineInfo) -> str:
    return next(m.state for m in health.scan(settings(folder), engines).files if m.name == VAE.name)


def test_status() -> None:
    starting, ok = EngineInfo("comfyui", "a"), EngineInfo("comfyui", "b", state="ok")
    lost = EngineInfo("comfyui", "c", state="lost")
    assert health.status([starting]) == "starting"
    assert health.status([starting, ok]) == "ok"
    assert health.status([ok, lost]) == "degraded"


def test_disk_and_server_of_this_machine_are_distinguished(tmp_path: Path) -> None:
    assert state(tmp_path, EngineInfo("comfyui", "x")) == "unknown", "the server may have it"
    assert state(tmp_path, engine({"vae": ()})) == "missing"
    put(tmp_path)
    assert state(tmp_path, EngineInfo("comfyui", "x")) != "missing"
    assert state(tmp_path, engine({"vae": (VAE.name,)})) == "ready"
    unseen = next(
        m for m in health.scan(settings(tmp_path), [engine({"vae": ()})]).files if m.name == VAE.name
    )
    assert unseen.state == "unseen" and "does not look there" in unseen.words


def test_a_wrong_size_is_reported_although_the_server_lists_the_file(tmp_path: Path) -> None:
    put(tmp_path, size=1000)
    assert state(tmp_path, engine({"vae": (VAE.name,)})) in {"wrong_size", "damaged"}


def test_the_list_of_a_remote_server_decides(tmp_path: Path) -> None:
    put(tmp_path)
    far = "http://10.0.0.9:8188"
    assert state(tmp_path, engine({"vae": ()}, far)) == "missing"
    assert state(tmp_path, engine({"vae": (VAE.name,)}, far)) == "ready"
    assert health.scan(settings(tmp_path), [engine({"vae": ()}, far)]).disk == {}


def test_disk_use_counts_shared_files_in_each_mode(tmp_path: Path) -> None:
    put(tmp_path)
    taken = health.scan(settings(tmp_path), []).disk
    assert taken["image_to_video"] == taken["sound_to_video"] == VAE.bytes
