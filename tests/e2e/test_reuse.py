"""A job of the API comes back into the form: its values stand there, and Generate takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actions import card, more
from tests.e2e.conftest import PATIENCE
from workflows.params.limits import PROMPT_MAX, SEED_MAX

expect.set_options(timeout=PATIENCE)


@pytest.fixture
def reused(
    served: SimpleNamespace, visit: Callable[..., Page], photo: Path
) -> Callable[[str, dict[str, Any]], Page]:
    """The page after "Reuse settings" of a finished job with these values."""

    def reuse(mode: str, values: dict[str, Any]) -> Page:
        served.studio.runs.clear()
        job = served.studio.add(mode, {"seconds": 0.5, **values}, photo)
        served.studio.complete(job)
        page = visit(path=f"/?job={job.id}&key={job.key}", on=served)
        card(page, "done")
        more(page, "Reuse settings")
        return page

    return reuse


@pytest.mark.parametrize("relight", [2.0, 0.3333333333333333, 0.0])
def test_relight_keeps_its_value(reused: Callable[..., Page], relight: float) -> None:
    page = reused("animate", {"prompt": "dance", "method": "mix", "relight": relight, "seed": 7})
    shown = page.locator("#animate-relight input[type=number]")
    expect(shown).to_have_value(str(int(relight) if relight.is_integer() else relight))
    assert page.locator("#animate-relight input[type=range]").get_attribute("max") == "2"
    page.locator("#animate-prompt textarea").click()  # leaving the slider changes nothing
    expect(shown).to_have_value(str(int(relight) if relight.is_integer() else relight))
    assert not page.locator(".toast-wrap .error").count()


def test_a_length_of_many_digits_and_the_largest_seed(
    reused: Callable[..., Page], served: SimpleNamespace
) -> None:
    values = {
        "prompt": "🎬" * PROMPT_MAX, "seconds": 0.7498127341234567, "seed": SEED_MAX, "speed": "quality",
        "steps": 100, "cfg": 20.0, "shift": 3.14159, "width": 64, "height": 64,
    }  # fmt: skip
    page = reused("image_to_video", values)
    chosen = page.locator("#image_to_video-seconds label.selected")
    expect(chosen).to_have_text("0.7498127341234567 s")
    box = page.locator("#image_to_video-seconds").bounding_box()
    inside = chosen.bounding_box()
    assert box and inside and inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
    before = set(served.studio.runs)
    page.locator("#image_to_video-generate").click()
    card(page, "running")
    (made,) = (run.view for id, run in served.studio.runs.items() if id not in before)
    assert {name: made.params[name] for name in values} == values
