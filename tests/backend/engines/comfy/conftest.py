"""A double of ComfyUI that runs the recorded first job, and an engine that asks it often.

A module with other times has a fixture `timing` of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from tests.support.comfy_run import COLD, OFTEN
from tests.support.fake_comfy import FakeComfy, play


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    with FakeComfy(play(COLD), COLD) as fake:
        yield fake


@pytest.fixture
def timing() -> Timing:
    return OFTEN


@pytest.fixture
def engine(server: FakeComfy, timing: Timing) -> Iterator[ComfyEngine]:
    one = ComfyEngine(server.url, timing=timing)
    yield one
    one.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "input.png"
    Image.new("RGB", (96, 64), (200, 120, 40)).save(path)
    return path
