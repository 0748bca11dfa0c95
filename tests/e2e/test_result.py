"""A result is looked at frame by frame and goes on: player, menus, prompt and settings, small pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.e2e.actions import card
from tests.e2e.conftest import PATIENCE

expect.set_options(timeout=PATIENCE)
LEFT = 100
"""Where the bright bar of the first frame begins, in pixels; each frame moves it by one."""
VALUES = {
    "prompt": "A bar\nmoves " + "on and on " * 40,
    "speed": "fast",
    "resolution": "draft",
    "seconds": 1.0,
}
BAR = """async (node) => {
  if (node.tagName === "IMG") await node.decode();
  while (node.seeking) await new Promise((done) => node.addEventListener("seeked", done, { once: true }));
  const [width, height] = [node.videoWidth || node.naturalWidth, node.videoHeight || node.naturalHeight];
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const brush = canvas.getContext("2d");
  brush.drawImage(node, 0, 0);
  const row = brush.getImageData(0, height / 2, width, 1).data;
  let sum = 0, weight = 0;
  for (let x = 0; x < width; x += 1) {
    const light = Math.max(0, row[4 * x] - 60);
    sum += light * x;
    weight += light;
  }
  return sum / weight;
}"""
"""The middle of the bright bar in what is on the screen."""

MIDDLES = """buttons => buttons.map((button) => button.getBoundingClientRect())
  .map(({ left, top, width, height }) => [left + width / 2, top + height / 2])"""
NAMES = "buttons => buttons.map((one) => one.ariaLabel || one.querySelector('span').textContent)"
BUTTONS_AT = """places => places.map(([x, y]) => document.elementFromPoint(x, y)?.closest("button, a"))
  .filter(Boolean).map((button) => button.outerHTML.slice(0, 120))"""
SETTLED = """() => {
  const video = document.querySelector("#ws-card video");
  return video.paused && !video.seeking && Math.abs(((video.currentTime * 16) % 1) - 0.5) < 0.01;
}"""
"""The clip has stopped in the middle of a frame's time."""


@pytest.fixture
def clip(served: SimpleNamespace, tmp_path: Path) -> Any:
    """A finished draft of 17 frames whose bar shows the number of the frame."""
    served.studio.runs.clear()
    source = tmp_path / "bar.png"
    picture = Image.new("RGB", (640, 368), (20, 20, 20))
    ImageDraw.Draw(picture).rectangle((LEFT, 0, LEFT + 39, 367), fill=(235, 235, 235))
    picture.save(source)
    job = served.studio.add("image_to_video", {**VALUES, "seed": 7, "motion": "dynamic"}, source)
    served.studio.complete(job)
    return served.studio.job(job.id, job.key)


def frame(page: Page, selector: str = "#ws-card video") -> int:
    """The number of the frame that a picture shows, counted from 1, by where its bar is."""
    middle = page.locator(selector).first.evaluate(BAR)
    number = middle - LEFT - 19.5 + 1
    assert abs(number - round(number)) < 0.25, number
    return round(number)


def test_a_result_frame_by_frame(served: SimpleNamespace, visit: Callable[..., Page], clip: Any) -> None:
    page = visit(path=f"/?job={clip.id}&key={clip.key}", on=served)
    card(page, "done")
    video, count = page.locator("#ws-card video"), page.locator("#ws-card .count")
    page.wait_for_function("document.querySelector('#ws-card video').readyState > 1")
    assert frame(page) == 1 and not count.is_visible()

    # Exactly one frame a key, in both directions and not beyond the ends.
    for number in (2, 3, 4):
        page.keyboard.press(".")
        expect(count).to_have_text(f"Frame {number} of 17")
        assert frame(page) == number
    page.keyboard.press(",")
    expect(count).to_have_text("Frame 3 of 17")
    assert frame(page) == 3
    for _ in range(20):  # faster than the seeks
        page.keyboard.press(".")
    for _ in range(3):
        page.wait_for_function("!document.querySelector('#ws-card video').seeking")
        expect(count).to_have_text("Frame 17 of 17")
        assert frame(page) == 17
        page.keyboard.press(".")  # a clip that repeats does not go on to its first frame
    page.keyboard.press("ArrowLeft")
    expect(count).to_have_text("Frame 13 of 17")
    page.keyboard.press("j")
    expect(count).to_have_text("Frame 1 of 17")
    page.locator('#ws-card [data-p="next"]').click()
    expect(count).to_have_text("Frame 2 of 17")
    page.keyboard.press("l")
    expect(count).to_have_text("Frame 17 of 17")
    page.locator('#ws-card .player input[type="range"]').fill("5")
    expect(count).to_have_text("Frame 6 of 17")
    assert frame(page) == 6

    # Keys in a field belong to the field.
    prompt = page.locator("#image_to_video-prompt textarea")
    prompt.click()
    page.keyboard.type("k, l. ")
    expect(prompt).to_have_value("k, l. ")
    expect(count).to_have_text("Frame 6 of 17")
    assert video.evaluate("v => v.paused")
    prompt.blur()
    # On a tab the arrow keys belong to the tabs, all others reach the player.
    page.get_by_role("tab", name="Image-to-Video").focus()
    page.keyboard.press(".")
    expect(count).to_have_text("Frame 7 of 17")
    page.keyboard.press(",")
    expect(count).to_have_text("Frame 6 of 17")
    page.get_by_role("tab", name="Image-to-Video").blur()

    # Speed and repeat stay for the next clip; playing and pausing by the keyboard, while it repeats.
    page.keyboard.press("<")
    assert video.evaluate("v => v.playbackRate") == 0.5
    page.locator("#ws-card [data-speed]").select_option("0.25")
    page.locator("#ws-card [data-speed]").blur()
    page.keyboard.press("k")
    page.wait_for_function("!document.querySelector('#ws-card video').paused")
    page.keyboard.press(" ")
    page.wait_for_function(SETTLED)
    stopped = frame(page)
    expect(count).to_have_text(f"Frame {stopped} of 17")  # what is seen, not what the clock says
    page.locator('#ws-card [data-p="loop"]').click()
    assert video.evaluate("v => [v.playbackRate, v.loop]") == [0.25, False]

    # The frame on the screen is the one that is used.
    page.locator('#ws-card .steps.next .btn[data-act="frame"]').click()
    expect(page.locator("#tab-image .ws-line").first).to_contain_text(f"frame-{stopped}.png")
    assert frame(page, "#image_to_video-image img") == stopped
    page.reload()
    card(page, "done")
    assert video.evaluate("v => [v.playbackRate, v.loop]") == [1, True], "a new page starts with the defaults"


