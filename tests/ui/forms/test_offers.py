"""What is offered for a file that its field does not take, and what the event for it accepts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from tests.support.fake_studio import FakeStudio
from ui import page as layout
from ui.actions.offers import Offers
from ui.actions.recipes import Recipes
from ui.forms.offers import Offer, buttons, label, offers
from workflows.modes.registry import MODES

FRAME = "Use its first frame"


@pytest.mark.parametrize(
    ("mode", "field", "kind", "expected"),
    [
        (
            "image_to_video",
            "image",
            "video",
            ["Use its first frame", "Use it as the driving video in Animate"],
        ),
        ("animate", "image", "video", [FRAME, "Use it as the driving video"]),
        ("image_to_video", "end_image", "sound", ["Use it as the sound in Sound-to-Video"]),
        ("sound_to_video", "audio", "picture", ["Use it as the picture"]),
        ("sound_to_video", "audio", "video", []),  # its sound is used
        ("animate", "mask", "picture", ["Use it as the picture"]),
        ("image_to_video", "image", "picture", []),
        ("image_to_video", "image", "", []),
    ],
)
def test_what_is_offered(mode: str, field: str, kind: str, expected: list[str]) -> None:
    assert [label(offer, mode) for offer in offers(mode, field, kind)] == expected


def test_an_offer_goes_into_a_field_that_takes_the_file() -> None:
    for mode, spec in MODES.items():
        for field in spec.media:
            for kind in ("picture", "sound", "video"):
                for offer in offers(mode, field, kind):
                    made = "picture" if offer.act == "frame" else kind
                    assert MODES[offer.mode].media[offer.field].kind == made


def test_a_path_is_escaped() -> None:
    html = buttons([Offer("frame", "image_to_video", "image")], "image_to_video", "image", '/up/"><b>.mp4')
    assert "<b>" not in html and 'data-offer="frame"' in html


def test_the_event_checks_the_file_and_the_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    clip = tmp_path / "uploads" / "1" / "clip.mp4"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"x")
    studio: Any = FakeStudio()
    page = layout._Page(studio)
    recipes = Recipes(studio, page.fill, page.offers)
    use, forms = partial(Offers(studio, page.fill, recipes).use, ""), page.forms

    def event(**changed: str) -> Any:
        data = {"act": "move", "mode": "image_to_video", "field": "image", "to": "animate", "into": "video"}
        return SimpleNamespace(_data={**data, "path": str(clip), **changed})

    moved = use(event())
    assert moved[forms["animate"].widgets["video"]] == str(clip)
    assert moved[forms["image_to_video"].widgets["image"]] is None
    framed = use(event(act="frame", to="image_to_video", into="image"))
    frame = Path(framed[forms["image_to_video"].widgets["image"]])
    assert frame.name == "clip.jpg" and frame.is_file() and frame.is_relative_to(tmp_path / "uploads")
    nothing = page.fill.nothing()
    for wrong in ({"mode": "x"}, {"to": "x"}, {"field": "prompt"}, {"into": "seed"}, {"path": ""}):
        assert use(event(**wrong)).keys() == nothing.keys(), wrong
    with pytest.raises(gr.Error, match="was not uploaded here"):
        use(event(path="/etc/passwd"))
