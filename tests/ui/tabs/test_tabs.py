"""Tabs are built from the specifications of their modes, and the page stays light."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from scripts.page_weight import weigh
from tests.support.fake_studio import FakeStudio
from tests.support.paths import ROOT
from ui import page as layout
from ui.forms import schema, script_tables
from ui.forms.builder import FormLayout
from ui.forms.widgets import Form
from ui.gradio_fixes import lean_config
from ui.tabs.registry import TABS
from workflows.modes.registry import MODES
from workflows.params.field import MediaField

BLOCKS_MAX = 335
CONFIG_MAX = 344_000
"""Bytes of the page's configuration, before compression."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    studio: Any = FakeStudio()
    yield layout.build(studio)
    studio.close()


@pytest.fixture(scope="module")
def forms() -> dict[str, Form]:
    with gr.Blocks():
        made = [form for tab in TABS for form in tab.build(100, "blurred").forms]
    return {one.mode: one for one in made}


def blocks_of(block: Any) -> Iterator[Any]:
    """The blocks inside a block, from top to bottom."""
    for child in getattr(block, "children", []):
        yield child
        yield from blocks_of(child)


def test_the_page_as_it_is_sent_says_nothing_that_may_be_false(page: Any) -> None:
    """It is the same for all visitors, and as old as the start of the app."""
    sent = " ".join(str(block.value) for block in page.blocks.values() if isinstance(block, gr.HTML))
    for claim in (
        "Queue empty", "Nothing is running", "Nothing here yet", "No finished clips yet",
        "Your video appears here", "starting",
    ):  # fmt: skip
        assert claim not in sent, claim


def test_every_mode_has_one_form() -> None:
    modes = [mode for tab in TABS for mode in tab.modes]
    assert sorted(modes) == sorted(MODES)
    for tab in TABS:
        assert len({form.name for form in tab.forms}) == len(tab.forms)


def test_rows_follow_from_the_specification() -> None:
    assert FormLayout(mode="fast_video").shown() == ["image", "prompt", "variant", "seconds"]
    shown = FormLayout(mode="animate").shown()
    assert {"start", "seconds"}.isdisjoint(shown), "the part of the driving video stands below it"
    assert FormLayout(mode="animate", rows=("video", "image")).shown() == ("video", "image")


@pytest.mark.parametrize("layout", [form for tab in TABS for form in tab.forms], ids=lambda one: one.mode)
def test_a_row_names_only_what_advanced_does_not_hold(layout: FormLayout) -> None:
    """And what no part of Advanced holds is in a row, so that it is on the page."""
    spec = MODES[layout.mode]
    named = [name for row in layout.shown() for name in ((row,) if isinstance(row, str) else row)]
    part = [spec.trim.start, spec.trim.length] if spec.trim is not None else []
    assert len(set(named)) == len(named)
    assert {each.name for each in spec.all if not each.group} == {
        name for name in [*named, *part] if not spec.by_name[name].group
    }


def test_values_that_do_not_fit_side_by_side_share_rows(forms: dict[str, Form]) -> None:
    for mode, form in forms.items():
        for field in MODES[mode].fields:
            classes = form.widgets[field.name].elem_classes or []
            if "ws-seg" not in classes:
                continue
            letters = sum(len(label) for label, _ in schema.options(mode, field.name))
            assert letters <= 40 or {"rows", "pairs"} & set(classes), (mode, field.name)
    assert "pairs" in forms["animate"].widgets["pose_cache"].elem_classes
    assert "pairs" not in forms["image_to_video"].widgets["seconds"].elem_classes


@pytest.mark.parametrize("mode", MODES)
def test_the_kind_of_a_widget_follows_from_its_parameter(forms: dict[str, Form], mode: str) -> None:
    for spec in MODES[mode].all:
        widget = forms[mode].widgets[spec.name]
        if isinstance(spec, MediaField):
            kind: Any = gr.Image if spec.kind == "picture" else gr.File
        elif spec.kind == "choice" or spec.offered:
            kind = gr.Radio
            assert widget.choices == schema.options(mode, spec.name)
        elif spec.kind == "switch":
            kind = gr.Checkbox
        elif spec.kind == "loras":
            kind = gr.Textbox
        elif spec.kind == "text":
            kind = gr.Textbox
            assert widget.info == (spec.note or None)
        else:
            kind = gr.Slider if spec.name == "relight" else gr.Number
        assert isinstance(widget, kind), spec.name


def test_files_of_advanced_can_be_chosen_before_it_is_opened(forms: dict[str, Form]) -> None:
    """Its other content is built when it is opened."""
    for mode, form in forms.items():
        block: Any = form.widgets["seed"]
        while not isinstance(block, gr.Accordion):
            block = block.parent
        inside = {widget for widget in blocks_of(block) if isinstance(widget, (gr.Image, gr.File))}
        assert block.elem_id == f"{mode}-advanced" and block.open == bool(inside)
    assert forms["animate"].widgets["mask"].parent.parent.parent.open


def test_notes_of_choices_reach_the_script_by_value() -> None:
    tables = script_tables.forms()
    for mode, spec in MODES.items():
        for field in spec.fields:
            notes = {choice.value: choice.note for choice in field.choices if choice.note}
            assert tables[mode]["notes"].get(field.name, {}) == notes
            for shown, value in schema.options(mode, field.name):
                assert shown == (schema.length_text(value) if field.offered else field.word(value))
        assert tables[mode]["advanced"] == [each.name for each in spec.all if each.group]
    assert tables["fast_video"]["notes"]["variant"]["balanced"] == "Follows the prompt."


def test_the_page_stays_light(page: Any, record_property: Any) -> None:
    weight = weigh(page)
    record_property("blocks", weight.blocks)
    record_property("configuration", weight.config)
    assert weight.blocks == weight.kinds.total() == weight.tabs.total()
    assert {f"tab-{tab.key}" for tab in TABS} <= weight.tabs.keys() and weight.tabs["endpoints"]
    assert weight.blocks <= BLOCKS_MAX and weight.config <= CONFIG_MAX


def test_only_the_api_describes_its_values(page: Any) -> None:
    public = {
        block._id
        for function in page.fns.values()
        if function.api_visibility != "private"
        for block in (*function.inputs, *function.outputs)
    }
    assert len(public) > 20
    for component in page.get_config_file()["components"]:
        assert (lean_config.DESCRIPTION in component) == (component["id"] in public)
        assert lean_config.EXAMPLE not in component
        assert (component["props"].get("visible") is False) >= (component["type"] == "api")


def test_the_api_is_described_as_before(page: Any) -> None:
    short = page.get_api_info()
    page.config = type(page).get_config_file(page)
    try:
        assert page.get_api_info() == short
        assert short["named_endpoints"]["/image_to_video"]["parameters"][0]["type"]["required"] == [
            "path", "meta",
        ]  # fmt: skip
    finally:
        page.config = page.get_config_file()


def test_modules_of_tabs_are_data() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "ui" / "tabs").glob("*.py")]
    tabs = [source for source in sources if "\nTAB = Tab(" in source]
    assert len(tabs) == len(TABS)
    assert all("def " not in source and len(source.splitlines()) <= 25 for source in tabs)
