"""For which GPU a set is chosen on the System tab, and who may fetch it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import EngineInfo
from backend.errors import BadInput, NotAllowed
from backend.models.fetcher import FetchState
from backend.models.formats import GIB
from backend.models.meter import Flow, LastSpeed, Meter
from backend.models.set_options import Hardware, Wish
from backend.models.state import SetRequest
from backend.system.model_fetch import ModelFetch
from tests.support.scripted import OWNER, Make

CARD = EngineInfo(
    "comfyui", "http://127.0.0.1:8188", state="ok", gpu="NVIDIA RTX 4080", vram_total=16 * GIB,
    ram_total=64 * GIB, models={"vae": ()},
)  # fmt: skip


class Fetcher:
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        self.started: list[tuple[Wish, Hardware]] = []

    def start(self, wish: Wish, machine: Hardware) -> None:
        self.started.append((wish, machine))

    def state(self) -> FetchState:
        wish = self.started[-1][0] if self.started else None
        return FetchState("running", wish, 16, Flow("a", 1, 2, False, 3, 4, 5.0, 6.0))


def fetch(*infos: EngineInfo) -> tuple[ModelFetch, Fetcher]:
    fetcher: Any = Fetcher()
    return ModelFetch(fetcher, Path("/"), lambda: infos), fetcher


def test_the_gpu_of_the_engine_a_named_one_or_a_usual_one() -> None:
    own = fetch(CARD)[0].hardware()
    assert (own.gigabytes, own.gpu, own.ram, own.gguf, own.assumed) == (16, CARD.gpu, 64 * GIB, False, False)
    assert fetch(replace(CARD, models={"unet_gguf": ()}))[0].hardware().gguf is True
    named = fetch(CARD)[0].hardware(48)
    assert (named.gigabytes, named.gpu, named.ram) == (48, "", 0), "another machine: its memory is unknown"
    demo = replace(CARD, kind="demo")
    for usual in (fetch()[0].hardware(), fetch(demo)[0].hardware()):
        assert (usual.gigabytes, usual.assumed, usual.gguf) == (24, True, None)


def test_what_is_refused() -> None:
    away = fetch(replace(CARD, address="http://10.0.0.9:8188"))[0]
    assert not away.available()
    with pytest.raises(BadInput, match="another machine"):
        away.start(SetRequest("image_to_video"))
    here, fetcher = fetch(CARD)
    for request, words in (
        (SetRequest("image_to_video", gigabytes=2), "not the memory of a GPU"),
        (SetRequest("image_to_video", speed="slow"), "'slow' is not one of fast, quality"),
        (SetRequest("image_to_video", format="zip"), "'zip' is not one of auto"),
    ):
        with pytest.raises(BadInput, match=words):
            here.start(request)
    assert fetcher.started == []


def test_progress_for_the_page() -> None:
    here, fetcher = fetch(CARD)
    assert here.progress().request is None
    request = SetRequest("text_to_image", "model=flux", "fast", 16)
    here.start(request)
    assert fetcher.started[0][0] == Wish("text_to_image", "fast", setting="model=flux")
    shown = here.progress()
    assert shown.request == request and shown.busy and (shown.fetched, shown.total) == (3, 4)
    assert (shown.rate, shown.seconds) == (5.0, 6.0)


@pytest.mark.full
def test_only_the_admin_may(make: Make) -> None:
    studio = make(start=False)
    for call in (
        lambda: studio.plan_models(OWNER, SetRequest("image_to_video")),
        lambda: studio.fetch_models(OWNER, SetRequest("image_to_video")),
        lambda: studio.cancel_fetch(OWNER),
        lambda: studio.fetch_progress(OWNER),
        lambda: studio.model_choices(OWNER),
    ):
        with pytest.raises(NotAllowed):
            call()


def test_speed_and_time_left_are_measured(tmp_path: Path) -> None:
    now = [100.0]
    meter = Meter(lambda: now[0])
    meter.begin(1000)
    assert meter.flow().seconds is None and meter.average() == 0.0
    came = meter.watch("a", 600, 100, False)
    for _ in range(4):
        now[0] += 1
        came(100)
    flow = meter.flow()
    assert (flow.done, flow.fetched, flow.rate, flow.seconds) == (500, 400, 100.0, 6.0)
    came(-200)
    assert meter.flow().fetched == 200
    checking = meter.watch("a", 600, 0, True)
    now[0] += 50
    checking(600)
    assert meter.flow().fetched == 200 and meter.flow().checking, "what is only read again is not fetched"
    speed = LastSpeed(tmp_path / "data")
    assert speed.read() == 0.0
    speed.write(meter.average())
    assert speed.read() == 50.0
    (tmp_path / "data" / "download_speed.json").write_text("[]")
    assert speed.read() == 0.0
