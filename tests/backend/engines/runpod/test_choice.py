"""When a RunPod endpoint is the engine, and what is said of it before Generate."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.engines.kinds import engine_name
from backend.errors import BadSettings, EndpointRefused
from backend.jobs.job import Job
from backend.jobs.offers import Offer
from backend.jobs.planning import plan
from backend.jobs.views import QueueState
from backend.notices import words
from backend.servers.choice import Choice, choose
from backend.servers.fleet import Servers
from backend.settings.model import Settings
from ui.views import engine_badge, machine_panel, model_table
from workflows.graph.node_contract import facts, recorded
from workflows.notice import Notice, notice

GIVEN = {"RUNPOD_ENDPOINT_ID": "abc", "RUNPOD_API_KEY": "key"}


def settings(here: Path, **values: str) -> Settings:
    return Settings.from_env({"WAN_DATA_DIR": str(here / "data"), **values}, here)


@pytest.mark.parametrize(
    ("values", "answers", "kind"),
    [
        ({**GIVEN}, False, "runpod"),
        ({**GIVEN}, True, "comfyui"),
        ({**GIVEN, "COMFYUI_URL": "http://gpu:8188"}, False, "comfyui"),
        ({**GIVEN, "WAN_ENGINE": "runpod"}, True, "runpod"),
        ({**GIVEN, "WAN_ENGINE": "demo"}, False, "demo"),
        ({"RUNPOD_ENDPOINT_ID": "abc"}, False, "demo"),
        ({"RUNPOD_API_KEY": "key"}, False, "demo"),
    ],
)
def test_what_auto_takes(tmp_path: Path, values: dict[str, str], answers: bool, kind: str) -> None:
    chosen = settings(tmp_path, **values)
    if chosen.comfyui_dir is not None:
        pytest.skip("this machine has a ComfyUI folder, which comes first")
    assert choose(chosen, lambda url: answers).kind == kind


def test_runpod_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="RUNPOD_API_KEY is missing"):
        choose(settings(tmp_path, WAN_ENGINE="runpod", RUNPOD_ENDPOINT_ID="abc"))


def test_one_lane_for_each_video_that_may_be_there(tmp_path: Path) -> None:
    servers = Servers(settings(tmp_path, **GIVEN, WAN_ENGINE="runpod", WAN_RUNPOD_CONCURRENCY="4"))
    assert len(servers.engines) == 4
    assert servers.choice == Choice("runpod", (), start=False)
    assert {engine.info().address for engine in servers.engines} == {"https://api.runpod.ai/v2/abc"}
    servers.close()


ENDPOINT = EngineInfo("runpod", "https://api.runpod.ai/v2/abc", state="ok", workers={"idle": 2}, pending=3)
EMPTY = EngineInfo("runpod", ENDPOINT.address, state="ok", note=notice("runpod_no_workers"))
REFUSED = EngineInfo("runpod", ENDPOINT.address, error=EndpointRefused.of("runpod_bad_key").notice)


def planned(info: EngineInfo, absent: bool = False) -> tuple[str, tuple[Notice, ...]]:
    made = plan(
        "text_to_video", {"prompt": "a boat"}, {}, [info, info], lambda *_: [], absent=absent,
        offers=[Offer(info, facts(recorded()))],
    )  # fmt: skip
    return words(made.obstacle), made.warnings


def test_an_endpoint_without_workers_is_said_before_generate() -> None:
    assert planned(ENDPOINT) == ("", ())
    assert planned(EMPTY) == ("", (EMPTY.note,))
    assert planned(REFUSED, absent=True)[0] == words(REFUSED.error)


def test_the_estimate_names_runpod() -> None:
    finished = Job("j", "o", "text_to_video", {}, {}, 0.0, width=832, height=480, frames=81, evaluations=40,
                   timings=dict.fromkeys(("load", "read", "draw", "finish", "save"), 10.0))  # fmt: skip
    for history, said in (
        ([], "No estimate yet. We'll know once a video has been made here."),
        ([finished], "About 50 s on RunPod"),
    ):
        made = plan(
            "text_to_video", {"prompt": "a boat"}, {}, [ENDPOINT, ENDPOINT], lambda *_: history,  # noqa: B023
            offers=[Offer(ENDPOINT, facts(recorded())), Offer(ENDPOINT, facts(recorded()))],
        )  # fmt: skip
        assert made.estimate is not None and made.estimate.text == said


def test_system_shows_the_endpoint_once_with_workers_and_jobs() -> None:
    shown = machine_panel.machine([ENDPOINT, ENDPOINT], QueueState(0, 0), {}, {})
    assert shown.count("api.runpod.ai/v2/abc</dd>") == 1
    assert "2 idle" in shown and "3 waiting" in shown
    assert engine_badge.badge([ENDPOINT]).detail == "2 workers"
    assert "no workers" in machine_panel.machine([EMPTY], QueueState(0, 0), {}, {})
    assert "API key" in machine_panel.machine([REFUSED], QueueState(0, 0), {}, {})
    shown = model_table.models([], False, "/models", endpoint=True)
    assert "on the endpoint&#x27;s volume" in shown and "/models" not in shown
    assert engine_name(ENDPOINT) == "RunPod Serverless"
