"""The picked variations of a set: each is finished; the others are deleted, and one Undo brings them back."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from tests.support.fake_studio import FakeStudio
from ui.actions.again import MORE, Again
from ui.actions.finish import Finish
from ui.actions.keeping import Keeping
from ui.actions.once import Once
from ui.actions.picks import pairs
from ui.actions.stage import Stage
from ui.forms.page_files import PageFiles
from ui.job_card import Card
from ui.tabs.library import Library

OWNER = "owner-token-of-a-fake-studio-0001"
VISITOR: Any = SimpleNamespace(username=None)
VALUES = {"prompt": "A boat", "speed": "fast", "resolution": "draft", "seconds": 0.5}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A finished set of three, the handlers, and the messages on the page."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    said: list[str] = []
    for kind in ("Info", "Warning"):
        monkeypatch.setattr(gr, kind, said.append)
    picture = tmp_path / "fjord.jpg"
    Image.new("RGB", (96, 54)).save(picture)
    studio: Any = FakeStudio(seconds=1e-9, hold=0.62)
    whole = studio.add_set("image_to_video", [{**VALUES, "seed": seed} for seed in (1, 2, 3)], picture)
    studio.complete(whole)
    card = Card(studio)
    stage = Stage(studio, card)
    again = Again(studio, PageFiles(studio), stage)
    with gr.Blocks():
        library = Library(studio)
        library.build()
    keeping = Keeping(studio, card, library, "shown", "box", Once())
    return SimpleNamespace(
        studio=studio, whole=studio.job(whole.id, whole.key), stage=stage, again=again,
        finish=Finish(studio, stage),
        keeping=keeping, said=said,
    )  # fmt: skip


def event(scene: SimpleNamespace, *numbers: int, **data: object) -> Any:
    """An event about the set with these of it picked."""
    whole = scene.whole
    picked = [[whole.children[n].id, whole.children[n].key] for n in numbers]
    shown = {"shown": whole.id, "shownkey": whole.key}
    return SimpleNamespace(_data={"id": whole.id, "key": whole.key, "picked": picked, **shown, **data})


def others(scene: SimpleNamespace) -> list[Any]:
    """The jobs that do not belong to the set."""
    return [
        run.view for run in scene.studio.runs.values() if scene.whole.id not in (run.view.id, run.view.parent)
    ]


def test_one_press_finishes_each_of_the_picked(scene: SimpleNamespace) -> None:
    jobs = [{"id": scene.whole.children[n].id, "key": scene.whole.children[n].key} for n in (0, 2)]
    html = scene.finish.finish(OWNER, event(scene, jobs=jobs, resolution="720p", speed="quality"), VISITOR)
    made = others(scene)
    assert [one.seed for one in made] == [1, 3] and made[0].id in html
    assert {(one.params["resolution"], one.params["speed"]) for one in made} == {("720p", "quality")}
    assert [one.source for one in made] == [jobs[0]["id"], jobs[1]["id"]]


def test_the_others_go_and_one_undo_brings_them_back(scene: SimpleNamespace) -> None:
    updates = scene.keeping.keep(OWNER, "", "", 60, "clips", event(scene, 1))
    kept = scene.studio.job(scene.whole.id, scene.whole.key)
    assert [one.seed for one in kept.children] == [2] and "2 variations" in updates["box"]
    gone = [scene.whole.children[n] for n in (0, 2)]
    more = json.dumps([[gone[1].id, gone[1].key]])
    undo = SimpleNamespace(_data={"id": gone[0].id, "key": gone[0].key, "more": more, "on": "library"})
    assert scene.keeping.undo(OWNER, "", "", 60, "clips", undo)
    assert len(scene.studio.job(scene.whole.id, scene.whole.key).children) == 3


def test_nothing_goes_without_a_pick_or_for_another_visitor(scene: SimpleNamespace) -> None:
    scene.keeping.keep(OWNER, "", "", 60, "clips", event(scene))
    scene.keeping.keep(OWNER, "", "", 60, "clips", event(scene, picked=[["x", "y"]]))
    scene.studio.foreign.add(scene.whole.id)
    scene.keeping.keep(OWNER, "", "", 60, "clips", event(scene, 0))
    assert len(scene.studio.job(scene.whole.id, scene.whole.key).children) == 3


def test_more_of_a_clip_are_its_settings_with_other_seeds(scene: SimpleNamespace) -> None:
    child = scene.whole.children[1]
    one = SimpleNamespace(_data={"id": child.id, "key": child.key})
    scene.again.vary(OWNER, one, VISITOR)
    (made,) = [view for view in others(scene) if view.children]
    assert len(made.children) == MORE == 4 and made.params["prompt"] == "A boat"
    assert len({part.seed for part in made.children}) == 4


def test_the_way_back_is_the_owners_or_that_of_the_link(scene: SimpleNamespace) -> None:
    child, whole = scene.whole.children[0], scene.whole
    for data in ({}, {"shown": whole.id, "shownkey": whole.key}):
        html = scene.stage.show(OWNER, SimpleNamespace(_data={"id": child.id, "key": child.key, **data}))
        assert f'data-set="{whole.id}"' in html
    scene.studio.foreign |= {child.id, whole.id}
    bare = scene.stage.show(OWNER, SimpleNamespace(_data={"id": child.id, "key": child.key}))
    assert whole.key not in bare, "the link of one clip opens no other"
    opened = {"id": child.id, "key": child.key, "shown": whole.id, "shownkey": whole.key}
    assert f'data-setkey="{whole.key}"' in scene.stage.show(OWNER, SimpleNamespace(_data=opened))
    wrong = {**opened, "shownkey": "wrong"}
    assert "data-setkey" not in scene.stage.show(OWNER, SimpleNamespace(_data=wrong))


def test_pairs_are_texts_and_few() -> None:
    many = [[f"id{n}", "k"] for n in range(500)]
    assert len(pairs(SimpleNamespace(_data={"picked": many}), "picked")) == 9  # type: ignore[arg-type]
    odd: Any = SimpleNamespace(_data={"picked": '[["a", "b"], ["a", "b"], ["\\ud800", "b"], 5]'})
    assert pairs(odd, "picked") == [("a", "b")]
