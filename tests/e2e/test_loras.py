"""LoRAs of one's own on the page: searched, ordered, with strengths; kept by the draft, put back by a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import Page, expect

from backend.models.state import LoraState
from tests.e2e.actions import card, more
from tests.e2e.conftest import PATIENCE, Site

expect.set_options(timeout=PATIENCE)
PAIR = "styles/Wan2.2-I2V-paper-cut_HIGH.safetensors"
ORBIT = "camera-orbit.safetensors"
WIDE = "() => document.documentElement.scrollWidth <= window.innerWidth"


def opened(page: Page, mode: str = "image_to_video") -> None:
    page.locator(f'[aria-controls="{mode}-advanced"]').click()
    page.locator(f"#{mode}-loras .lora-add").wait_for()


def added(page: Page, words: str) -> None:
    """Searches and takes the first one that is found."""
    box = page.locator("#image_to_video-loras")
    box.locator(".lora-add").click()
    box.locator("input[type=search]").fill(words)
    found = box.locator(".lora-option")
    expect(found).to_have_count(1)
    found.click()


def test_chosen_ordered_kept_and_refused(visit: Callable[..., Page], site: Site) -> None:
    page = visit(width=375, height=800)
    opened(page)
    rows = page.locator("#image_to_video-loras .lora")
    added(page, "paper-cut")
    added(page, "orbit")
    expect(rows.first).to_contain_text("High and low")
    rows.first.get_by_label("Low noise, strength of").fill("0.4")
    rows.nth(1).get_by_role("button", name="Earlier").click()
    expect(rows.first).to_contain_text("camera-orbit")
    assert page.evaluate(WIDE)
    area = page.locator("#image_to_video-loras textarea")
    wanted = [
        {"name": ORBIT, "strength": 1, "strength_low": 1},
        {"name": PAIR, "strength": 1, "strength_low": 0.4},
    ]
    assert json.loads(area.input_value()) == wanted
    page.wait_for_function("Object.values(localStorage).some((one) => one.includes('paper-cut'))")
    page.reload()
    page.locator("#image_to_video-generate").wait_for()
    opened(page)
    expect(rows.nth(1).get_by_label("Low noise, strength of")).to_have_value("0.4")
    assert json.loads(area.input_value()) == wanted
    expect(page.locator('[aria-controls="image_to_video-advanced"]')).to_contain_text("2 LoRAs")

    rows.nth(1).get_by_label("Low noise, strength of").fill("9")
    expect(page.locator("#image_to_video-loras .ws-problem")).to_contain_text("between -5 and 5")
    expect(page.locator("#image_to_video-generate")).to_be_disabled()
    rows.nth(1).get_by_role("button", name="Remove").click()
    expect(page.locator("#image_to_video-loras .ws-problem")).to_have_count(0)
    page.locator('.draft[data-mode="image_to_video"]').get_by_role("button", name="Clear").click()
    expect(rows).to_have_count(0)


def test_reuse_puts_them_back_with_their_words(
    visit: Callable[..., Page], served: SimpleNamespace, photo: Path
) -> None:
    served.studio.lora_rows = [
        LoraState("ink_high.safetensors", "<b>Ink</b>", "ink_low.safetensors", words=("1nk w4sh", "brush")),
        LoraState("flux.safetensors", "Grain", obstacle="It is made for Flux."),
    ]
    served.studio.runs.clear()
    given = [{"name": "ink_high.safetensors", "strength": 0.7}]
    job = served.studio.add("image_to_video", {"seconds": 0.5, "prompt": "A boat", "loras": given}, photo)
    served.studio.complete(job)
    page = visit(path=f"/?job={job.id}&key={job.key}", on=served, theme="dark")
    card(page, "done")
    more(page, "Reuse settings")
    opened(page)
    row = page.locator("#image_to_video-loras .lora")
    expect(row).to_contain_text("<b>Ink</b>")
    expect(row.get_by_label("High noise, strength of")).to_have_value("0.7")
    for width in (375, 1024, 1440, 1920):  # the name has room beside the buttons, or above them
        page.set_viewport_size({"width": width, "height": 900})
        assert row.locator(".lora-about").evaluate("about => about.clientWidth") > 90, width
    row.get_by_role("button", name="1nk w4sh").click()
    expect(page.locator("#image_to_video-prompt textarea")).to_have_value("A boat, 1nk w4sh")
    page.locator("#image_to_video-loras .lora-add").click()
    expect(page.locator("#image_to_video-loras .lora-option")).to_contain_text("It is made for Flux.")
    page.keyboard.press("Escape")
    expect(page.locator("#image_to_video-loras .lora-add")).to_be_focused()
