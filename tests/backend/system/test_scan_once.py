"""A view of System lists each folder of the model store once for the inventory and once for the resolver."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend.engines.base import EngineInfo
from backend.settings.model import Settings
from backend.system.machine import Machine
from workflows.catalog import load_catalog

HERE, AWAY = "http://127.0.0.1:8188", "http://gpu:8188"


def machine(folder: Path, info: EngineInfo) -> Machine:
    queue = SimpleNamespace(trouble="", full_disks=[], counts=lambda: (0, 0))
    engines = [SimpleNamespace(info=lambda: info)]
    settings = Settings.from_env({"WAN_MODELS_DIR": str(folder)}, folder)
    return Machine(settings, engines, queue, lambda: None, list)  # type: ignore[arg-type]


@pytest.mark.parametrize(("info", "listings"), [
    (EngineInfo("comfyui", HERE), 2),
    (EngineInfo("comfyui", HERE, state="ok", models={"vae": ("wan_2.1_vae.safetensors",)}), 2),
    (EngineInfo("comfyui", AWAY, state="ok", models={"vae": ("wan_2.1_vae.safetensors",)}), 0),
], ids=["no server yet", "server of this machine", "server elsewhere"])  # fmt: skip
def test_a_view_lists_each_folder_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, info: EngineInfo, listings: int
) -> None:
    for file in load_catalog().files:
        (tmp_path / file.folder).mkdir(exist_ok=True)
        (tmp_path / file.folder / file.name).write_bytes(b"")
    seen: Counter[tuple[str, str]] = Counter()
    for name in ("listdir", "scandir"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda path=".", n=name, r=real: seen.update([(n, str(path))]) or r(path)
        )
    one = machine(tmp_path, info)
    one.health(one.model_scan())
    of_vae = [times for (_, path), times in seen.items() if path == str(tmp_path / "vae")]
    assert sum(of_vae) == listings and set(seen.values()) <= {1}
