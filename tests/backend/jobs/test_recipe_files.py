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
from backend.security import tokens
from backend.studio import Studio
from tests.support.boxes import mdta_texts
from tests.support.extensions import extended, made
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended

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


def test_without_the_setting_results_carry_nothing(make: Make, picture: Path) -> None:
    studio = make(Painter(), WAN_RECIPES="0")
    for mode, values, files in (("image_to_video", FAST, {"image": picture}), ("text_to_image", STILL, {})):
        done = ended(studio, studio.submit(OWNER, mode, values, files))
        path = studio.result_path(done.id, done.key)
        assert studio.decoder.metadata(path) == {}
        with pytest.raises(BadInput):
            studio.recipe(path)
        assert studio.recipe_of(OWNER, done.id, done.key).values["prompt"] == values["prompt"]


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
