"""Recipes: every golden job comes back from its recipe as the same graphs, and nothing private is in one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from backend.errors import BadInput
from backend.jobs import recipe, recipes
from backend.jobs.job import VARIATIONS
from backend.jobs.params import make_params
from backend.jobs.recipe import Recipe
from tests.support import compile_cases as cases
from tests.support.recipe_jobs import DIGEST
from tests.support.recipe_jobs import finished_job as job
from tests.support.round_trips import ONE, OTHER, changed_trips, golden, made_with, media_of, other_values
from ui.api.recipe_endpoint import arguments
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES
from workflows.modes.settings_json import to_json

SERVERS = golden()


def round_trip(written: dict[str, Any]) -> Recipe:
    return recipe.from_json(json.loads(json.dumps(written)))


@pytest.mark.parametrize("name", SERVERS)
def test_every_golden_job_comes_back(name: str) -> None:
    params, server = SERVERS[name]
    made = made_with(params, server)
    found = round_trip(recipes.recipe_of(job(params, made), made.graphs))
    media = {name: one for name in MODES[params.MODE].media if (one := getattr(params, name)) is not None}
    again = make_params(found.mode, found.values, media)
    assert again == params
    text = json.dumps(made_with(again, server, OTHER).graphs)
    assert text.replace(OTHER, ONE) == json.dumps(made.graphs)
    assert json.dumps(found.graphs) == json.dumps(made.graphs)
    assert found.left_out == () and found.media.keys() == media.keys()
    assert all(file.sha256 == DIGEST for file in found.media.values())
    used = {*made.resolved.files.values(), *made.resolved.detectors.values()}
    assert {model.name for model in found.models} == used
    assert (found.engine, found.comfyui) == ("comfyui", "0.33.1")


@pytest.mark.parametrize("mode", MODES)
def test_every_parameter_comes_back(mode: str) -> None:
    changed: set[str] = set()
    for trip in changed_trips(mode):
        made = made_with(trip.params, trip.server)
        found = round_trip(recipes.recipe_of(job(trip.params, made), made.graphs))
        media = media_of(trip.params)
        assert make_params(found.mode, found.values, media) == trip.params, trip.name
        answer = json.loads(json.dumps(arguments(found)))
        assert make_params(found.mode, answer, media) == trip.params, f"/recipe, {trip.name}"
        changed.add(trip.name.partition("=")[0])
    assert changed == {field.name for field in MODES[mode].fields}, "no job of the mode takes another value"


PRIVATE = re.compile(r'"(?:/|~|[A-Za-z]:[\\/]|file:|https?:)|ann\b|owner|key', re.IGNORECASE)
"""Paths, addresses, and what the jobs of these tests hold of their owner."""


@pytest.mark.parametrize("name", SERVERS)
def test_nothing_private_is_in_a_recipe(name: str) -> None:
    params, server = SERVERS[name]
    made = made_with(params, server)
    written = recipes.recipe_of(job(params, made), made.graphs)
    plain = json.dumps(written, ensure_ascii=False).replace("SDPoseKeypoint", "").replace("_keypoint", "")
    assert PRIVATE.findall(plain.replace("DrawKey", "").replace("keypoints", "")) == []


def test_a_lora_that_is_named_by_its_path_is_named_by_its_file_alone() -> None:
    """The paths of a creator's own computer, as they are copied from its windows."""
    params, server = SERVERS["text_to_video-own_loras"]
    folders = ("C:\\Users\\ann\\loras\\", "d:/ann/", "~/ann/", "~ann/", "$HOME/ann/", "%USERPROFILE%\\ann\\")
    for folder in folders:
        named = replace(params, loras=[{"name": f"{folder}{cases.ORBIT}"}])
        made = made_with(named, server)
        written = json.dumps(recipes.recipe_of(job(named, made), made.graphs))
        assert PRIVATE.findall(written) == [] and cases.ORBIT in written


def test_hashes_are_those_of_the_published_files() -> None:
    params, server = SERVERS["image_to_video-fast"]
    made = made_with(params, server)
    known = {file.name: file.sha256 for file in load_catalog().files}
    found = round_trip(recipes.recipe_of(job(params, made), made.graphs))
    assert found.models and all(model.sha256 == known[model.name] for model in found.models)
    assert any(model.sha256 for model in found.models)