def test_what_a_result_goes_on_to(served: SimpleNamespace, visit: Callable[..., Page], clip: Any) -> None:
    studio = served.studio
    page = visit(path=f"/?job={clip.id}&key={clip.key}", on=served)
    card(page, "done")
    letterbox = "getComputedStyle(document.querySelector('#ws-card .stage')).backgroundColor"
    done_colour = page.evaluate(letterbox)

    # The menu by keyboard: it opens, moves, closes, and gives the focus back.
    more = page.locator("#ws-card .steps [data-menu]", has_text="More")
    menu = page.get_by_role("menu", name="More")
    more.focus()
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    expect(more).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("menuitem", name="Compare")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Reuse settings")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="Animate Video")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(more).to_be_focused()
    more.click()
    page.locator("#ws-card .status").click()
    expect(menu).to_be_hidden()

    # Prompt and settings: whole, and copied whole.
    about = page.locator("#ws-card .about")
    assert not about.locator(".prompt").is_visible()
    about.locator("summary").click()
    expect(about.locator(".prompt")).to_have_text(clip.params["prompt"].strip())
    expect(about.locator("dl")).to_contain_text("Dynamic")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    about.get_by_role("button", name="Copy settings").click()
    expect(about.get_by_role("button", name="Copied")).to_be_visible()
    assert "Motion: Dynamic" in page.evaluate("navigator.clipboard.readText()")

    # A draft's dialog says what its final will be; nothing moves under the pointer meanwhile.
    finish = page.locator("#ws-card .steps [data-act=finish-dialog]")
    where = finish.bounding_box()
    buttons = page.locator("#ws-card :is(.head, .steps.next) .btn")
    pressed = buttons.evaluate_all(MIDDLES)
    assert buttons.evaluate_all(NAMES) == [
        "Download", "Use frame", "Extend", "Another seed", "Variations", "Finish", "More", "Pin",
        "Delete",
    ]  # fmt: skip
    finish.click()
    dialog = page.get_by_role("dialog", name="Make the final")
    expect(dialog.locator("tbody tr")).to_have_text([
        "Size640 × 368832 × 480", "SpeedFastQuality, 20 steps", re.compile("TimeAbout 1 min 5 s"),
    ])  # fmt: skip
    expect(dialog).to_contain_text("The motion will be close, not identical")
    make = dialog.get_by_role("button", name="Make the final")
    expect(make).to_be_focused()
    dialog.locator("label", has_text="720p").click()
    expect(dialog.locator("tbody tr").first).to_contain_text("1264 × 720")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(finish).to_be_focused()
    assert finish.bounding_box() == where
    finish.click()
    expect(dialog.get_by_role("radio", name="720p")).to_be_checked()
    dialog.locator("label", has_text="480p").click()
    make.click()
    card(page, "running")
    assert page.evaluate(letterbox) == done_colour, "one colour around the picture"
    assert page.evaluate(BUTTONS_AT, pressed) == [], "no second press hits another button"
    made = next(run.view for id, run in studio.runs.items() if id != clip.id)
    assert made.params["resolution"] == "480p" and made.params["speed"] == "quality" and made.seed == 7
    assert made.source == clip.id
    expect(page.locator("#ws-card .relations")).to_contain_text("Final of")

    # The recent clip plays under the pointer, but not where less motion is asked for.
    thumb = page.locator("#ws-card .thumb[data-clip]")
    expect(thumb).to_contain_text("Seed 7")
    thumb.hover()
    page.wait_for_timeout(400)
    assert not page.locator(".hovered").count()
    page.mouse.move(5, 5)
    page.emulate_media(reduced_motion="no-preference")
    thumb.hover()
    page.locator("#ws-card .hovered.on").wait_for()
    assert page.locator(".hovered").evaluate("v => v.muted && v.loop")
    page.mouse.move(5, 5)
    expect(page.locator(".hovered")).to_have_count(0)

    # From a tile the whole video becomes a driving video.
    page.get_by_role("tab", name="Library").click()
    tile = page.locator(".tile[data-state=done]")
    tile.hover()
    page.locator(".tile .hovered.on").wait_for()
    tile.locator("[data-menu]").click()
    tile.get_by_role("menuitem", name="Animate").click()
    expect(page.get_by_role("tab", name="Animate")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#tab-animate .block.ws-line", has_text="video-7.mp4")).to_be_visible()
