from __future__ import annotations

from workflows.graph.builder import Clip, Graph, Model, Output
from workflows.graph.label import Label
from workflows.graph.nodes import Nodes

LABEL = Label("load", "Loading")


def test_ids_count_from_one_in_order() -> None:
    graph = Graph()
    assert [graph.add("A", LABEL, {}), graph.add("B", LABEL, {}), graph.add("A", LABEL, {})] == [
        "1",
        "2",
        "3",
    ]
    assert list(graph.nodes) == list(graph.labels) == ["1", "2", "3"]


def test_handles_become_links_and_none_is_left_out() -> None:
    graph = Graph()
    graph.add("A", LABEL, {"model": Model("7", 2), "text": "", "zero": 0, "off": False, "wire": None})
    assert graph.nodes["1"] == {
        "class_type": "A",
        "inputs": {"model": ["7", 2], "text": "", "zero": 0, "off": False},
        "_meta": {"title": "Loading"},
    }


def test_cached_nodes_are_shared_by_class_and_inputs() -> None:
    graph = Graph()
    first = graph.add_cached("A", LABEL, {"x": 1, "model": Model("1")})
    assert graph.add_cached("A", Label("load", "Other"), {"model": Model("1"), "x": 1}) == first
    assert graph.add_cached("B", LABEL, {"x": 1, "model": Model("1")}) != first
    assert graph.add_cached("A", LABEL, {"x": 2, "model": Model("1")}) != first
    assert graph.add_cached("A", LABEL, {"x": 1, "model": Model("1", 1)}) != first
    assert graph.labels[first] is LABEL


def test_adding_never_shares() -> None:
    graph = Graph()
    assert graph.add("A", LABEL, {"x": 1}) != graph.add("A", LABEL, {"x": 1})


def test_handles_of_different_types_are_different() -> None:
    assert Model("1") != Clip("1")
    assert isinstance(Model("1"), Output) and Model("1") == Model("1", 0)


def test_loaders_are_shared_and_noted() -> None:
    nodes = Nodes()
    model = nodes.unet_loader("high.safetensors", "Loading")
    assert nodes.unet_loader("high.safetensors", "Loading again") == model
    nodes.lora_loader(model, "lora.safetensors", 1.0, "Loading")
    nodes.lora_loader(model, "lora.safetensors", 0.8, "Loading")
    assert nodes.models == ["high.safetensors", "lora.safetensors"]
    assert len(nodes.nodes) == 3
