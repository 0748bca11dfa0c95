"""Reading /object_info: whatever one node says of itself, it costs that node and no other."""

from __future__ import annotations

import copy
import json
import math
import random
from typing import Any

import pytest

from backend.engines.base import EngineInfo
from backend.errors import MissingNode
from backend.jobs.preflight import preflight
from tests.support.compile_cases import compiled, image
from tests.support.paths import DATA
from tests.support.tiers import deep
from workflows.graph.node_contract import check, facts, from_object_info

INFO: dict[str, Any] = {
    name: node
    for path in sorted(DATA.glob("object_info*.json"))
    for name, node in json.loads(path.read_text()).items()
}
WHOLE = from_object_info(INFO)
ROUNDS = 100


def odd_values(random: random.Random) -> Any:
    return random.choice(
        [
            None, True, False, 0, -1, 1.5, "", "8", "\ud800", [], {}, [None], [[]], [{}], {"a": None},
            "COMBO", ["INT"], ["COMBO"], ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": None}]}],
            ["INT", {"step": None}], ["INT", None], float("nan"), math.inf, -math.inf, 10**400, -(10**400),
            10**5000, {"required": None}, {"required": []}, {"required": {"x": None}},
        ]
    )  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every field below a node's description, itself included."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def change(random: random.Random, info: dict[str, Any], name: str) -> None:
    """Puts something else in a random place of one node's description, or takes it away."""
    path = (name, *random.choice(places(info[name])))
    parent: Any = info
    for key in path[:-1]:
        parent = parent[key]
    if random.random() < 0.2 and len(path) > 1:
        del parent[path[-1]]
    else:
        parent[path[-1]] = odd_values(random)


@pytest.mark.full
@pytest.mark.parametrize("seed", [0, *map(deep, range(1, 4))])
def test_any_fault_in_a_description_costs_that_node_alone(seed: int) -> None:
    chance = random.Random(seed)
    job = compiled(image())
    for _ in range(ROUNDS):
        info = copy.deepcopy(INFO)
        touched = set(chance.sample(sorted(info), chance.randint(1, 3)))
        for name in touched:
            for _ in range(chance.randint(1, 3)):
                change(chance, info, name)
        contract = from_object_info(info)
        assert set(contract.nodes) | set(contract.skipped) >= set(info)
        for name in WHOLE.nodes.keys() - touched:
            assert contract.nodes[name] == WHOLE.nodes[name]
        facts(contract)
        for graph in job.graphs:  # what was read can be used
            for problem in check(graph, contract.offline()):
                assert problem.class_type in touched or problem.kind == "bad_link", problem


@pytest.mark.parametrize("info", [None, [], "x", 3, {}, {"A": None, "B": [], "C": 1}])
def test_what_is_no_description_at_all_has_no_nodes(info: Any) -> None:
    assert not from_object_info(info).nodes


@pytest.mark.parametrize(
    "spec",
    [
        ["INT", {"step": None}],
        ["INT", {"step": "1"}],
        ["INT", {"step": float("nan")}],
        ["INT", {"step": math.inf}],
        ["FLOAT", {"min": "0"}],
        ["FLOAT", {"max": float("nan")}],
        ["INT", {"max": 10**5000}],
        ["COMBO", {"options": "abc"}],
        [[{"a": 1}]],
        ["COMFY_DYNAMICCOMBO_V3", {"options": None}],
        ["COMFY_DYNAMICCOMBO_V3", {"options": [None]}],
        ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": ["a"]}]}],
        ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "a", "inputs": {"required": {"x": []}}}]}],
        [None],
        [],
        None,
        "INT",
    ],
)
def test_a_faulty_node_is_left_out_with_its_reason(spec: Any) -> None:
    info = {**INFO, "Faulty": {"input": {"required": {"x": spec}}, "output": ["IMAGE"]}}
    contract = from_object_info(info)
    assert "Faulty" not in contract.nodes and contract.skipped["Faulty"]
    assert set(contract.nodes) == set(INFO)


def test_nested_without_end() -> None:
    spec: Any = ["INT"]
    for _ in range(5000):
        spec = ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "a", "inputs": {"required": {"x": spec}}}]}]
    contract = from_object_info({**INFO, "Deep": {"input": {"required": {"x": spec}}}})
    assert set(contract.nodes) == set(INFO) and "deeply" in contract.skipped["Deep"]


def test_infinite_limits_limit_nothing() -> None:
    spec = ["INT", {"min": -math.inf, "max": math.inf, "step": 8}]
    contract = from_object_info({"N": {"input": {"required": {"x": spec}}, "output": []}})
    graph = {"1": {"class_type": "N", "inputs": {"x": 16}}}
    assert not contract.skipped and check(graph, contract) == ()


def test_the_error_for_a_faulty_node_names_it_and_says_why() -> None:
    info = copy.deepcopy(INFO)
    info["CreateVideo"]["input"]["required"]["fps"] = ["FLOAT", {"min": "0"}]
    contract = from_object_info(info).offline()
    where = EngineInfo("comfyui", "http://gpu:8188", state="ok", version="0.33.0")
    with pytest.raises(MissingNode) as caught:
        preflight("image_to_video", compiled(image()), contract, where)
    assert "CreateVideo" in caught.value.message and "cannot read" in caught.value.message
    assert "custom nodes" in caught.value.hint and "min of fps" in caught.value.detail
