"""Recipes in the files of finished jobs: what each carries, how it comes back, and that nothing private is in
it."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from backend.cli.compile import add_compile, run_compile
from backend.engines.base import Prompt
from backend.errors import BadInput, NotAllowed, NotFound
from backend.events import Event, Output
from backend.jobs.recipe import Lacking
from backend.jobs.views import JobView
from backend.media.metadata_keys import PROMPT, RECIPE
from backend.models import file_hashes
from backend.security import tokens
from backend.studio import Studio
from tests.backend.jobs.test_server_facts import ROLES, contract
from tests.backend.jobs.test_used_files import sha
from tests.support.boxes import mdta_texts
from tests.support.extensions import extended, made
from tests.support.fake_engine import FakeEngine
from tests.support.lora_files import write_lora
from tests.support.odd_results import quicktime
from tests.support.scripted import OWNER, SMALL, Make, ended
from tests.support.stores import own_names, put
from tests.support.waiting import until
from workflows.graph.node_contract import Contract, recorded

pytestmark = pytest.mark.full

TITLE = "boat-of-ann"
OTHER = "owner-token-of-another-1"
FAST = {**SMALL, "prompt": "A paper boat, <b>drifting</b> ü", "speed": "fast", "seed": 5}
STILL = {"prompt": "A paper boat", "width": 64, "height": 64, "seed": 7}


class Painter(FakeEngine):
    """Draws pictures too, and writes into its files what ComfyUI and its nodes may."""

    def __init__(self) -> None:
        super().__init__("http://gpu-of-ann.example:8188")

    def run(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        still = any(node["class_type"] == "SaveImage" for node in prompt.graph.values())
        self.outputs = (Output("a.png" if still else "a.mp4", "wan-studio"),)
        return super().run(prompt, on_event)

    def fetch(self, output: Output, destination: Path) -> None:
        if output.filename == "a.png":
            info = PngInfo()
            info.add_text("workflow", '{"extra": "/home/ann/boat-of-ann.png"}')
            node = next(n["inputs"] for n in self.prompts[-1].graph.values() if "width" in n["inputs"])
            picture = Image.new("RGB", (node["width"], node["height"]), (9, 90, 9))
            picture.save(destination, format="PNG", pnginfo=info)
        else:
            super().fetch(output, destination)


class Uncopied(Painter):
    """Writes videos that no MP4 can hold, and pictures that end too early."""

    def fetch(self, output: Output, destination: Path) -> None:
        super().fetch(output, destination)
        if output.filename == "a.png":
            destination.write_bytes(destination.read_bytes()[:-12])
        else:
            quicktime(destination)


def graphs(studio: Studio, job: JobView) -> Any:
    """The graphs in the job's folder."""
    return without_ids((studio.settings.jobs_dir / job.id / "workflow.json").read_text())


def without_ids(text: str) -> Any:
    """The JSON without the ids of jobs at the end of each filename_prefix."""
    return json.loads(re.sub(r"(wan-studio/[a-z_]+-)[0-9a-f]{32}", r"\1JOB", text))


def again(studio: Studio, path: Path) -> JobView:
    """A job made from nothing but a file."""
    found = studio.recipe(path)
    files = {name: source.path for name, source in studio.recipe_sources(OWNER, found).items()}
    return ended(studio, studio.submit(OWNER, found.mode, found.values, files))


def private(studio: Studio, job: JobView) -> list[str]:
    """What must not be in a file that leaves."""
    return [
        OWNER, tokens.owner_id(OWNER), job.key, str(studio.settings.data_dir), TITLE, "of-ann", "Fake GPU",
    ]  # fmt: skip


def test_results_carry_what_they_were_made_with(make: Make, picture: Path) -> None:
    studio = make(Painter())
    titles = {"image": f"{TITLE}.png"}
    submitted = {
        "video": studio.submit(OWNER, "image_to_video", FAST, {"image": picture}, titles=titles),
        "picture": studio.submit(OWNER, "text_to_image", STILL, {}),
        "sheet": studio.submit(OWNER, "text_to_image", STILL, {}, vary={"prompt": ["A boat", "A pond"]}),
    }
    for name, job in submitted.items():
        done = ended(studio, job)
        assert done.status == "done", (name, done.error)
        path = studio.result_path(done.id, done.key)
        assert done.bytes == path.stat().st_size
        found = studio.recipe(path)
        assert found == studio.recipe_of(OWNER, done.id, done.key), name
        assert (found.mode, found.values["seed"], found.left_out) == (done.mode, done.seed, ())
        assert found.values["prompt"] == done.params["prompt"]
        assert (found.result["width"], found.result["height"]) == (done.width, done.height)
        stored = graphs(studio, done)
        said = without_ids(json.dumps(found.graphs))
        assert said == (stored if isinstance(stored, list) else [stored])
        texts = mdta_texts(path) if path.suffix == ".mp4" else studio.decoder.metadata(path)
        assert texts.keys() == {RECIPE, PROMPT}
        assert json.loads(texts[PROMPT]) == found.graphs[0], "the graph that ComfyUI's page opens"
        for file in (path, *path.parent.glob("*.jpg"), path.parent / "workflow.json"):
            content = file.read_bytes()
            assert [one for one in private(studio, done) if one.encode() in content] == [], file.name
        repeated = again(studio, path)
        assert graphs(studio, repeated) == stored
        child = done.children[0] if done.children else None
        if child is not None:
            assert repeated.params["vary"] == {"prompt": ["A boat", "A pond"]}
            one = studio.recipe(studio.result_path(child.id, child.key))
            assert "vary" not in one.values and one.values["prompt"] == "A boat"