def test_variations_have_what_differs_and_all_graphs() -> None:
    params, server = SERVERS["image_to_video-fast"]
    made = made_with(params, server)
    child = job(params, made)
    several = {"variations": 2, "vary": {"motion": ["subtle", "dynamic"]}}
    parent = replace(child, id=OTHER, params={**child.params, **several}, assembly=VARIATIONS, engine="")
    found = round_trip(recipes.recipe_of(parent, [*made.graphs, *made.graphs], [child, child]))
    assert found.values["variations"] == 2 and found.values["vary"] == {"motion": ["subtle", "dynamic"]}
    assert len(found.graphs) == 2 and found.models and found.comfyui == "0.33.1"


@pytest.mark.parametrize("mode", MODES)
def test_what_variations_differ_in_comes_back(mode: str) -> None:
    params, server = next(one for one in SERVERS.values() if mode == one[0].MODE)
    made = made_with(params, server)
    child = job(params, made)
    varied = [field for field in MODES[mode].fields if field.varies]
    assert varied
    for field in varied:
        vary = {field.name: [field.default, *other_values(field)][:9]}
        parent = replace(child, id=OTHER, params={**child.params, "vary": vary}, assembly=VARIATIONS)
        found = round_trip(recipes.recipe_of(parent, [], [child]))
        assert found.left_out == ()
        for returned in (found.values["vary"], json.loads(arguments(found)["vary"])):
            assert [field.check(one) for one in returned[field.name]] == [
                field.check(one) for one in vary[field.name]
            ]


def test_graphs_beyond_the_limit_are_left_out() -> None:
    params, server = SERVERS["text_to_image-wan"]
    made = made_with(params, server)
    large = {"1": {"class_type": "Note", "inputs": {"text": "x" * 400_000}}}
    assert len(recipes.recipe_of(job(params, made), [large] * 5)["graphs"]) == 2


NODE = {"class_type": "A", "inputs": {}}
NOT_RECIPES: dict[str, Any] = {
    "none": None, "list": [], "text": "x", "empty": {}, "version": {"version": "1"}, "zero": {"version": 0},
    "true": {"version": True, "settings": {}}, "later": {"version": recipe.VERSION + 1},
    "settings": {"version": 1, "settings": []},
    "mode": {"version": 1, "settings": {"version": 3, "mode": "<b>", "values": {}}},
    "later settings": {"version": 1, "settings": {"version": 99, "mode": "text_to_video", "values": {}}},
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_RECIPES)
def test_what_is_no_recipe_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        recipe.from_json(NOT_RECIPES[name])
    later = name.startswith("later")
    assert ("later version" in caught.value.message) == later and caught.value.message.endswith(".")


def test_forged_parts_are_left_out() -> None:
    given = {
        "version": 1,
        "settings": to_json("image_to_video", {"prompt": "<b>x</b>", "steps": "1e9"}),
        "media": {"image": {"sha256": "../../etc", "width": 1e300}, "<script>": {}, "end_image": 4},
        "graphs": [5, {}, {"1": 3}, {"1": {"class_type": 4, "inputs": {}}}, {"1": NODE}],
        "models": [{"name": 5}, "x", {"name": "a\n" + "b" * 10_000, "sha256": "zz"}], "loras": {"a": 1},
        "result": {"width": float("nan"), "height": True, "fps": "16"}, "resolved": [], "comfyui": "x" * 999,
    }  # fmt: skip
    found = recipe.from_json(given)
    assert found.values == {"prompt": "<b>x</b>"} and found.left_out == ("steps",)
    assert found.media.keys() == {"image", "end_image"} and found.media["image"].sha256 == ""
    assert found.media["image"].measures == {} and found.result == {} and found.loras == ()
    assert found.graphs == ({"1": NODE},)
    assert [len(model.name) for model in found.models] == [recipe.NAME_MAX - 1]
    assert len(found.comfyui) == 40 and json.dumps(found.record())
