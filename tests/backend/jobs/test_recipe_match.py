"""Files of a recipe are found here by their content: under another name, in another folder, and not by name
alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.jobs.recipe import Recipe, RecipeLora, RecipeModel
from backend.jobs.recipe_match import Disk, Matched, matched
from backend.models.file_hashes import FileHashes
from backend.models.hasher import Hasher, computed
from backend.models.roots import Roots
from tests.support.lora_files import write_lora
from tests.support.stores import put
from tests.support.waiting import SECONDS
from ui.views.recipe import lacking_text
from workflows.catalog import load_catalog

ROLE = "t2v_high"
OWN = load_catalog().file(ROLE).name
INK, GRAIN = "my/ink.safetensors", "grain.safetensors"


class Counting:
    def __init__(self) -> None:
        self.read: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def __call__(self, path: Path, on_bytes: Callable[[int], None]) -> str:
        self.read.append(path.name)
        assert self.hold.wait(SECONDS)
        return computed(path, on_bytes)


class Machine:
    """A store with two LoRAs of one size, another LoRA, and two models of one size."""

    def __init__(self, store: Path) -> None:
        self.store, self.counting = store, Counting()
        self.hasher = Hasher(FileHashes(), self.counting)
        write_lora(store / "loras" / INK, seed=1)
        write_lora(store / "loras" / GRAIN, seed=2)
        write_lora(store / "loras" / "wide.safetensors", width=512)
        put(store, f"diffusion_models/{OWN}")
        put(store, "diffusion_models/wan2.2_t2v_low_other.safetensors", "t2v")
        self.used = {ROLE: OWN}

    def match(self, found: Recipe, seconds: float = SECONDS) -> Matched:
        roots = Roots(self.store)
        lists = {folder: tuple(roots.names(folder)) for folder in ("loras", "diffusion_models")}
        return matched(found, Disk(roots, lists, self.used), self.hasher, seconds)

    def lora(self, name: str, asked: str = "", **more: Any) -> RecipeLora:
        """A LoRA with the content of one of the store, as a recipe names it."""
        sha256, size = self.facts(f"loras/{name}")
        return RecipeLora(asked or name, sha256, size, **more)

    def model(self, name: str, asked: str = "", published: bool = False) -> RecipeModel:
        sha256, size = self.facts(f"diffusion_models/{name}")
        return RecipeModel(asked or name, ROLE, sha256, size, published)

    def facts(self, path: str) -> tuple[str, int]:
        content = (self.store / path).read_bytes()
        return hashlib.sha256(content).hexdigest(), len(content)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "m")
    yield made
    made.counting.hold.set()
    made.hasher.close()


def with_loras(*loras: RecipeLora, **more: Any) -> Recipe:
    text = json.dumps([{"name": one.name, "strength": 0.5, "strength_low": 0.25} for one in loras])
    return Recipe("text_to_video", {"loras": text, **more}, loras=loras)


def names(found: Matched) -> list[str]:
    return [one["name"] for one in json.loads(found.recipe.values["loras"])]


def said(found: Matched) -> list[tuple[str, str, str]]:
    assert all(lacking_text("text_to_video", one) for one in found.notices)
    return [(one.kind, one.name, one.here) for one in found.notices]


def test_a_lora_of_the_same_name_and_content_is_not_mentioned(here: Machine) -> None:
    found = here.match(with_loras(here.lora(INK)))
    assert (said(found), names(found)) == ([], [INK])
    assert here.counting.read == ["ink.safetensors"], "the others of its size are not read"
    moved = here.match(with_loras(here.lora(INK, "ink.safetensors")))
    assert said(moved) == [] and here.counting.read == ["ink.safetensors"]


def test_a_lora_is_found_by_its_content(here: Machine) -> None:
    recipe = with_loras(here.lora(INK, "theirs\\brush.safetensors"), vary={"loras": ["", ""]})
    text = recipe.values["loras"]
    recipe.values["vary"] = {"loras": [text, text.replace("0.5", "0.9")]}
    found = here.match(recipe)
    assert said(found) == [("renamed_lora", "theirs\\brush.safetensors", INK)] and names(found) == [INK]
    assert json.loads(found.recipe.values["loras"])[0]["strength_low"] == 0.25
    several = [json.loads(one)[0] for one in found.recipe.values["vary"]["loras"]]
    assert [(one["name"], one["strength"]) for one in several] == [(INK, 0.5), (INK, 0.9)]
    assert sorted(here.counting.read) == ["grain.safetensors", "ink.safetensors"], "of its size alone"
    again = here.match(recipe)
    assert said(again) == said(found) and len(here.counting.read) == 2, "hashed once"
    assert recipe.loras == found.recipe.loras, "what the recipe says stays"
    recipe.values["loras"] = ""
    (varied, _) = here.match(recipe).recipe.values["vary"]["loras"]
    assert json.loads(varied)[0]["name"] == INK, "also where variations differ in it alone"


def test_another_file_of_the_same_name_is_not_taken_for_it(here: Machine) -> None:
    mine = here.lora(INK)
    write_lora(here.store / "loras" / INK, seed=7)
    assert said(here.match(with_loras(mine))) == [("other_lora", INK, "")]
    longer = replace(mine, bytes=mine.bytes + 1)
    reads = len(here.counting.read)
    assert said(here.match(with_loras(longer))) == [("other_lora", INK, "")]
    assert len(here.counting.read) == reads, "another size is another file"
    copy = here.store / "loras" / "old" / "copy.safetensors"
    write_lora(copy, seed=1)
    found = here.match(with_loras(mine))
    assert said(found) == [("renamed_lora", INK, "old/copy.safetensors")]
    assert names(found) == ["old/copy.safetensors"]
    gone = here.match(with_loras(RecipeLora("none.safetensors", "ab" * 32, 5)))
    assert said(gone) == [] and names(gone) == ["none.safetensors"], "which the server's list tells"


def test_of_several_files_of_its_name_the_one_with_its_content_is_used(here: Machine) -> None:
    for number in (3, 4):
        write_lora(here.store / "loras" / str(number) / "twin.safetensors", seed=number)
    found = here.match(with_loras(here.lora("4/twin.safetensors", "twin.safetensors")))
    assert said(found) == [("renamed_lora", "twin.safetensors", "4/twin.safetensors")]


def test_two_names_of_one_content_are_not_made_one(here: Machine) -> None:
    loras = here.lora(INK, "a.safetensors"), here.lora(INK, "b.safetensors")
    found = here.match(with_loras(*loras))
    assert names(found) == [INK, "b.safetensors"]


def test_the_other_file_of_a_pair(here: Machine) -> None:
    for name, seed in (("pair_high_noise.safetensors", 5), ("pair_low_noise.safetensors", 6)):
        write_lora(here.store / "loras" / name, seed=seed)
    sha256, size = here.facts("loras/pair_low_noise.safetensors")
    pair = RecipeModel("pair_low_noise.safetensors", "", sha256, size)
    high = here.lora("pair_high_noise.safetensors", partner=pair)
    assert said(here.match(with_loras(high))) == []
    write_lora(here.store / "loras" / pair.name, seed=8)
    assert said(here.match(with_loras(high))) == [("other_lora", pair.name, "")]
    (here.store / "loras" / pair.name).unlink()
    assert said(here.match(with_loras(high))) == [("lora", pair.name, "")]


def test_what_takes_long_goes_on_and_is_known_the_next_time(here: Machine) -> None:
    recipe = with_loras(here.lora(INK, "brush.safetensors"))
    here.counting.hold.clear()
    assert said(here.match(recipe, 0.05)) == [("unread_lora", "brush.safetensors", "")]
    here.counting.hold.set()
    assert said(here.match(recipe)) == [("renamed_lora", "brush.safetensors", INK)]
    assert len(here.counting.read) == 2


def test_models(here: Machine) -> None:
    def of(model: RecipeModel) -> Matched:
        return here.match(Recipe("text_to_video", {}, models=(model,)))

    other = "wan2.2_t2v_low_other.safetensors"
    assert of(here.model(OWN)).models == {ROLE: OWN} and said(of(here.model(OWN))) == []
    renamed = of(here.model(OWN, "smooth.safetensors"))
    assert said(renamed) == [("renamed_model", "smooth.safetensors", OWN)] and renamed.models == {ROLE: OWN}
    unused = of(here.model(other, "smooth.safetensors"))
    assert said(unused) == [("unused_model", "smooth.safetensors", other)]
    assert unused.models == {ROLE: other} and unused.notices[0].used == OWN
    changed = replace(here.model(OWN), sha256="ab" * 32)
    assert said(of(changed)) == [("other_model", OWN, "")]
    assert said(of(replace(changed, published=True))) == [], (
        "the used file was never hashed: nothing to compare"
    )
    assert said(of(replace(changed, sha256=""))) == [] == said(of(replace(changed, role="none")))
    elsewhere = of(replace(changed, name="elsewhere.safetensors", bytes=1))
    assert said(elsewhere) == [], "which the server's list tells"


def test_a_published_file_is_not_read_to_be_recognised(here: Machine, tmp_path: Path) -> None:
    known = next(file for file in load_catalog().files if file.role == ROLE)
    path = here.store / "diffusion_models" / OWN
    with path.open("r+b") as file:
        file.truncate(known.bytes)  # without data on the disk
    model = RecipeModel(OWN, ROLE, known.sha256, known.bytes)
    found = here.match(Recipe("text_to_video", {}, models=(model,)))
    assert (said(found), found.models, here.counting.read) == ([], {ROLE: OWN}, [])


def test_forged_recipes_make_nothing_of_it(here: Machine) -> None:
    for name in ("../../etc/passwd", "/etc/passwd", "\0", "a" * 400):
        lora = RecipeLora(name, "ab" * 32, 5)
        found = here.match(Recipe("text_to_video", {"loras": "[5"}, loras=(lora,)))
        assert found.notices == () and found.recipe.values == {"loras": "[5"}
        here.match(Recipe("text_to_video", {}, models=(RecipeModel(name, ROLE, "ab" * 32, 5),)))
    shutil.rmtree(here.store)
    assert said(here.match(with_loras(RecipeLora(INK, "ab" * 32, 5)))) == []
    assert here.counting.read == []
