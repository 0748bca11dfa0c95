"""A finished clip restores the form that it was made with: dropped anywhere, on a field, pasted, and for
others."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Locator, Page, expect

from tests.e2e.actions import card, choose, short
from tests.e2e.conftest import PATIENCE
from tests.e2e.test_files import DROP
from tests.support.boxes import mdta_texts

expect.set_options(timeout=PATIENCE)
PROMPT = "A paper boat <b>drifts</b> & turns"
PASTE = """([name, type, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(content), (char) => char.charCodeAt(0))], name, { type }));
  const event = { bubbles: true, cancelable: true, clipboardData: data };
  document.body.dispatchEvent(new ClipboardEvent("paste", event));
}"""


CARRIES = "(words) => window.wanStudio.recipes.carries(new File([words], 'a.mp4'))"


def drop(page: Page, target: str, path: Path) -> None:
    page.evaluate(DROP, [target, [[path.name, base64.b64encode(path.read_bytes()).decode()]]])


def prompt(page: Page, mode: str = "image_to_video") -> Locator:
    return page.locator(f"#{mode}-prompt textarea")


def test_a_clip_restores_its_form(visit: Callable[..., Page], photo: Path, tmp_path: Path) -> None:
    page = visit()
    choose(page, photo)
    prompt(page).fill(PROMPT)
    short(page)
    page.locator("#image_to_video-generate").click()
    card(page, "done")
    clip = tmp_path / "boat.mp4"
    address = page.locator("#ws-card a.btn.ink").get_attribute("href")
    clip.write_bytes(page.request.get(page.url.partition("?")[0] + str(address).lstrip("/")).body())
    assert json.loads(mdta_texts(clip)["prompt"])

    # Dropped beside every field
    prompt(page).fill("Something else")
    page.locator("#image_to_video-image .icon-button-wrapper button").click()
    drop(page, "ws-header", clip)
    expect(prompt(page)).to_have_value(PROMPT)
    expect(page.locator(".ws-said")).to_have_text("Settings of boat.mp4 restored. Undo brings back yours.")
    expect(page.locator(".ws-said")).to_have_css("padding", "12px 16px")
    expect(page.locator("#tab-image .ws-line").first).to_contain_text("fjord.jpg")
    expect(page.locator("#image_to_video-seconds label.selected")).to_have_text("2 s")
    page.locator('.draft[data-mode="image_to_video"] [data-draft="undo"]').click()
    expect(prompt(page)).to_have_value("Something else")

    # Dropped on a field: it stays there, and its settings are offered
    drop(page, "image_to_video-image", clip)
    expect(page.locator("#tab-image .ws-line").first).to_contain_text("boat.mp4 is not a picture")
    page.get_by_role("button", name="Restore its settings").click()
    expect(prompt(page)).to_have_value(PROMPT)
    expect(page.locator("#tab-image .ws-line").first).to_contain_text("fjord.jpg")

    # A file that was made with a picture that is not here
    settings = {"version": 3, "mode": "image_to_video", "values": {"prompt": "A lake <i>", "seed": 7}}
    recipe = {"version": 1, "settings": settings, "media": {"image": {"sha256": "ab" * 32}}}
    info = PngInfo()
    info.add_text("wan_studio", json.dumps(recipe))
    Image.new("RGB", (64, 64)).save(tmp_path / "lake.png", pnginfo=info)
    drop(page, "ws-header", tmp_path / "lake.png")
    expect(prompt(page)).to_have_value("A lake <i>")
    expect(page.locator("#tab-image")).to_contain_text(
        "The file that was used for Picture is not among yours"
    )
    expect(page.locator("#image_to_video-end_image h2")).to_have_css("font-size", "13px")

    # A file that says nothing changes nothing; a graph of ComfyUI, pasted, opens its tab
    Image.new("RGB", (64, 64)).save(tmp_path / "none.png")
    drop(page, "ws-header", tmp_path / "none.png")
    expect(page.locator("body")).to_contain_text("This file does not say how it was made.")
    expect(prompt(page)).to_have_value("A lake <i>")
    forged = {"version": 3, "mode": "<img src=x>", "values": {}}
    content = base64.b64encode(json.dumps(forged).encode()).decode()
    page.evaluate(PASTE, ["forged.json", "application/json", content])
    expect(page.locator(".toast-wrap")).to_contain_text("These settings are for '<img src=x>'")
    assert page.locator(".toast-wrap img").count() == 0, "words of a file are no markup"
    graph = {"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "A pond <i>"}}}
    packed = json.dumps({"prompt": json.dumps(graph)})  # as VideoHelperSuite writes it
    assert page.evaluate(CARRIES, packed) and page.evaluate(CARRIES, json.dumps(graph))
    assert not page.evaluate(CARRIES, "class_type")
    content = base64.b64encode(json.dumps(graph).encode()).decode()
    page.evaluate(PASTE, ["graph.json", "application/json", content])
    expect(prompt(page, "text_to_image")).to_have_value("A pond <i>")