def test_inputs_are_found_by_their_content_for_their_owner_alone(make: Make, picture: Path) -> None:
    studio = make()
    done = ended(studio, studio.submit(OWNER, "image_to_video", FAST, {"image": picture}))
    found = studio.recipe(studio.result_path(done.id, done.key))
    sources = studio.recipe_sources(OWNER, found)
    assert sources["image"].path.read_bytes() == picture.read_bytes()
    assert studio.recipe_lacks(OWNER, found) == ()
    for stranger in (OTHER, "", "no token"):
        assert studio.recipe_sources(stranger, found) == {}
        assert studio.recipe_lacks(stranger, found) == (Lacking("file", "image", "image"),)
    with pytest.raises(NotAllowed):
        studio.recipe_of(OTHER, done.id, done.key)
    with pytest.raises(NotFound):
        studio.recipe_of(OWNER, done.id, "wrong")
    studio.delete(OWNER, done.id, done.key)
    assert studio.recipe_sources(OWNER, found) == {}


def test_a_joined_video_has_the_recipe_of_its_clip_and_of_each_part(make: Make, picture: Path) -> None:
    studio = make()
    job = extended(studio, made(studio, picture, motion="subtle"))
    path = studio.result_path(job.id, job.key)
    found = studio.recipe(path)
    assert found == studio.recipe_of(OWNER, job.id, job.key)
    assert (found.mode, found.values["motion"], len(found.graphs)) == ("image_to_video", "subtle", 2)
    assert found.result["frames"] == job.frames and found.media["image"].sha256
    parts = json.loads(mdta_texts(path)["wan_studio"])["parts"]
    assert [part["seed"] for part in parts] == [part.seed for part in job.parts]
    content = path.read_bytes()
    assert not any(one.encode() in content for one in (OWNER, job.key, str(studio.settings.data_dir)))
    assert again(studio, path).status == "done"


class Local(Painter):
    """A ComfyUI of this machine with the files of a store."""

    def __init__(self, store: Path) -> None:
        super().__init__()
        self.address, self._store = "http://127.0.0.1:8188", store
        self._found = contract(store)

    def contract(self) -> Contract:
        return self._found

    known_contract = contract


INK = "my/ink_high.safetensors"
TEXT = {**SMALL, "prompt": "A boat", "speed": "fast", "seed": 5, "loras": [{"name": INK, "strength": 0.5}]}


