"""What a form says of its plan: why Generate is disabled, what its empty numbers stand for, its Advanced."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from backend.error_texts.catalog import ERROR_TEXTS
from backend.errors import QueueFull
from tests.support.fake_studio import FakeStudio
from ui.forms import schema, script_tables, variations
from ui.forms.form_view import FormView
from ui.forms.planner import Planner
from ui.forms.widgets import Form
from ui.i18n import phrases
from ui.i18n.texts import text
from ui.tabs.registry import TABS
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES
from workflows.notice import notice
from workflows.params.field import GROUPS, Field
from workflows.spec import RANDOM_SEED

GLOSS = text("advanced.negative")
FULL = QueueFull("The queue is full.", "Wait for one to finish.").notice


@pytest.fixture(scope="module")
def forms() -> dict[str, Form]:
    """The widgets of every tab."""
    with gr.Blocks():
        made = [form for tab in TABS for form in tab.build(100, GLOSS).forms]
    return {one.mode: one for one in made}


@pytest.fixture
def studio() -> Iterator[FakeStudio]:
    studio = FakeStudio()
    studio.missing = set()
    yield studio
    studio.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "fjord.png"
    Image.new("RGB", (1920, 1080)).save(path)
    return path


def view(studio: FakeStudio, form: Form, **given: Any) -> FormView:
    return Planner(studio, GLOSS).view(form, {**form.start, **given}, "owner-token-0000001")  # type: ignore[arg-type]


def data(shown: FormView, name: str) -> Any:
    found = re.search(f'data-{name}="([^"]*)"', shown.hint)
    assert found
    return html.unescape(found[1])


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_form_says_what_to_give_first(studio: FakeStudio, forms: dict[str, Form], mode: str) -> None:
    shown = view(studio, forms[mode])
    required = {
        name: ERROR_TEXTS[f"choose_{field.kind}"].message
        for name, field in MODES[mode].media.items()
        if field.required
    }
    needed = json.loads(data(shown, "needed"))
    assert needed and required.items() <= needed.items() and not shown.ready
    assert next(iter(needed.values())) in shown.hint and 'class="warn"' not in shown.hint
    assert json.loads(data(shown, "problems")) == {} and data(shown, "again") == ""


def test_the_most_important_reason_is_said(
    studio: FakeStudio, forms: dict[str, Form], picture: Path, tmp_path: Path
) -> None:
    form = forms["image_to_video"]
    assert view(studio, form, image=picture).ready
    studio.obstacle = FULL
    full = view(studio, form, image=picture)
    assert not full.ready and "The queue is full. Wait for one to finish." in full.hint
    assert data(full, "again") == "3", "it may end by itself"
    assert "The queue is full." in view(studio, form).hint, "before what is only missing"
    wrong = view(studio, form, image=picture, width=17)
    assert not wrong.ready and "Use a multiple of 16" in wrong.hint and data(wrong, "again") == ""
    studio.obstacle = None
    fake = tmp_path / "diary.png"
    fake.write_text("dear diary")
    broken = view(studio, form, image=fake)
    assert not broken.ready and broken.hint.count("This file is not a picture.") == 2
    assert 'id="image_to_video-image-problem"' in broken.lines["image"]


def test_a_rate_above_that_of_the_driving_video_is_said_at_the_field(
    studio: FakeStudio, forms: dict[str, Form]
) -> None:
    studio.warnings = (notice("above_driving_rate", driving=24.0, fps=30.0), notice("high_noise_only"))
    shown = view(studio, forms["animate"])
    said = "The driving video has 24 frames a second: at 30, some of them are used twice."
    assert json.loads(data(shown, "advice")) == {"fps": said} and said in shown.notes
    studio.warnings = (notice("high_noise_only"),)
    assert json.loads(data(view(studio, forms["animate"]), "advice")) == {}


def test_advice_about_a_picture_stands_at_the_picture(
    studio: FakeStudio, forms: dict[str, Form], picture: Path
) -> None:
    small = notice("picture_enlarged", field="image", width=320, height=180, times=2.6)
    studio.warnings = (small, notice("high_noise_only"))
    shown = view(studio, forms["image_to_video"], image=picture)
    assert "it is enlarged 2.6 times and may look soft." in shown.lines["image"]
    assert "enlarged" not in shown.hint and "High noise only" in shown.hint and shown.ready


def test_size_and_length_are_said_beside_generate(
    studio: FakeStudio, forms: dict[str, Form], picture: Path
) -> None:
    assert "848 × 480, 5 s at 16 fps</p>" in view(studio, forms["image_to_video"], image=picture).hint
    assert "5 s" not in data(view(studio, forms["sound_to_video"]), "frame"), "no sound, no length"


@pytest.mark.parametrize("mode", MODES)
def test_numbers_that_stand_for_something_else_are_empty(
    studio: FakeStudio, forms: dict[str, Form], mode: str, picture: Path
) -> None:
    blank = [field for field in MODES[mode].fields if field.blank]
    assert {"width", "height", "seed"} <= {field.name for field in blank}
    for field in blank:
        assert forms[mode].start[field.name] is None
        assert forms[mode].widgets[field.name].placeholder == field.blank
        assert field.default in (0, RANDOM_SEED)
    shown = json.loads(data(view(studio, forms[mode], prompt="a"), "blanks"))
    assert shown.keys() == {field.name for field in blank}
    assert shown["seed"] == "Random" and shown["width"] == "Auto (832)"


@pytest.mark.parametrize("mode", MODES)
def test_advanced_holds_every_field_of_its_groups(forms: dict[str, Form], mode: str) -> None:
    spec, widgets = MODES[mode], forms[mode].widgets
    assert widgets.keys() - {variations.NAME} == {field.name for field in spec.all}
    for group in GROUPS:
        for field in spec.in_group(group):
            parents, block = [], widgets[field.name]
            while block is not None:
                parents.append(str(block.elem_id))
                block = block.parent
            inside = f"{mode}-advanced" in parents
            assert inside == (f"{mode}-group-{group}" in parents) == (field.name != "end_image")
    assert all(field.group for field in spec.fields if field.blank and field.name not in _parts(mode))


def _parts(mode: str) -> tuple[str, ...]:
    trim = MODES[mode].trim
    return (trim.length,) if trim else ()


def test_the_negative_prompt_is_shown_in_english_and_sent_as_the_default() -> None:
    assert load_catalog().default_negative != GLOSS and GLOSS.isascii()
    start = schema.page_defaults("image_to_video", GLOSS)
    assert start["negative_prompt"] == GLOSS
    assert schema.to_values("image_to_video", start, GLOSS)["negative_prompt"] is None
    changed = {**start, "negative_prompt": f"{GLOSS}, rain"}
    assert schema.to_values("image_to_video", changed, GLOSS)["negative_prompt"] == f"{GLOSS}, rain"


@pytest.mark.parametrize("mode", MODES)
def test_phrases_suit_the_mode(mode: str) -> None:
    groups = phrases.for_mode(MODES[mode])
    labels = [group.label for group in groups]
    assert "Light" in labels and ("Camera" in labels) == (not MODES[mode].still and mode != "animate")
    for group in groups:
        assert len({phrase.label for phrase in group.phrases}) == len(group.phrases) > 4
        assert all(phrase.words and not phrase.words.endswith(".") for phrase in group.phrases)
    table = script_tables.phrases()
    for_script = [table["groups"][number] for number in table["modes"][mode]]
    assert for_script == [[one.label, [[each.label, each.words] for each in one.phrases]] for one in groups]


def test_limits_of_texts_reach_the_script() -> None:
    from ui.head import head

    found = re.search(r"window\.wanForms = (\{.*?\});\n", head())
    assert found
    table = json.loads(found[1])
    for mode, spec in MODES.items():
        texts = [one for one in spec.all if isinstance(one, Field) and one.kind == "text"]
        assert table[mode]["limits"] == {one.name: one.high for one in texts}


@pytest.mark.parametrize("mode", MODES)
def test_a_tab_that_can_generate_names_no_missing_files(
    studio: FakeStudio, forms: dict[str, Form], picture: Path, tmp_path: Path, mode: str
) -> None:
    studio.missing = {file.name for file in load_catalog().files}
    names = {"sound": "song-5.wav", "video": "dance-5.mp4"}
    kinds = {name: field.kind for name, field in MODES[mode].media.items() if field.required}
    media = {name: picture if kind == "picture" else tmp_path / names[kind] for name, kind in kinds.items()}
    for path in media.values():
        path.touch()
    prompt = {"prompt": "A boat"}
    free = view(studio, forms[mode], **media, **prompt)
    assert free.ready and free.needs == "", "the server has what the job needs"
    files = tuple(file.name for file in load_catalog().sets(mode)[0][1])
    studio.obstacle = notice("missing_files", mode=mode, files=files)
    held = view(studio, forms[mode], **media, **prompt)
    assert not held.ready and "python app.py models download" in held.needs
