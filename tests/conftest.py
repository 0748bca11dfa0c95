from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend import services
from backend.jobs.limits import Limits
from backend.media.decoder import Decoder
from backend.settings.model import Settings
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.lent_decoder import LentDecoder, stop_all
from tests.support.scripted import Make, Servers

pytest_plugins = ["tests.support.garbage", "tests.support.tiers", "tests.support.sockets"]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def make(tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[Studio] = []
    if services.Decoder is Decoder:
        monkeypatch.setattr(services, "Decoder", LentDecoder)

    def build(
        *engines: FakeEngine, limits: Limits | None = None, start: bool = True, **settings: str
    ) -> Studio:
        monkeypatch.setattr(services, "Servers", lambda _: Servers(*(engines or (engine,))))
        values = {"WAN_DATA_DIR": str(tmp_path / "data"), **settings}
        studio = Studio(Settings.from_env(values, tmp_path), limits=limits)
        made.append(studio)
        if start:
            studio.start()
        return studio

    yield build
    for studio in made:
        studio.close()


@pytest.fixture(scope="session", autouse=True)
def lent_children() -> Iterator[None]:
    yield
    stop_all()


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    with Decoder() as decoder:
        yield decoder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "boat.png"
    Image.effect_noise((640, 360), 40).convert("RGB").save(path)
    return path


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """45 s, which is two graphs."""
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes((9000 * np.sin(np.arange(45 * 8000) / 5)).astype("<i2").tobytes())
    return path
