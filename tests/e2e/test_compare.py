"""Two clips side by side or under a slider: chosen, and played in step."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.actions import card, more
from tests.e2e.conftest import PATIENCE

expect.set_options(timeout=PATIENCE)
VALUES = {"prompt": "The boat drifts", "speed": "fast", "resolution": "draft", "seconds": 0.5, "seed": 7}
LOADED = """() => {
  const videos = [...document.querySelectorAll("#ws-dialog-compare video")];
  return videos.length === 2 && videos.every((video) => video.readyState > 1 && !video.seeking);
}"""
TIMES = "videos => videos.map((video) => video.currentTime)"
FRAME = 1 / 16
CLOCK = """() => {
  const video = () => ({ readyState: 4, currentTime: 0, pause() {}, play: async () => {} });
  const clip = (fps, frames) => ({ fps, frames, video: video() });
  const clips = [clip(16, 9), clip(24, 48)], seen = [];
  const clock = wanStudio.pairClock(clips, ({ frames }) => seen.push(frames));
  const shown = () => clips.map(({ fps, video }) => Math.round(video.currentTime * fps * 100) / 100);
  const found = [];
  for (const by of [1, 1, 1, 20, 100, -1, -200]) {
    clock.step(by);
    found.push([...seen.at(-1), ...shown()]);
  }
  return found;
}"""
"""What two clips of 16 and 24 frames a second show, step by step of the finer one."""


@pytest.fixture
def clips(served: SimpleNamespace, photo: Path) -> list[Any]:
    """A draft of 9 frames, and its final of 17."""
    studio = served.studio
    studio.runs.clear()
    made = []
    for values in (VALUES, {**VALUES, "resolution": "480p", "speed": "quality", "seconds": 1.0}):
        job = studio.add("image_to_video", values, photo)
        studio.complete(job)
        made.append(studio.job(job.id, job.key))
    run = studio.runs[made[1].id]
    run.view = replace(run.view, source=made[0].id, role="final")
    return [made[0], run.view]


def times(page: Page) -> list[float]:
    """Where the two clips are, once both show what they are asked for."""
    page.wait_for_function(LOADED)
    found: list[float] = page.locator("#ws-dialog-compare video").evaluate_all(TIMES)
    return found


def test_two_clips_are_compared(
    served: SimpleNamespace, visit: Callable[..., Page], clips: list[Any]
) -> None:
    draft, final = clips
    page = visit(path=f"/?job={draft.id}&key={draft.key}", on=served)
    card(page, "done")
    more(page, "Compare")
    line = page.locator("#ws-comparing")
    expect(line).to_contain_text("Choose the clip to compare with: The boat drifts")
    other = page.locator(f'#ws-card .thumb[data-id="{final.id}"]')
    expect(other).to_be_focused()
    page.keyboard.press("Escape")
    expect(line).to_be_hidden()
    expect(page.locator("#ws-card .steps.next [data-menu]", has_text="More")).to_be_focused()
    more(page, "Compare")
    other.click()
    dialog = page.get_by_role("dialog", name="Compare")
    expect(dialog).to_be_visible()
    assert page.locator("#ws-card .card").get_attribute("data-shown") == draft.id, "it is chosen, not shown"

    # In step, frame by frame; the shorter one holds its last frame.
    expect(dialog.locator(".count")).to_have_text("Frame 1 and 1")
    for number in (2, 3, 4):
        page.keyboard.press(".")
        expect(dialog.locator(".count")).to_have_text(f"Frame {number} and {number}")
        one, two = times(page)
        assert abs(one - two) < FRAME / 2 and abs(one - (number - 0.5) * FRAME) < FRAME / 2
    page.keyboard.press("End")
    expect(dialog.locator(".count")).to_have_text("Frame 9 and 17")
    one, two = times(page)
    assert 8 * FRAME < one < 9 * FRAME and 16 * FRAME < two < 17 * FRAME
    dialog.get_by_role("slider", name="Position in both clips").fill("5")
    one, two = times(page)
    assert abs(one - two) < FRAME / 2

    # The slider by keyboard, over one rectangle.
    dialog.locator("label", has_text="Slider").click()
    grip = dialog.get_by_role("slider", name="Divider between A and B")
    grip.focus()
    for key in ("ArrowRight", "PageUp", "ArrowLeft"):
        page.keyboard.press(key)
    expect(grip).to_have_attribute("aria-valuenow", "60")
    boxes = [dialog.locator("video").nth(n).bounding_box() for n in (0, 1)]
    assert boxes[0] == boxes[1]

    # Clips of unlike rates go by time: 0, 1/24, 2/24 s ... is frame 0, 0, 1 of the slower one.
    assert page.evaluate(CLOCK) == [
        [0, 1, 0.5, 1.5], [1, 2, 1.5, 2.5], [2, 3, 2.5, 3.5], [8, 23, 8.5, 23.5], [8, 47, 8.5, 47.5],
        [8, 46, 8.5, 46.5], [0, 0, 0.5, 0.5],
    ]  # fmt: skip

    # What differs, and back to where it was opened.
    rows = dialog.locator(".compare-differs tbody tr")
    expect(rows.filter(has_text="Size")).to_have_text(
        f"Size{draft.width} × {draft.height}{final.width} × {final.height}"
    )
    expect(rows.filter(has_text="Speed")).to_have_text("SpeedFastQuality")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#ws-dialog-compare video")).to_have_count(0)


@pytest.mark.deep
def test_both_play_in_step_and_wait_for_each_other(
    served: SimpleNamespace, visit: Callable[..., Page], clips: list[Any]
) -> None:
    page = visit(path=f"/?job={clips[1].id}&key={clips[1].key}", on=served)
    card(page, "done")
    page.locator("#ws-card .relations [data-act=compare]").click()  # the draft is offered directly
    dialog = page.get_by_role("dialog", name="Compare")
    page.wait_for_function(LOADED)
    dialog.get_by_role("button", name="Play", exact=True).click()
    apart = page.evaluate("""async () => {
      const videos = [...document.querySelectorAll("#ws-dialog-compare video")], found = [];
      for (const end = performance.now() + 2500; performance.now() < end; ) {
        await new Promise(requestAnimationFrame);
        const [a, b] = videos.map((video) => video.currentTime);
        if (a < 1 && b < 0.5) found.push(Math.abs(a - b));
      }
      return found;
    }""")
    assert len(apart) > 20 and sorted(apart)[len(apart) // 2] < FRAME
    page.keyboard.press("k")
    one, two = times(page)
    assert min(one, 8.5 * FRAME) == pytest.approx(min(two, 8.5 * FRAME), abs=FRAME / 2)


@pytest.mark.deep
def test_a_clip_is_chosen_in_the_library_and_a_lost_file_is_said(
    served: SimpleNamespace, visit: Callable[..., Page], clips: list[Any]
) -> None:
    draft, final = clips
    page = visit(on=served, missing=True)
    page.get_by_role("tab", name="Library").click()
    tile = page.locator(".tile", has=page.locator(f'[data-id="{final.id}"]'))
    tile.hover()
    tile.locator("[data-menu]").click()
    tile.get_by_role("menuitem", name="Compare").click()
    expect(page.locator("#ws-comparing")).to_be_visible()
    (served.studio.folder / f"{draft.id}.mp4").unlink()  # that of the other one is on the stage
    page.locator(f'#ws-library .open[data-id="{draft.id}"]').click()
    dialog = page.get_by_role("dialog", name="Compare")
    expect(dialog.get_by_role("alert")).to_have_text(
        "This file could not be loaded. It may have been removed."
    )


@pytest.mark.deep
@pytest.mark.parametrize("width", [375, 1440])
def test_sizes_and_zoom(
    served: SimpleNamespace, visit: Callable[..., Page], clips: list[Any], width: int
) -> None:
    page = visit(width=width, height=812, path=f"/?job={clips[1].id}&key={clips[1].key}", on=served)
    card(page, "done")
    page.locator("#ws-card .relations [data-act=compare]").click()
    dialog = page.get_by_role("dialog", name="Compare")
    page.wait_for_function(LOADED)
    views = [dialog.locator(".compare-view").nth(n).bounding_box() or {} for n in (0, 1)]
    assert (views[0]["y"] == views[1]["y"]) is (width > 700), "side by side, on a phone one above the other"
    assert page.evaluate("document.querySelector('#ws-dialog-compare').scrollWidth") <= width
    dialog.locator("label", has_text="1:1").click()
    boxes = dialog.locator("video").evaluate_all("v => v.map((one) => one.getBoundingClientRect().width)")
    assert boxes == [clips[1].width] * 2
    dialog.locator(".compare-view").first.evaluate("view => view.scrollTo(20, 0)")
    if width < 700:
        page.wait_for_function("document.querySelectorAll('.compare-view')[1].scrollLeft === 20")


@pytest.mark.deep
def test_an_address_that_has_expired_is_renewed(
    served: SimpleNamespace, visit: Callable[..., Page], clips: list[Any]
) -> None:
    page = visit(path=f"/?job={clips[1].id}&key={clips[1].key}", on=served, missing=True)
    card(page, "done")
    refused: list[str] = []

    def once(route: Route) -> None:
        if refused:
            return route.continue_()
        refused.append(route.request.url)
        return route.fulfill(status=404)

    page.route(re.compile(f"/media/{clips[0].id}/result.mp4"), once)
    page.locator("#ws-card .relations [data-act=compare]").click()
    dialog = page.get_by_role("dialog", name="Compare")
    page.wait_for_function(LOADED)
    assert refused and dialog.get_by_role("alert").count() == 0


@pytest.mark.deep
def test_two_pictures_and_the_sound_of_one_clip(
    served: SimpleNamespace, visit: Callable[..., Page], clips: list[Any], photo: Path
) -> None:
    studio = served.studio
    stills = []
    for seed in (1, 2):
        job = studio.add("text_to_image", {"prompt": "A boat", "seed": seed, "model": "wan"}, photo)
        studio.runs[job.id].view = replace(job, status="done", frames=1, fps=0.0)
        stills.append(job)
    page = visit(path=f"/?job={clips[1].id}&key={clips[1].key}", on=served)
    card(page, "done")
    pair = [{"id": job.id, "key": job.key} for job in stills]
    page.evaluate("pair => void wanStudio.compare.open(pair)", pair)
    dialog = page.get_by_role("dialog", name="Compare")
    expect(dialog.locator(".compare-frame img")).to_have_count(2)
    expect(dialog.locator(".compare-differs")).to_contain_text("Seed")
    expect(dialog.locator(".compare-bar")).to_be_hidden()
    expect(dialog.locator("[data-choice=sound]")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    pair = [{"id": job.id, "key": job.key} for job in clips]
    page.evaluate("pair => void wanStudio.compare.open(pair)", pair)
    page.wait_for_function(LOADED)
    muted = "videos => videos.map((video) => video.muted)"
    for label, expected in (("A", [False, True]), ("B", [True, False]), ("No sound", [True, True])):
        dialog.locator("[data-choice=sound] label", has_text=label).last.click()
        assert dialog.locator("video").evaluate_all(muted) == expected
