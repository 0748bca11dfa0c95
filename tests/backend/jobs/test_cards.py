"""Estimates and the memory warning of a GPU that was measured, here or elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.jobs.cards import FOLDER, Cards, file_name
from backend.jobs.estimate import Expected, Workload, expected, fits, stage_seconds
from backend.jobs.job import Job
from backend.jobs.offers import Offer
from backend.jobs.planning import plan
from backend.jobs.views import Estimate, Plan
from backend.notices import words
from tests.backend.jobs.test_estimate import done
from tests.workflows.test_cards import ENTRY, GIB, ROW
from workflows.cards import Card, parse_card
from workflows.graph.node_contract import facts, recorded
from workflows.notice import Notice

INFO = EngineInfo("comfyui", "a", "ok", gpu="NVIDIA GeForce RTX 4090", vram_total=24 * GIB)
WORK = Workload(4, 832, 480, 81)
LARGE = {**ROW, "width": 1280, "height": 720}


def card(*rows: dict, own: bool = False) -> Card:
    return parse_card({**ENTRY, "rows": list(rows), "source": "a test"}, own=own)


def none(engine: str, mode: str) -> list[Job]:
    return []


def test_a_measured_card_gives_the_estimate_until_jobs_do() -> None:
    found = expected(WORK, "image_to_video", INFO, none, card(ROW))
    assert found.stages["draw"] == pytest.approx(40.0) and found.stages["load"] == 20.0
    assert sum(found.stages.values()) == pytest.approx(65.0) and found.card is not None
    double = expected(replace(WORK, evaluations=8), "image_to_video", INFO, none, card(ROW))
    assert double.stages["draw"] == pytest.approx(80.0)
    other = expected(WORK, "animate", INFO, none, card(ROW))
    assert other.stages, "another mode that makes a video"
    assert expected(WORK, "text_to_image", INFO, none, card(ROW)) == Expected({})
    assert expected(WORK, "image_to_video", INFO, none, None) == Expected({})
    job = done("a", 4, (832, 480), 81, draw=10.0)

    def history(engine: str, mode: str) -> list[Job]:
        return [job] if mode == job.mode else []

    assert expected(WORK, job.mode, INFO, history, card(ROW)) == Expected(stage_seconds(WORK, [job]))
    assert expected(WORK, "animate", INFO, history, card(ROW)).card is None, "jobs of other modes"
    assert expected(WORK, "animate", INFO, history, card({**ROW, "mode": "animate"})).card is not None


@pytest.mark.parametrize(
    ("rows", "known"),
    [
        ([ROW], True), ([LARGE], True), ([{**ROW, "frames": 41}], None), ([], None),
        ([{**LARGE, "stages": {}, "out_of_memory": True}], None),
        ([{**ROW, "stages": {}, "out_of_memory": True}], False),
        ([{**ROW, "width": 512, "stages": {}, "out_of_memory": True}], False),
        ([{**LARGE, "mode": "animate"}], None),
    ],
)  # fmt: skip
def test_whether_it_fits(rows: list[dict], known: bool | None) -> None:
    assert fits(WORK, "image_to_video", card(*rows) if rows else None) is known


def planned(card: Card | None, info: EngineInfo = INFO) -> Plan:
    values = {"width": 832, "height": 480, "seconds": 5.0, "speed": "fast", "prompt": "a boat"}
    offers = [Offer(info, facts(recorded()))]
    found = plan("text_to_video", values, {}, [info], none, offers=offers, cards=lambda one: card)
    assert not found.problems
    return found


def test_the_page_says_what_an_estimate_is_from() -> None:
    row = {**ROW, "mode": "text_to_video"}
    texts = {}
    for name, one in (("own", card(row, own=True)), ("table", card(row)), ("none", None)):
        estimate = planned(one).estimate
        assert estimate is not None
        texts[name] = estimate.text
    assert texts["own"] == "About 1 min 5 s on this GPU, measured on this card"
    assert texts["table"] == "About 1 min 5 s on this GPU, estimated from a test"
    assert texts["none"] == "No measurement for this card. We'll know once a video has been made here."
    cpu = planned(None, replace(INFO, gpu="CPU")).estimate
    assert cpu == Estimate("text_to_video")


def test_the_memory_warning_knows_what_was_measured() -> None:
    def warned(card: Card | None, gigabytes: int = 16) -> list[str]:
        found = planned(card, replace(INFO, vram_total=gigabytes * GIB))
        return [one.code for one in found.warnings if isinstance(one, Notice) and "gpu" in one.code]

    row = {**ROW, "mode": "text_to_video"}
    assert warned(None) == ["small_gpu"] and warned(None, 24) == []
    assert warned(card(row)) == []
    failed = {**row, "stages": {}, "out_of_memory": True}
    assert warned(card(failed)) == ["too_large_for_gpu"] == warned(card(failed), 24)
    said = next(one for one in planned(card(failed)).warnings if one.code == "too_large_for_gpu")
    assert "ran out of memory" in words(said) and "24 GB" in words(said)


def test_measurements_in_the_data_folder(tmp_path: Path) -> None:
    cards = Cards(tmp_path)
    assert cards.of(INFO) is None
    path = tmp_path / FOLDER / file_name(INFO.gpu)
    assert path.name == "nvidia-geforce-rtx-4090.json"
    path.parent.mkdir()
    data = {"scale": "full", "card": {"gpu": INFO.gpu, "vram": INFO.vram_total}, "rows": [ROW]}

    def write(text: str) -> None:
        part = path.with_suffix(".part")
        part.write_text(text)
        part.replace(path)

    write(json.dumps(data))
    found = cards.of(INFO)
    assert found is not None and found.own and len(found.runs) == 1
    assert cards.of(INFO) is found, "not read again"
    assert cards.of(replace(INFO, kind="demo")) is None and cards.of(replace(INFO, gpu="CPU")) is None
    write(json.dumps({**data, "rows": [ROW, LARGE]}))
    again = cards.of(INFO)
    assert again is not None and len(again.runs) == 2
    for useless in (json.dumps({**data, "scale": "tiny"}), "[]", "{", json.dumps({**data, "rows": 5})):
        write(useless)
        assert cards.of(INFO) is None
