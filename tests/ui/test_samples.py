"""What the empty tabs offer to try: files of our own that each mode takes as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.media import video
from backend.media.facts import VideoFacts
from backend.studio import Studio
from tests.support.paths import ROOT
from ui.i18n.texts import table
from ui.samples import SAMPLES, Sample, sample
from ui.tabs.registry import TABS
from ui.views.samples import strips
from workflows.modes.registry import MODES

FOLDER = ROOT / "ui" / "assets" / "starters"
MOST_BYTES = 1_500_000


def files() -> set[str]:
    return {name for one in SAMPLES for name in one.files.values()}


def test_every_tab_with_a_form_teaches_and_offers_something() -> None:
    for tab in TABS:
        assert table()[f"samples.makes.{tab.key}"]
        assert tab.starters or any(one.tab == tab.key for one in SAMPLES)
    assert all(one.mode in next(tab for tab in TABS if tab.key == one.tab).modes for one in SAMPLES)


@pytest.mark.parametrize("one", SAMPLES, ids=lambda one: one.id)
def test_a_sample_fills_what_its_mode_requires(one: Sample) -> None:
    spec = MODES[one.mode]
    required = {name for name, field in spec.media.items() if field.required}
    assert required <= one.files.keys() <= spec.media.keys()
    assert one.title and one.prompt
    for name, value in one.values.items():
        assert value in [choice.value for choice in spec.field(name).choices]
    assert sample(one.id) is one


def test_mix_has_its_mask_and_nothing_else_is_a_sample() -> None:
    mix = sample("mix")
    assert mix is not None and mix.files["mask"] and mix.values["method"] == "mix"
    assert sample("../../etc/passwd") is None and sample(None) is None and sample(["mix"]) is None


def test_the_files_are_small_and_the_strips_name_them() -> None:
    tiles = {one.tile for one in SAMPLES if one.tile}
    sizes = [(FOLDER / name).stat().st_size for name in files() | tiles]
    assert sum(sizes) < MOST_BYTES
    html = strips(SAMPLES, "page/starters")
    assert all(f"page/starters/{tile}" in html for tile in tiles)
    assert html.count('data-act="sample"') == len(SAMPLES)


def test_the_walk_and_its_mask_are_the_same_frames() -> None:
    walk, mask = FOLDER / "walk.mp4", FOLDER / "walk-mask.mp4"
    facts = [video.facts(str(path), path.name) for path in (walk, mask)]
    assert facts[0] == facts[1] and isinstance(facts[0], VideoFacts)
    assert (facts[0].width, facts[0].height, facts[0].fps) == (832, 480, 16) and facts[0].seconds == 4
    for path in (walk, mask):
        assert path.read_bytes()[4:8] == b"ftyp"


def test_the_mask_is_black_and_white_around_the_walker(tmp_path: Any) -> None:
    out = tmp_path / "first.png"
    video.first_frame(str(FOLDER / "walk-mask.mp4"), str(out), "mask", 832)
    with Image.open(out) as picture:
        grey = np.asarray(picture.convert("L"))
    assert 0.02 < (grey > 200).mean() < 0.2 and ((grey < 40) | (grey > 200)).mean() > 0.98


def test_every_sample_can_be_generated_as_it_is(make: Any) -> None:
    studio: Studio = make()
    for one in SAMPLES:
        media = {name: studio.inspect(one.mode, name, FOLDER / file) for name, file in one.files.items()}
        plan = studio.plan(one.mode, {**one.values, "prompt": one.prompt, "speed": "fast"}, media)
        assert not plan.problems and plan.frames > 1, (one.id, plan.problems)
