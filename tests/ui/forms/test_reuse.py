"""Whatever the API takes can be put back into the form: it stands there as it was and makes the same job."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from tests.support.fake_engine import FakeEngine
from tests.support.legal_values import FILE_SECONDS, legal
from tests.support.media_files import coded, tone, write_sound, write_video
from tests.support.scripted import Make
from tests.support.security_site import META, Visitor
from tests.support.served_site import ServedSite
from ui.forms import schema
from ui.forms.widgets import Form
from ui.tabs.registry import TABS
from workflows.modes.registry import MODES
from workflows.params.limits import RELIGHT_MAX

NEGATIVE = "blurred, static"
SEED = 20_250_101


@pytest.fixture(scope="module")
def forms() -> dict[str, Form]:
    """The widgets of every tab."""
    with gr.Blocks():
        made = [form for tab in TABS for form in tab.build(100, NEGATIVE).forms]
    return {one.mode: one for one in made}


def through_browser(widget: Any, value: Any) -> Any:
    """What our code gets back of a value that it has put into a widget. A browser keeps no type of number:
    5.0 comes back as 5."""
    shown = json.loads(json.dumps(widget.postprocess(value)))
    if isinstance(shown, float) and shown.is_integer():
        shown = int(shown)
    return widget.preprocess(shown)


@pytest.mark.parametrize("mode", MODES)
def test_every_value_of_the_api_comes_back_from_the_form(mode: str, forms: dict[str, Form]) -> None:
    draw = random.Random(f"{SEED} {mode}")
    widgets = forms[mode].widgets
    assert {field.name for field in MODES[mode].fields} <= set(widgets), (
        "a parameter without a widget would be lost"
    )
    for _ in range(400):
        values = legal(mode, draw)
        held = schema.from_params(mode, values, NEGATIVE)
        back = {name: through_browser(widgets[name], value) for name, value in held.items()}
        assert schema.to_values(mode, back, NEGATIVE) == values


@pytest.mark.parametrize("mode", MODES)
def test_a_widget_shows_what_the_api_takes(mode: str, forms: dict[str, Form]) -> None:
    """A slider stands at its value and a choice has it among its words: nothing else is shown."""
    draw = random.Random(f"{SEED} shown {mode}")
    for _ in range(200):
        held = schema.from_params(mode, legal(mode, draw), NEGATIVE)
        for name, value in held.items():
            widget = forms[mode].widgets[name]
            if isinstance(widget, gr.Slider):
                assert widget.minimum <= value <= widget.maximum, name
            elif isinstance(widget, gr.Radio):
                field = MODES[mode].field(name)
                seconds = schema.to_values(mode, {name: value})[name]
                choices = schema.lengths(field, seconds) if field.offered else [v for _, v in widget.choices]
                assert value in choices, name
            elif isinstance(widget, gr.Number):
                assert widget.minimum is None and widget.maximum is None and widget.precision is None


def test_the_slider_of_relight_has_the_maximum_of_the_api(forms: dict[str, Form]) -> None:
    assert forms["animate"].widgets["relight"].maximum == RELIGHT_MAX


def test_an_emptied_slider_counts_as_its_default(forms: dict[str, Form]) -> None:
    widget = forms["animate"].widgets["relight"]
    assert schema.to_values("animate", {"relight": widget.preprocess(None)})["relight"] == 0.8


# -- the whole way: a job by the API, "Reuse settings", Generate ---------------------------------------


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("media")
    Image.effect_noise((640, 360), 40).convert("RGB").save(folder / "boat.png")
    write_sound(folder / "song.wav", tone(FILE_SECONDS))
    frames = [coded(n, (64, 64)) for n in range(int(FILE_SECONDS * 16))]
    write_video(folder / "dance.mp4", frames, rate=16)
    return {
        "image": folder / "boat.png", "audio": folder / "song.wav", "video": folder / "dance.mp4",
        "mask": folder / "dance.mp4",
    }  # fmt: skip


@pytest.fixture
def site(
    make: Make, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServedSite]:
    """Jobs only wait here: what they are is all that matters."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    (tmp_path / "uploads").mkdir()
    studio = make(WAN_MAX_QUEUED="1000", WAN_MAX_QUEUED_PER_OWNER="1000")
    studio.scheduler.pause(True)
    site = ServedSite(studio, tmp_path / "uploads")
    yield site
    site.close()


def generated(site: ServedSite, who: Visitor, mode: str, job: Any) -> Any:
    """Reuses a job's settings and presses Generate: the job that comes of it."""
    number, click = site.fn("ws-card", "reuse"), site.fn(f"{mode}-generate", "click")
    outputs = next(d for d in site.config["dependencies"] if d["id"] == number)["outputs"]
    shown = dict(zip(outputs, who.event(number, [who.token], {"id": job.id, "key": job.key}), strict=True))
    inputs = next(d for d in site.config["dependencies"] if d["id"] == click)["inputs"]
    given = []
    for component, value in zip(inputs, site.values(click), strict=True):
        update = shown.get(component, value)
        if isinstance(update, dict) and update.get("__type__") == "update":
            update = update.get("value", value)
        given.append({"path": update["path"], "meta": META} if _is_file(update) else update)
    given[0] = who.token
    before = {one.id for one in site.studio.jobs(who.token, 1000)}
    said = who.event(click, given)
    made = [one for one in site.studio.jobs(who.token, 1000) if one.id not in before]
    assert len(made) == 1, said
    return made[0]


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and "path" in value


@pytest.mark.parametrize("mode", MODES)
def test_a_job_of_the_api_is_made_again_from_the_page(
    mode: str, site: ServedSite, media: dict[str, Path]
) -> None:
    who, draw = Visitor(site), random.Random(f"{SEED} page {mode}")
    files = {name: path for name, path in media.items() if name in schema.file_names(mode)}
    files = {name: who.upload(path.name, path.read_bytes()) for name, path in files.items()}
    for turn in range(4):
        values = legal(mode, draw)
        if turn == 0 and mode == "animate":
            values["relight"] = RELIGHT_MAX
        job = site.studio.submit(who.token, mode, values, files)
        again = generated(site, who, mode, job)
        assert again.params == {**job.params, "seed": job.seed}
        assert (again.width, again.height, again.frames) == (job.width, job.height, job.frames)
