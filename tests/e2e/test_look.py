"""What is shown belongs to what is chosen: a frame of a loading clip, numbers of a form, one letterbox."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.actions import card
from tests.e2e.conftest import PATIENCE
from tests.support.paths import ROOT

expect.set_options(timeout=PATIENCE)
CLIP = re.compile(r"/media/.*\.mp4")
COLOUR = "node => getComputedStyle(node).backgroundColor"


@pytest.mark.deep
def test_a_frame_of_a_clip_that_still_loads(
    served: SimpleNamespace, visit: Callable[..., Page], photo: Path, tmp_path: Path
) -> None:
    studio = served.studio
    studio.runs.clear()
    job = studio.add("image_to_video", {"prompt": "a", "seconds": 0.5, "speed": "fast"}, photo)
    studio.complete(job)
    page = visit(on=served)
    held: list[Route] = []
    slow = True
    page.route(CLIP, lambda route: held.append(route) if slow else route.continue_())
    page.goto(f"{served.url}/?job={job.id}&key={job.key}")
    card(page, "done")
    use = page.locator('#ws-card .steps.next .btn[data-act="frame"]')
    where = use.bounding_box()
    use.click()
    expect(use).to_have_text("Waiting")
    expect(use).to_have_attribute("aria-disabled", "true")
    assert use.bounding_box() == where
    use.click(force=True)  # changes nothing
    slow = False
    for route in held:
        route.continue_()
    line = page.locator("#tab-image .ws-line").first
    expect(line).to_contain_text("frame-1.png")
    expect(use).to_have_text("Use frame")

    # One colour around what does not fill its box: in the player, a picture field, a driving video.
    letterbox = page.locator("#ws-card .stage").evaluate(COLOUR)
    assert page.locator("#image_to_video-image").evaluate(COLOUR) == letterbox
    walk = tmp_path / "walk-4.mp4"
    shutil.copy(ROOT / "ui/assets/starters/walk.mp4", walk)
    page.get_by_role("tab", name="Animate").click()
    page.locator("#animate-video input[type=file]").set_input_files(walk)
    assert page.locator("#tab-animate .media .screen").evaluate(COLOUR) == letterbox

    # A clip that cannot be loaded: a sentence, and the button can be pressed again.
    page.unroute(CLIP)
    page.route(CLIP, lambda route: route.abort())
    page.reload()
    card(page, "done")
    use.click()
    expect(page.locator(".ws-said")).to_have_text(
        "The video could not be loaded, so no frame was taken. Try again."
    )
    expect(use).to_have_text("Use frame")


def test_numbers_of_other_values_are_not_shown(
    served: SimpleNamespace, visit: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither on the stage nor under Generate, from the click until the plan is there."""
    served.studio.runs.clear()
    page = visit(on=served)
    frame = page.locator("#ws-card .stage .frame")
    expect(frame).to_have_text("832 × 480, 5 s at 16 fps")
    page.wait_for_function("() => window.wanStudio.isPlanned('image_to_video')")
    plan, answer = served.studio.plan, threading.Event()

    def slow(mode: str, values: dict[str, Any], *more: Any) -> Any:
        if float(values.get("seconds") or 0) == 2:
            answer.wait(60)
        return plan(mode, values, *more)

    monkeypatch.setattr(served.studio, "plan", slow)
    try:
        seen = page.evaluate("""() => {
          const [two] = document.querySelectorAll('#image_to_video-seconds label input');
          two.click();
          return getComputedStyle(document.querySelector('#ws-card .stage .frame')).opacity;
        }""")
        assert seen == "0"
        page.locator("#image_to_video-prompt textarea").fill("A text changes no number")
        assert frame.evaluate("node => getComputedStyle(node).opacity") == "0"
    finally:
        answer.set()
    expect(frame).to_have_text("832 × 480, 2 s at 16 fps")
    expect(frame).to_have_css("opacity", "1")
    expect(page.locator("html")).not_to_have_attribute("data-outdated", re.compile(""))
