from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from backend.models import set_options
from backend.models.state import FetchProgress, SetEntry, SetOffer, SetRequest
from ui.actions.model_download import _request
from ui.views.model_download import FORMATS, download_panel, modes

REQUEST = SetRequest("image_to_video", "", "fast", 16)
FETCH = SetEntry("High-noise <expert>", "high.gguf", "diffusion_models", 12_000_000_000)
THERE = SetEntry(
    "Text encoder", "umt5.safetensors", "text_encoders", 6_700_000_000, used="wan/umt5.safetensors"
)
OFFER = SetOffer(
    REQUEST, 16, "", False, (FETCH, THERE), 12_000_000_000, 0, 0, 99_000_000_000, True,
    notes=("A note.",),
)  # fmt: skip


def test_the_form_names_every_mode_and_model() -> None:
    shown = download_panel(FetchProgress(), gigabytes=24)
    assert list(modes()) == [
        "image_to_video", "fast_video", "sound_to_video", "animate", "text_to_video",
        "text_to_image model=wan", "text_to_image model=flux",
    ]  # fmt: skip
    assert ">Text-to-Image, Flux</option>" in shown and '<option value="0" selected>This GPU (24 GB)' in shown
    assert "This GPU" not in (plain := download_panel(FetchProgress())) and '"24" selected' in plain
    assert 'data-fetch="start"' not in shown and 'data-busy="0"' in shown


def test_a_set_is_shown_before_it_is_fetched() -> None:
    shown = download_panel(FetchProgress(), OFFER)
    assert "1 file, 12 GB to download. The disk has 99 GB free." in shown
    assert "High-noise &lt;expert&gt;" in shown and "wan/umt5.safetensors" in shown and "A note." in shown
    assert "The time left is shown once" in shown and '"16" selected' in shown and '"fast" selected' in shown
    timed = replace(OFFER, have=3_000_000_000, rate=50e6, seconds=240.0, unknown=1)
    shown = download_panel(FetchProgress(), timed)
    assert "About 4 min at 50 MB/s" in shown and "3 GB have arrived earlier" in shown
    assert "The size of 1 file is not known." in shown and ">Resume<" in shown
    full = download_panel(FetchProgress(), replace(OFFER, fits=False, left=101_000_000_000))
    assert "They do not fit: 2 GB are missing." in full and 'data-fetch="start" disabled' in full
    nothing = download_panel(FetchProgress(), replace(OFFER, files=(THERE,)))
    assert "All files are there." in nothing and 'data-fetch="start"' not in nothing


def test_format_and_distilled_are_chosen_as_on_the_command_line() -> None:
    plain = download_panel(FetchProgress())
    assert '<select name="format">' in plain and '<select name="distilled">' in plain
    assert FORMATS == set_options.FORMATS and all(f'<option value="{form}"' in plain for form in FORMATS)
    assert 'value="auto" selected' in plain and 'value="distilled" selected' not in plain
    asked = SetRequest("image_to_video", "", "fast", 16, "Q4_K_M", True)
    for shown in (
        download_panel(FetchProgress(), asked=asked),
        download_panel(FetchProgress(), replace(OFFER, request=asked)),
        download_panel(FetchProgress("running", asked)),
    ):
        assert 'value="Q4_K_M" selected' in shown and 'value="distilled" selected' in shown
        assert 'value="16" selected' in shown, "a refused request keeps what was chosen"


def test_what_a_script_sends_is_checked_by_the_studio() -> None:
    event = SimpleNamespace(_data={"mode": "text_to_image model=flux", "gpu": "24", "format": "fp16"})
    assert _request(event) == SetRequest("text_to_image", "model=flux", "", 24, "fp16", False)
    odd = SimpleNamespace(_data={"mode": ["x"], "gpu": "9" * 9, "format": 3, "distilled": True})
    assert _request(odd) == SetRequest("", "", "", 0, "auto", False)


def test_progress_with_the_time_left() -> None:
    state = FetchProgress(
        "running", REQUEST, "high.gguf", 1, 2, False, 6_000_000_000, 12_000_000_000, 5e7, 120.0
    )
    shown = download_panel(state, OFFER)
    assert 'aria-valuenow="50"' in shown and "6 GB of 12 GB, 50 MB/s, 2 min left." in shown
    assert 'data-fetch="cancel"' in shown and shown.count("disabled") == 6 and 'data-busy="1"' in shown
    assert "Checking: high.gguf" in download_panel(replace(state, checking=True))
    assert "Asking for the files" in download_panel(FetchProgress("running", REQUEST))
    assert "Stopping" in download_panel(replace(state, stage="stopping"))


@pytest.mark.parametrize(
    ("stage", "words", "again"),
    [("done", "complete", False), ("failed", "failed", True), ("cancelled", "Cancelled", True)],
)
def test_how_it_ended(stage: str, words: str, again: bool) -> None:
    shown = download_panel(FetchProgress(stage, REQUEST, errors=("No <connection>.",)))
    assert words in shown and "No &lt;connection&gt;." in shown and (">Resume<" in shown) is again
