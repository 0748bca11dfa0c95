"""Every field of every recorded node description, replaced by another type or removed."""

from __future__ import annotations

import copy
import json
import random
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.compile_cases import compiled, image
from tests.support.paths import DATA
from tests.support.tiers import deep
from workflows.graph.node_contract import check, facts, from_object_info

INFO: dict[str, Any] = {
    name: node
    for path in sorted(DATA.glob("object_info*.json"))
    for name, node in json.loads(path.read_text()).items()
}
GOOD = "CreateVideo"
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**400, "", "x", "\ud800", "8", [], [[]], [None],
    [{}], {}, {"x": None}, {"required": []}, ["INT"], ["COMBO", {"options": 5}], [["a", ["b"]]],
    ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": None}]}],
)  # fmt: skip


def fields(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field below a value; of a list of many texts, such as options, the first and last."""
    items = list(
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    if len(items) > 3 and all(isinstance(each, str) for _, each in items) and isinstance(value, list):
        items = [items[0], items[-1]]
    for key, inner in items:
        yield (*path, key)
        yield from fields(inner, (*path, key))


def changed(node: Any, path: tuple[Any, ...], value: Any = None, *, remove: bool = False) -> Any:
    made = copy.deepcopy(node)
    parent = made
    for key in path[:-1]:
        parent = parent[key]
    if remove:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return made


def variants(name: str, per_field: int) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, description) with one field removed or of another type; `per_field`: how many other types."""
    chance = random.Random(zlib.crc32(name.encode()))
    yield (), None
    for path in fields(INFO[name]):
        yield path, changed(INFO[name], path, remove=True)
        for value in chance.sample(ODD, per_field):
            yield path, changed(INFO[name], path, value)


@pytest.mark.parametrize("per_field", [1, deep(len(ODD))])
def test_no_field_of_a_description_raises_or_harms_another_node(per_field: int) -> None:
    good = from_object_info({GOOD: INFO[GOOD]}).nodes[GOOD]
    graphs = compiled(image()).graphs
    read = left_out = checked = 0
    for name in sorted(INFO.keys() - {GOOD}):
        own = {key: node for graph in graphs for key, node in graph.items() if node["class_type"] == name}
        for path, node in variants(name, per_field):
            contract = from_object_info({name: node, GOOD: INFO[GOOD]})
            assert contract.nodes[GOOD] == good, (name, path)
            assert (name in contract.nodes) != (name in contract.skipped), (name, path)
            facts(contract)
            for problem in check(own, contract.offline()) if own else ():
                assert problem.message and problem.class_type == name, (name, path)
                checked += 1
            if name in contract.skipped:
                left_out += 1
                reason = contract.skipped[name]
                assert reason and "\n" not in reason and len(reason) < 300, (name, path)
            else:
                read += 1
    assert read > 300 and left_out > 100 and checked > 100
