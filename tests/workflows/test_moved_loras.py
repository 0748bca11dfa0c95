"""A LoRA in another folder than when a job was made: found by its name, or refused with the paths."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.notices import words
from tests.support.compile_cases import animated, compiled, image, sound, still
from tests.workflows.test_own_loras import chains, lora_server
from workflows.catalog import load_catalog
from workflows.compile import Resolved, ServerFacts, compile, model_obstacle
from workflows.graph.lora_file import Found, LoraFile, find
from workflows.spec import ModeParams

NEW = "new/styles/ink.safetensors"


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("a/ink.pt", ("a/ink.pt", "b/ink.pt"), Found("a/ink.pt")),
        ("A\\INK.pt", ("a/ink.pt", "b/ink.pt"), Found("a/ink.pt")),
        ("old/ink.pt", ("b/ink.pt", "b/other.pt"), Found("b/ink.pt", True)),
        ("ink.pt", ("b/ink.pt",), Found("b/ink.pt", True)),
        ("old/ink.pt", ("ink.pt",), Found("ink.pt", True)),
        ("old\\ink.pt", ("b\\INK.pt",), Found("b\\INK.pt", True)),
        ("ink", ("b/ink.pt",), Found("b/ink.pt")),
        ("old/ink", ("b/ink.pt",), Found("b/ink.pt", True)),
        ("old/ink.pt", ("c/ink.pt", "b/ink.pt"), Found(namesakes=("b/ink.pt", "c/ink.pt"))),
        ("ink", ("c/ink.pt", "b/ink.safetensors"), Found(namesakes=("b/ink.safetensors", "c/ink.pt"))),
        ("old/ink.pt", ("b/inks.pt", "b/ink.safetensors"), Found()),
        ("old/high/ink.pt", ("new/high/ink.pt", "new/low/ink.pt"), Found("new/high/ink.pt", True)),
        ("old/ink.pt", (), Found()),
    ],
)
def test_a_name_in_a_list(name: str, names: tuple[str, ...], found: Found) -> None:
    assert find(name, names) == found


@pytest.mark.parametrize("make", [image, sound, animated, still])
def test_a_moved_lora_is_used_with_a_warning(make: type) -> None:
    params: ModeParams = make(loras=["old/ink.safetensors"])
    server = lora_server(NEW, "other.safetensors")
    made = compiled(params, server=server)
    assert model_obstacle(params, made, server) is None
    assert all(NEW in dict(chain) and "old" not in str(chain) for chain in chains(params, server))
    said = [words(one) for one in made.warnings if one.code == "lora_moved"]
    assert said == [f"The LoRA old/ink.safetensors was not found there: {NEW} is used, which has its name."]


def test_a_pair_that_moved_stays_a_pair() -> None:
    names = ("new/ink_high.safetensors", "new/ink_low.safetensors")
    params = image(loras=["old/ink_low.safetensors"])
    assert chains(params, lora_server(*names)) == [[(names[0], 1.0)], [(names[1], 1.0)]]


def test_two_files_of_one_name_are_refused_with_both_paths() -> None:
    params = image(loras=["old/ink.safetensors"])
    server = lora_server("b/ink.safetensors", "a/ink.safetensors")
    obstacle = model_obstacle(params, compiled(params, server=server), server)
    assert words(obstacle) == (
        "The LoRA old/ink.safetensors was not found there, and several files have its name:"
        " a/ink.safetensors, b/ink.safetensors. Choose one of them."
    )


def with_files(server: ServerFacts, *files: LoraFile) -> ServerFacts:
    return replace(server, loras={file.name: file for file in files})


def test_two_files_of_one_content_are_one() -> None:
    one, other = "a/ink.safetensors", "b/ink.safetensors"
    server = with_files(lora_server(one, other), LoraFile(one, twins=(other,)), LoraFile(other, twins=(one,)))
    params = image(loras=["old/ink.safetensors"])
    assert model_obstacle(params, compiled(params, server=server), server) is None
    assert chains(params, server)[0] == [(one, 1.0)]


def repeated(params: ModeParams, first: ServerFacts, second: ServerFacts) -> tuple[list[str], list[str]]:
    """(LoRAs of the repetition, what is said of them and is gone) of a job that ran on the first server."""
    kept = Resolved.from_json(compiled(params, server=first).resolved.to_json())
    made = compile(params, load_catalog(), second, "again", kept)
    used = [
        node["inputs"]["lora_name"]
        for node in made.graphs[0].values()
        if node["class_type"] == "LoraLoaderModelOnly"
    ]
    obstacle = model_obstacle(params, made, second, kept)
    found = [one for one in (*made.warnings, obstacle) if one is not None]
    gone = [name for one in found if one.code == "earlier_run_gone" for name in one.args[0][1]]
    said = [one.code for one in found if one.code.startswith("lora_")]
    return used, said + [name for name in gone if "ink" in name]


def test_a_repeated_job_finds_its_lora_by_name_and_size() -> None:
    params = sound(loras=["old/ink.safetensors"])
    old = with_files(lora_server("old/ink.safetensors"), LoraFile("old/ink.safetensors", size=70))
    assert compiled(params, server=old).resolved.sizes == {"old/ink.safetensors": 70}
    used, said = repeated(params, old, lora_server(NEW))
    assert used == [NEW] and said == ["lora_moved"]
    first, second = LoraFile("b/ink.safetensors", size=90), LoraFile("c/ink.safetensors", size=70)
    two = with_files(lora_server(first.name, second.name), first, second)
    used, said = repeated(params, old, two)
    assert used == [second.name] and said == ["lora_moved"]
    unknown = lora_server(first.name, second.name)
    _, said = repeated(params, old, unknown)
    assert said == ["lora_ambiguous", "old/ink.safetensors"]


@pytest.mark.parametrize("data", [None, [], {"x": -1}, {"x": "1"}, {"x": True}])
def test_sizes_that_are_none_are_not_read(data: object) -> None:
    stored = {**Resolved().to_json(), "values": {"a": 1}, "sizes": data}
    found = Resolved.from_json(stored)
    assert found is not None and found.sizes == {}
