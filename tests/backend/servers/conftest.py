"""Servers of this machine with the demo engine in place of ComfyUI; all are ended after the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend.servers.fleet import Servers
from backend.servers.orphans import orphans
from backend.servers.server import Limits
from backend.settings.folders import RUNPOD_COMFYUI
from tests.support import comfyui_folder
from tests.support.fleet import QUICK, Build, exits, settings
from tests.support.ports import free_row


@pytest.fixture
def base() -> int:
    """The first of the ports on which servers are started, far from a real ComfyUI's."""
    return free_row(4)


@pytest.fixture
def build(base: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    comfyui_folder.make(tmp_path / "ComfyUI")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    made: list[Servers] = []

    def one(
        gpus: str | None = "0,1",
        restart: bool = True,
        limits: Limits = QUICK,
        runpod_folder: Path = RUNPOD_COMFYUI,
        found_only: bool = False,
        **env: str,
    ) -> Servers:
        if gpus is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
        more: dict[str, Any] = {} if restart else {"restart": False, "on_exit": exits.append}
        given = settings(tmp_path, COMFYUI_PORT=str(base), **env)
        given = given.model_copy(update={"comfyui_dir_given": not found_only})
        all_of_them = Servers(given, limits=limits, runpod_folder=runpod_folder, **more)
        made.append(all_of_them)
        return all_of_them

    yield one
    for all_of_them in made:
        all_of_them.close()
    assert orphans(tmp_path / "data") == [], "none is left behind"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "input.png"
    Image.new("RGB", (96, 64), (200, 120, 40)).save(path)
    return path
