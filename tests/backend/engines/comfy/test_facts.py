"""What a ComfyUI says of itself and its nodes: odd answers, faulty nodes, other threads."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from backend.engines.base import EngineInfo
from backend.engines.comfy.engine import ComfyEngine
from backend.jobs.offers import Offers
from tests.support.fake_comfy import HTTP, Answer, FakeComfy, status
from workflows.graph.node_contract import Contract

pytestmark = pytest.mark.full

SAVE = json.loads((HTTP / "object_info_one.json").read_text())["/object_info/SaveVideo"]["body"]
STATS = json.loads((HTTP / "system_stats.json").read_text())["body"]


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    with FakeComfy() as server:
        yield server


def says(body: Any) -> Answer:
    """200 with this body, NaN and Infinity as Python writes them."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(text=json.dumps(body))

    return answer


def test_a_faulty_node_is_logged_once_and_the_others_are_read(
    server: FakeComfy, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = {"input": {"required": {"x": ["INT", {"step": None}]}}, "output": []}
    server.answer("GET", "/object_info", *(says({**SAVE, "Faulty": faulty}) for _ in range(2)))
    engine = ComfyEngine(server.url)
    with caplog.at_level(logging.WARNING, "wan.engines.comfy"):
        assert engine.refresh().state == "ok"
        server.answer("GET", "/system_stats", status(502))
        assert engine.refresh().state == "lost"
        assert engine.refresh().state == "ok"
    assert server.count("GET", "/object_info") == 2
    assert "SaveVideo" in engine.contract().nodes and "Faulty" in engine.contract().skipped
    told = [record.getMessage() for record in caplog.records if "Faulty" in record.getMessage()]
    assert len(told) == 1 and server.url in told[0] and "step of x is null" in told[0]


def test_each_bad_node_has_one_line_in_the_log(server: FakeComfy, caplog: pytest.LogCaptureFixture) -> None:
    odd = [None, 5, "x", [], {"input": 3}, {"input": {"required": {"a\nb": 7}}}, {"output": "IMAGE"}]
    faulty = {f"Bad\n{number}": node for number, node in enumerate(odd)} | {"L" * 5000: None}
    body = (
        json.dumps({**SAVE, **faulty})[:-1]
        + f', "Long": {{"input": {{"required": {{"x": {"7" * 5000}}}}}}}}}'
    )
    server.answer("GET", "/object_info", *[status(200, body)] * 2)
    engine = ComfyEngine(server.url)
    with caplog.at_level(logging.WARNING, "wan.engines.comfy"):
        assert engine.refresh().state == "ok"
        engine._contract = None  # read again
        assert engine.contract().nodes.keys() == {"SaveVideo"}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(faulty) + 1 and not any("\n" in line or len(line) > 700 for line in said)


@pytest.mark.parametrize(
    "spec",
    [[], [None], ["INT", {"step": math.inf}], ["INT", {"step": "a"}], ["COMBO", {"options": 5}], 7],
)
def test_no_description_of_a_node_keeps_a_server_from_being_up(server: FakeComfy, spec: Any) -> None:
    server.answer("GET", "/object_info", says({**SAVE, "Faulty": {"input": {"required": {"x": spec}}}}))
    engine = ComfyEngine(server.url)
    assert engine.refresh().state == "ok"
    assert engine.facts().nodes == {"SaveVideo"}


@pytest.mark.parametrize(
    "body",
    [
        {**STATS, "devices": [{"name": "cuda:0 X", "vram_total": math.nan, "vram_free": math.inf}]},
        {**STATS, "devices": [None]},
        {**STATS, "devices": {"a": 1}},
        {**STATS, "system": {**STATS["system"], "argv": [None, 5], "comfyui_version": 3, "ram_total": "9"}},
    ],
)
def test_invalid_numbers_from_a_server_are_ignored(server: FakeComfy, body: Any) -> None:
    server.answer("GET", "/system_stats", says(body))
    assert ComfyEngine(server.url).refresh().state == "ok"


def test_an_unexpected_response_is_logged_once(server: FakeComfy, caplog: pytest.LogCaptureFixture) -> None:
    faults = iter([True, True])

    def amend(info: EngineInfo) -> EngineInfo:
        if info.state == "ok" and next(faults, False):
            raise ZeroDivisionError
        return info

    engine = ComfyEngine(server.url, amend=amend)
    assert engine.refresh().state == "starting" and engine.info().error
    assert engine.refresh().state == "starting"
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert engine.refresh().state == "ok"


def test_a_node_that_is_nested_without_end_leaves_the_others_readable(server: FakeComfy) -> None:
    deep = '{"input": {"required": {"x": ' + "[" * 200_000 + "]" * 200_000 + "}}}"
    server.answer("GET", "/object_info", status(200, json.dumps(SAVE)[:-1] + f', "Deep": {deep}}}'))
    engine = ComfyEngine(server.url)
    assert engine.refresh().state == "ok"
    assert engine.contract().nodes.keys() == {"SaveVideo"} and engine.contract().skipped.keys() == {"Deep"}


def test_new_model_files_appear_in_the_contract_immediately(server: FakeComfy) -> None:
    engine = ComfyEngine(server.url)
    engine.refresh()
    before = engine.known_contract()
    engine._models_read = 1.0  # long ago
    server.answer("GET", "/models", says(["vae"]))
    server.answer("GET", "/models/vae", says(["fresh.safetensors"]))
    assert engine.refresh().models == {"vae": ("fresh.safetensors",)}
    assert engine.known_contract() is not before and server.count("GET", "/object_info") == 2


class Cleared(ComfyEngine):
    """Another thread clears the contract after each time that it is looked at."""

    @property
    def _contract(self) -> tuple[float, Contract] | None:
        found, self.kept = self.kept, None
        return found

    @_contract.setter
    def _contract(self, value: tuple[float, Contract] | None) -> None:
        self.kept = value


def test_a_contract_that_another_thread_clears_meanwhile(server: FakeComfy) -> None:
    engine = Cleared(server.url)
    for ask in (engine.known_contract, engine.contract, engine.facts, Offers((engine,)).all, engine.refresh):
        engine.contract()
        assert ask()
