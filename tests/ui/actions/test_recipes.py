"""A file that carries its recipe fills the form of its mode; what is not here is said beside its field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from backend.jobs.recipe import Lacking, Recipe
from backend.jobs.views import SourceFile
from tests.support.fake_studio import FakeStudio
from ui import page as layout
from ui.actions.recipes import Recipes
from workflows.modes.settings_json import to_json

OWNER = "owner-token-of-a-fake-studio-0001"
VALUES = {"prompt": "<b>A boat</b>", "seed": 42, "seconds": 3.5, "speed": "quality", "steps": 30, "cfg": 0.0}
GRAPH = {"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "a lake"}}}


def recipe(values: dict[str, Any] = VALUES, mode: str = "image_to_video", **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "settings": to_json(mode, values),
        "media": {"image": {"sha256": "ab" * 32}},
        **more,
    }


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The page, its studio, the handler, and a folder of uploads."""
    folder = tmp_path_factory.mktemp("recipes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        (folder / "uploads" / "1").mkdir(parents=True)
        studio: Any = FakeStudio()
        page = layout._Page(studio)
        yield SimpleNamespace(
            page=page, studio=studio, folder=folder, recipes=Recipes(studio, page.fill, page.offers)
        )


@pytest.fixture(autouse=True)
def plain(scene: SimpleNamespace) -> None:
    scene.studio.recipe_files, scene.studio.lacks = {}, ()
    scene.studio.as_here = lambda found: found


def picture(scene: SimpleNamespace, texts: dict[str, str], name: str = "boat.png") -> Path:
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    path: Path = scene.folder / "uploads" / "1" / name
    Image.new("RGB", (64, 48), (9, 90, 90)).save(path, pnginfo=info)
    return path


def restored(scene: SimpleNamespace, path: Any) -> dict[Any, Any]:
    updates: dict[Any, Any] = scene.recipes.restore(OWNER, SimpleNamespace(_data={"path": str(path)}))
    return updates


def notes(scene: SimpleNamespace, updates: dict[Any, Any]) -> dict[str, Any]:
    html = updates[scene.page.offers]
    found: dict[str, Any] = json.loads(unescape(html.partition('data-recipe-notes="')[2].partition('"')[0]))
    return found


def value(updates: dict[Any, Any], widget: Any) -> Any:
    found = updates[widget]
    return found.get("value") if isinstance(found, dict) else getattr(found, "value", found)


def test_every_field_of_the_mode_is_filled(scene: SimpleNamespace) -> None:
    path = picture(scene, {"wan_studio": json.dumps(recipe())})
    kept = picture(scene, {}, "mine.png")
    scene.studio.recipe_files = {"image": SourceFile(kept, "fjord.png")}
    updates = restored(scene, path)
    widgets = scene.page.forms["image_to_video"].widgets
    assert {name for name, widget in widgets.items() if widget in updates} >= {*widgets}
    shown = {name: value(updates, widgets[name]) for name in ("prompt", "seed", "seconds", "speed", "steps")}
    assert shown == {name: VALUES[name] for name in shown}
    assert value(updates, widgets["cfg"]) is None, "the mode's own"
    assert value(updates, widgets["motion"]) == "balanced" and value(updates, widgets["end_image"]) is None
    assert Path(value(updates, widgets["image"])).name == "fjord.png"
    assert updates[scene.page.tabs].selected == "image_to_video"
    said = notes(scene, updates)
    assert (said["mode"], said["name"], said["fields"], said["general"]) == (
        "image_to_video",
        "boat.png",
        {},
        [],
    )


def test_a_lora_that_has_another_name_here_is_filled_in_with_it(scene: SimpleNamespace) -> None:
    def here(found: Recipe) -> Recipe:
        assert json.loads(found.values["loras"])[0]["name"] == "ink"
        return replace(found, values={**found.values, "loras": '[{"name": "my/brush"}]'})

    scene.studio.as_here = here
    scene.studio.lacks = (
        Lacking("renamed_lora", "ink", "loras", "my/brush"),
        Lacking("unused_model", "a", here="b", used="c"),
    )
    given = {**VALUES, "loras": [{"name": "ink"}]}
    updates = restored(scene, picture(scene, {"wan_studio": json.dumps(recipe(given))}))
    assert "my/brush" in value(updates, scene.page.forms["image_to_video"].widgets["loras"])
    said = notes(scene, updates)
    assert said["fields"]["loras"] == "The LoRA ink is called my/brush here, and is used."
    sentence = "The model a is here as b. c is used in its place, unless b is chosen in System."
    assert sentence in said["general"]


def test_variations_come_back(scene: SimpleNamespace) -> None:
    several = {**VALUES, "variations": 2, "vary": {"motion": ["subtle", "dynamic"]}}
    updates = restored(scene, picture(scene, {"wan_studio": json.dumps(recipe(several))}))
    held = json.loads(value(updates, scene.page.forms["image_to_video"].widgets["variations"]))
    assert (held["count"], held["values"]) == (2, {"motion": ["subtle", "dynamic"]})
    updates = restored(scene, picture(scene, {"wan_studio": json.dumps(recipe())}))
    assert value(updates, scene.page.forms["image_to_video"].widgets["variations"]) == ""


def test_what_is_not_here_is_said_beside_its_field(scene: SimpleNamespace) -> None:
    settings = recipe({**VALUES, "steps": "<i>many</i>"})
    scene.studio.lacks = (
        Lacking("model", "<u>big</u>.safetensors"), Lacking("lora", "ink.safetensors", "loras"),
        Lacking("node", "WanVideoNAG"),
    )  # fmt: skip
    updates = restored(scene, picture(scene, {"wan_studio": json.dumps(settings)}))
    assert "<u>" not in updates[scene.page.offers], "words of a file are no markup"
    said = notes(scene, updates)
    assert said["fields"].keys() == {"image", "steps", "loras"} and len(said["general"]) == 2
    assert "ink.safetensors" in said["fields"]["loras"] and "Picture" in said["fields"]["image"]
    widgets = scene.page.forms["image_to_video"].widgets
    assert value(updates, widgets["image"]) is None and value(updates, widgets["steps"]) is None


def test_a_file_of_comfyui_leaves_the_files_of_the_form(scene: SimpleNamespace) -> None:
    updates = restored(scene, picture(scene, {"prompt": json.dumps(GRAPH)}))
    widgets = scene.page.forms["text_to_image"].widgets
    assert value(updates, widgets["prompt"]) == "a lake"
    path = scene.folder / "uploads" / "1" / "graph.json"
    maker = {"class_type": "WanImageToVideo", "inputs": {"width": 640, "start_image": ["3", 0]}}
    path.write_text(json.dumps({**GRAPH, "2": maker}))
    updates = restored(scene, path)
    widgets = scene.page.forms["image_to_video"].widgets
    assert widgets["image"] not in updates and value(updates, widgets["width"]) == 640


@pytest.mark.parametrize(
    "mode", ["fast_video", "sound_to_video", "animate", "text_to_video", "text_to_image"]
)
def test_the_tab_of_each_mode_is_opened(scene: SimpleNamespace, mode: str) -> None:
    given = recipe({"prompt": "a pond", "seed": 3}, mode)
    updates = restored(scene, picture(scene, {"wan_studio": json.dumps(given)}))
    form = scene.page.forms[mode]
    assert value(updates, form.widgets["prompt"]) == "a pond" and value(updates, form.widgets["seed"]) == 3
    assert notes(scene, updates)["mode"] == mode


def test_settings_alone_leave_the_other_fields(scene: SimpleNamespace) -> None:
    path = scene.folder / "uploads" / "1" / "mine.wanpreset.json"
    settings = to_json("image_to_video", {"steps": 12, "motion": "subtle"})
    path.write_text(json.dumps({"preset": 1, "name": "Mine", "settings": settings}))
    updates = restored(scene, path)
    widgets = scene.page.forms["image_to_video"].widgets
    assert {name for name, one in widgets.items() if one in updates} == {"steps", "motion"}
    assert value(updates, widgets["steps"]) == 12 and value(updates, widgets["motion"]) == "subtle"


REFUSED = {
    "nothing": {}, "later": {"wan_studio": json.dumps({**recipe(), "version": 2})},
    "forged": {"wan_studio": '{"version": 1, "settings": {"mode": "<script>"}}'},
    "deep": {"prompt": "[" * 9000},
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_says_nothing_changes_nothing(
    scene: SimpleNamespace, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("gradio.Warning", said.append)
    assert restored(scene, picture(scene, REFUSED[name])).keys() == {scene.page.tabs}
    assert len(said) == 1 and said[0].endswith(".") and "<script>" not in said[0]


def test_only_uploads_are_read(scene: SimpleNamespace, tmp_path: Path) -> None:
    outside = tmp_path / "a.png"
    Image.new("RGB", (64, 48)).save(outside)
    for given in (outside, "/etc/passwd", "http://example.com/a.png", "data:image/png;base64,AA"):
        with pytest.raises(Exception, match=r"\w"):
            restored(scene, given)
    for nothing in ("", None, 5, {"path": "x"}):
        updates = scene.recipes.restore(OWNER, SimpleNamespace(_data={"path": nothing}))
        assert updates.keys() == {scene.page.tabs}