def test_results_name_their_models_and_loras_by_their_content(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "home-of-ann" / "models"
    for path in own_names(*ROLES).values():
        put(store, path)
    ink = store / "loras" / INK
    low = write_lora(store / "loras" / "my" / "ink_low.safetensors", seed=2)
    ink.symlink_to(write_lora(tmp_path / "disk-of-ann" / "brush.safetensors", seed=1))
    engine = Local(store)
    studio = make(engine, WAN_MODELS_DIR=str(store))
    hashes = studio.settings.data_dir / file_hashes.NAME

    def hashed() -> bool:
        return hashes.exists() and len(json.loads(hashes.read_text())) == len(ROLES) + 2

    engine.script = lambda prompt, on_event: until(hashed) and None
    done = ended(studio, studio.submit(OWNER, "text_to_video", TEXT, {}))
    assert done.status == "done", done.error
    path = studio.result_path(done.id, done.key)
    found = studio.recipe(path)
    assert found == studio.recipe_of(OWNER, done.id, done.key)
    read = {str(file.relative_to(store)): sha(file) for file in store.rglob("*.safetensors")}
    assert {model.sha256 for model in found.models} | {sha(ink), sha(low)} == set(read.values())
    assert len(found.models) == 6 and not any(model.published for model in found.models)
    (lora,) = found.loras
    assert lora.partner is not None and (lora.sha256, lora.partner.sha256) == (sha(ink), sha(low))
    assert studio.recipe_lacks(OWNER, found) == () and studio.recipe_here(found) == found
    content = path.read_bytes()
    assert not [one for one in (*private(studio, done), str(store)) if one.encode() in content]
    assert str(store) not in json.dumps(done.record())
    before, engine.script = hashes.stat(), None
    ended(studio, studio.submit(OWNER, "text_to_video", {**TEXT, "seed": 6}, {}))
    assert hashes.stat() == before, "no file is hashed again"

    moved = store / "loras" / "theirs" / "brush_high.safetensors"
    moved.parent.mkdir()
    ink.rename(moved)
    low.rename(moved.with_name("brush_low.safetensors"))
    engine._found = contract(store)
    (lack,) = studio.recipe_lacks(OWNER, found)
    assert (lack.kind, lack.name, lack.here) == ("renamed_lora", INK, "theirs/brush_high.safetensors")
    here = studio.recipe_here(found)
    repeated = ended(studio, studio.submit(OWNER, here.mode, here.values, {}))
    assert repeated.status == "done" and repeated.resolved["steps"] == done.resolved["steps"]
    again = studio.recipe(studio.result_path(repeated.id, repeated.key))
    assert [one.sha256 for one in again.loras] == [lora.sha256]
    parser = argparse.ArgumentParser()
    add_compile(parser.add_subparsers())
    written, foreign = json.loads(studio.decoder.metadata(path)[RECIPE]), tmp_path / "recipe.json"
    names = {model["role"]: model for model in written["models"]}
    high = names["t2v_high"]["name"]
    for role, name in (("t2v_high", "smooth_high.safetensors"), ("t2v_low", "theirs/smooth_low_Q4.gguf")):
        names[role]["name"] = written["resolved"]["files"][role] = name
    names["t2v_low"]["sha256"] = "ab" * 32
    foreign.write_text(json.dumps(written))
    assert run_compile(parser.parse_args(["compile", "--recipe", str(foreign)]), lambda: studio.settings) == 0
    printed = capsys.readouterr()
    assert "theirs/brush_high.safetensors" in printed.out and INK not in printed.out
    assert f'"{high}"' in printed.out and "smooth_high" not in printed.out, "the file with its content"
    assert "theirs/smooth_low_Q4.gguf" in printed.out, "as the recipe has it"
    assert f"smooth_high.safetensors is called {high} on this machine." in printed.err
    assert f"{INK} is called theirs/brush_high.safetensors on this machine." in printed.err


def test_without_the_setting_results_carry_nothing(make: Make, picture: Path, tmp_path: Path) -> None:
    store = tmp_path / "m"
    put(store, own_names("vae")["vae"])
    engine = Local(store)
    engine._found = recorded()
    studio = make(engine, WAN_RECIPES="0", WAN_MODELS_DIR=str(store))
    for mode, values, files in (("image_to_video", FAST, {"image": picture}), ("text_to_image", STILL, {})):
        done = ended(studio, studio.submit(OWNER, mode, values, files))
        path = studio.result_path(done.id, done.key)
        assert studio.decoder.metadata(path) == {}
        with pytest.raises(BadInput):
            studio.recipe(path)
        assert studio.recipe_of(OWNER, done.id, done.key).values["prompt"] == values["prompt"]
    assert not (studio.settings.data_dir / file_hashes.NAME).exists(), "no file is hashed"


def test_what_an_engine_says_of_itself_never_leaves(make: Make, picture: Path) -> None:
    studio = make(Uncopied())
    for mode, values, files in (("image_to_video", FAST, {"image": picture}), ("text_to_image", STILL, {})):
        done = ended(studio, studio.submit(OWNER, mode, values, files))
        path = studio.result_path(done.id, done.key)
        assert (done.status, done.bytes) == ("done", path.stat().st_size), done.error
        assert studio.decoder.metadata(path) == {} and b"of-ann" not in path.read_bytes()


def test_the_command_prints_the_graph_of_a_file(
    make: Make, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studio = make()
    done = ended(studio, studio.submit(OWNER, "image_to_video", FAST, {"image": picture}))
    path = studio.result_path(done.id, done.key)
    parser = argparse.ArgumentParser()
    add_compile(parser.add_subparsers())
    assert run_compile(parser.parse_args(["compile", "--recipe", str(path)])) == 0
    printed, stored = json.loads(capsys.readouterr().out), graphs(studio, done)
    assert printed.keys() == stored.keys()
    for node, node_made in stored.items():
        if node_made["class_type"] not in ("LoadImage", "SaveVideo"):  # which name files
            assert printed[node] == node_made
    graph = tmp_path / "graph.json"
    graph.write_text(json.dumps(stored))
    assert run_compile(parser.parse_args(["compile", "--recipe", str(graph)])) == 0
    for wrong in ([], ["image_to_video", "--recipe", str(path)], ["--recipe", str(tmp_path / "none.mp4")]):
        assert run_compile(parser.parse_args(["compile", *wrong])) == 2
    assert "Traceback" not in capsys.readouterr().err
