"""A finger on the page: the player, its full screen, and the buttons that a pointer would have to find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.actions import card
from tests.e2e.conftest import PATIENCE
from tests.e2e.page_marks import SMALL
from tests.support.tiers import deep

expect.set_options(timeout=PATIENCE)
PLAYER = "document.querySelector('#ws-card [data-player]')"
COVERED = """(node) => {
  const { left, top, width, height } = node.getBoundingClientRect();
  const seen = document.elementFromPoint(left + width / 2, top + height / 2);
  return !node.contains(seen) && (seen?.outerHTML || 'outside of the window').slice(0, 120);
}"""
LEAST = 40


@pytest.fixture
def clip(served: SimpleNamespace, tmp_path: Path) -> Any:
    """A finished clip of a second."""
    served.studio.runs.clear()
    source = tmp_path / "boat.png"
    Image.radial_gradient("L").resize((640, 368)).convert("RGB").save(source)
    values = {"prompt": "The boat drifts", "seconds": 1.0, "speed": "fast", "resolution": "draft"}
    job = served.studio.add("image_to_video", values, source)
    served.studio.complete(job)
    return served.studio.job(job.id, job.key)


def opacity(page: Page) -> float:
    return float(page.locator("#ws-card .player .bar").evaluate("bar => getComputedStyle(bar).opacity"))


def test_the_player_under_a_finger(served: SimpleNamespace, visit: Callable[..., Page], clip: Any) -> None:
    page = visit(375, 812, path=f"/?job={clip.id}&key={clip.key}", on=served, touch=True)
    card(page, "done")
    video = page.locator("#ws-card video")
    play = page.locator('#ws-card [data-p="play"]')
    page.wait_for_function("document.querySelector('#ws-card video').readyState > 1")
    assert page.evaluate("matchMedia('(hover: none) and (pointer: coarse)').matches")
    assert opacity(page) == 1

    # A tap plays; the controls go, and a tap where they are brings them back while the clip goes on.
    video.tap(position={"x": 100, "y": 40})
    page.wait_for_function("!document.querySelector('#ws-card video').paused")
    expect(play).to_have_attribute("aria-label", "Pause")
    page.wait_for_function(f"!{PLAYER}.hasAttribute('data-awake')")
    page.wait_for_function(f"getComputedStyle({PLAYER}.querySelector('.bar')).opacity === '0'")
    box = page.locator('#ws-card [data-p="full"]').bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function(f"getComputedStyle({PLAYER}.querySelector('.bar')).opacity === '1'")
    assert not video.evaluate("v => v.paused") and page.evaluate("document.fullscreenElement") is None
    video.tap(position={"x": 100, "y": 40})
    page.wait_for_function("document.querySelector('#ws-card video').paused")

    # Single frames, then full screen and back; the whole picture in both.
    page.locator('#ws-card [data-p="tools"]').tap()
    page.locator('#ws-card [data-p="next"]').tap()
    expect(page.locator("#ws-card .count")).to_contain_text("of 17")
    full = page.locator('#ws-card [data-p="full"]')
    full.tap()
    page.wait_for_function(f"document.fullscreenElement === {PLAYER}")
    expect(full).to_have_attribute("aria-label", "Exit full screen")
    seen, window = video.bounding_box(), page.evaluate("[innerWidth, innerHeight]")
    assert seen is not None and seen["width"] == pytest.approx(window[0], abs=1)
    assert seen["height"] <= window[1]
    full.tap()
    page.wait_for_function("document.fullscreenElement === null")
    expect(full).to_have_attribute("aria-label", "Full screen")

    # What a pointer finds by hovering is there for a finger, and large enough.
    assert "\n".join(page.evaluate(SMALL, LEAST)) == ""
    page.get_by_role("tab", name="Library").tap()
    actions = page.locator(".tile .actions > :is(a, button), .tile .actions [data-menu]")
    expect(actions).to_have_count(5)
    page.locator(".tile .actions").evaluate("node => node.scrollIntoView({ block: 'center' })")
    for action in actions.all():
        assert action.evaluate(COVERED) is False
    assert page.locator(".tile .actions").evaluate("node => getComputedStyle(node).opacity") == "1"
    assert "\n".join(page.evaluate(SMALL, LEAST)) == ""
    page.get_by_role("button", name="More: The boat drifts").tap()
    expect(page.get_by_role("menuitem", name="Workflow")).to_be_visible()


@pytest.mark.parametrize(
    ("width", "height"), [deep(375, 812), deep(844, 390), deep(768, 1024), deep(1024, 768), deep(1366, 1024)]
)
def test_targets_are_as_large_as_a_fingertip(
    served: SimpleNamespace, visit: Callable[..., Page], clip: Any, width: int, height: int
) -> None:
    page = visit(width, height, path=f"/?job={clip.id}&key={clip.key}", on=served, touch=True)
    card(page, "done")
    for tab in ("image", "sound", "animate", "fast", "text", "library", "system"):
        page.locator(f"#tab-{tab}-button").tap()
        for button in page.locator(f"#tab-{tab} button.advanced").all():
            if button.is_visible():
                button.tap()
        assert "\n".join(page.evaluate(SMALL, LEAST)) == "", tab
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab


def test_a_result_without_its_file_says_so(
    served: SimpleNamespace, visit: Callable[..., Page], clip: Any
) -> None:
    file = served.studio.result_path(clip.id, clip.key)
    content = file.read_bytes()
    file.unlink()
    page = visit(path=f"/?job={clip.id}&key={clip.key}", on=served, missing=True)
    card(page, "done")
    lost = page.locator("#ws-card .stage .lost")
    expect(lost).to_contain_text("This result could not be loaded.")
    expect(page.locator("#ws-card .player .bar")).to_be_hidden()
    page.wait_for_function("window.wanStudio?.drafts && !window.wanStudio.drafts.busy()")
    file.write_bytes(content)
    lost.get_by_role("button", name="Try again").click()
    expect(lost).to_be_hidden()
    page.wait_for_function("document.querySelector('#ws-card video').readyState > 0")

    # A job that is deleted meanwhile is no longer on the stage, and the page says why.
    file.unlink()
    page.reload()
    expect(lost).to_be_visible()
    served.studio.runs.clear()
    lost.get_by_role("button", name="Try again").click()
    expect(page.locator("#ws-card .said")).to_contain_text("This clip no longer exists.")
    card(page, "empty")
