"""What screenshots open on the page: menus, dialogs, forms that are filled in."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page

from scripts.scene_jobs import PROMPTS
from ui.tabs.registry import TABS

FILES = {
    "image_to_video": {"image": "dunes.jpg"},
    "sound_to_video": {"audio": "voice-12.mp3", "image": "character.jpg"},
    "animate": {"image": "character.jpg", "video": "walk-4.mp4"},
    "fast_video": {"image": "aurora.jpg"},
}
"""Mode -> field -> file of `files`. The names of sounds and videos contain their seconds."""
DROP = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(content), (char) => char.charCodeAt(0))], name));
  const event = { bubbles: true, cancelable: true, dataTransfer: data };
  for (const type of ["dragenter", "dragover", "drop"]) {
    document.querySelector("#ws-header").dispatchEvent(new DragEvent(type, event));
  }
}"""
"""Drops a file, given by name and base64, on the header."""


def menu(page: Page) -> None:
    page.locator("#ws-card .steps.next [data-menu]").last.click()


def tools(page: Page) -> None:
    page.locator('#ws-card [data-p="tools"]').click()


def finish(page: Page) -> None:
    page.locator("#ws-card [data-act=finish-dialog]").first.click()
    page.locator("#ws-dialog-final .make").wait_for()


def choosing(page: Page) -> None:
    menu(page)
    page.locator("#ws-card").get_by_role("menuitem", name="Compare").click()
    page.locator("#ws-comparing").wait_for()


def compared(page: Page) -> None:
    page.locator("#ws-card .relations [data-act=compare]").click()
    page.locator("#ws-dialog-compare .compare-differs table").wait_for()


def slider(page: Page) -> None:
    compared(page)
    page.locator("#ws-dialog-compare label", has_text="Slider").click()


def extend(page: Page) -> None:
    page.locator("#ws-card [data-open=extend]").click()
    page.locator("#ws-dialog-extend summary").click()
    page.locator('#ws-dialog-extend [data-x="length"]:not(:empty)').wait_for()


def reroll(page: Page) -> None:
    page.locator("#ws-card [data-open=reroll]").last.click()
    page.locator("#ws-dialog-reroll .make").wait_for()


def details(page: Page) -> None:
    page.locator("#ws-card .about summary").click()
    page.locator("#ws-card .took summary").click()


def queue(page: Page) -> None:
    page.locator('[data-live="queue"]').click()
    page.locator("#ws-queue li").first.wait_for()


def suggestions(page: Page) -> None:
    page.locator("#tab-image .help-toggle").click()


def all_jobs(page: Page) -> None:
    page.locator("#tab-library-button").click()
    page.locator("#library-status label", has_text="All").click()
    page.locator(".stopped-tile").first.wait_for()


def hovered(page: Page) -> None:
    page.locator("#tab-library-button").click()
    page.locator(".tile").first.hover()


def found_none(page: Page) -> None:
    page.locator("#tab-library-button").click()
    page.locator("#library-search :is(input, textarea)").fill("nothing like it")
    page.locator("#ws-library .nothing").wait_for()


def deleted(page: Page) -> None:
    page.locator('#ws-card [data-act="delete"]').click()
    page.locator(".undo-toast").wait_for()


def reused(page: Page) -> None:
    menu(page)
    page.locator("#ws-card").get_by_role("menuitem", name="Reuse settings").click()
    page.locator("#tab-image .advice").wait_for()


def filled(page: Page, tab: str, folder: Path) -> None:
    """Files in every field, a prompt, and Advanced open."""
    for mode in next((one.modes for one in TABS if one.key == tab), ()):
        if not page.locator(f"#{mode}-prompt textarea").is_visible():
            continue
        for name, file in FILES.get(mode, {}).items():
            place = page.locator(f"#{mode}-{name}")
            if place.locator("img, .file-preview").count() == 0:
                place.locator("input[type=file]").set_input_files(folder / file)
                place.locator("img, .file-preview").first.wait_for(state="attached")
        page.locator(f"#{mode}-prompt textarea").fill(PROMPTS[0])
        button = page.locator(f'[aria-controls="{mode}-advanced"]')
        if button.get_attribute("aria-expanded") == "false":
            button.click()


def troubled(page: Page, tab: str, folder: Path) -> None:
    """A broken picture, a prompt over its limit, and a size that is not allowed."""
    for mode in next((one.modes for one in TABS if one.key == tab), ()):
        if not page.locator(f"#{mode}-prompt textarea").is_visible():
            continue
        picture = page.locator(f"#{mode}-image input[type=file]")
        if picture.count():
            picture.set_input_files(folder / "broken.png")
            page.locator(f"#tab-{tab} .ws-line .problem").first.wait_for()
        page.locator(f"#{mode}-prompt textarea").fill("A very long prompt. " * 210)
        button = page.locator(f'[aria-controls="{mode}-advanced"]')
        if button.get_attribute("aria-expanded") == "false":
            button.click()
        page.locator(f"#{mode}-width input").fill("17")
        page.locator(f"#{mode}-width input").press("Tab")


def chosen(page: Page, tab: str, folder: Path) -> None:
    """Advanced with the LoRAs and the model; on System the files of a set, and those for a role."""
    if tab == "system":
        page.locator("#ws-download [data-fetch=plan]").click()
        page.locator("#ws-download .fetch-files").wait_for()
        page.locator(".models summary").first.click()
        return
    mode = next(one.modes[0] for one in TABS if one.key == tab)
    advanced = page.locator(f'[aria-controls="{mode}-advanced"]')
    if advanced.get_attribute("aria-expanded") == "false":
        advanced.click()
    loras = page.locator(f"#{mode}-loras")
    loras.locator(".lora-add").click()
    loras.locator(".lora-option").first.click()
    loras.locator(".lora .chip").first.wait_for()
    loras.locator(".lora-add").click()
    loras.locator(".lora-option").first.wait_for()
    loras.evaluate("node => node.scrollIntoView({ block: 'start' })")


def drop(page: Page, name: str, content: bytes) -> None:
    """Drops a file on the page, beside its fields."""
    page.evaluate(DROP, [name, base64.b64encode(content).decode()])


def recipe(page: Page) -> None:
    """The note about a recipe whose picture and LoRA are not here."""
    values = {"prompt": PROMPTS[0], "seed": 7, "seconds": 3.0}
    content = {
        "version": 1,
        "settings": {"version": 3, "mode": "image_to_video", "values": values},
        "media": {"image": {"sha256": "ab" * 32}},
    }
    info, file = PngInfo(), io.BytesIO()
    info.add_text("wan_studio", json.dumps(content))
    Image.new("RGB", (64, 64)).save(file, format="PNG", pnginfo=info)
    drop(page, "lake.png", file.getvalue())
    page.locator(".ws-said").wait_for()


def several(page: Page) -> None:
    """Four variations that differ in the prompt, with the card of what is varied open."""
    page.locator("#image_to_video-count").select_option("4")
    page.locator("#image_to_video-variations [data-vary]").select_option("prompt")
    page.locator("#image_to_video-variations .vary-values textarea").last.wait_for()


def presets(page: Page) -> None:
    page.locator("#tab-image .preset [data-menu]").click()
    page.locator("#tab-image .preset [role=menuitem]").first.wait_for()


def managed(page: Page) -> None:
    presets(page)
    page.locator("#tab-image .preset").get_by_role("menuitem", name="Manage presets").click()
    page.locator("#ws-dialog-preset-manage[open]").wait_for()


def saved(page: Page) -> None:
    page.locator("#tab-image .preset-save").click()
    page.locator("#ws-dialog-preset-save[open]").wait_for()


def loop(page: Page) -> None:
    """Advanced, scrolled to its choices of motion."""
    page.locator('[aria-controls="image_to_video-advanced"]').click()
    page.locator("#image_to_video-loop").evaluate("node => node.scrollIntoView({ block: 'center' })")


def picked(page: Page) -> None:
    page.locator("#ws-card .cell[data-state=done] .pick").nth(0).click()
    page.locator("#ws-card .cell[data-state=done] .pick").nth(1).click()
    page.locator("#ws-card .picks").wait_for()


def pair(page: Page) -> None:
    """The comparison of two that are picked, which `picked` has chosen."""
    page.locator("#ws-card .picks [data-menu]").click()
    page.locator("#ws-card .picks").get_by_role("menuitem", name="Compare").click()
    page.locator("#ws-dialog-compare .compare-differs table").wait_for()


def alone(page: Page) -> None:
    """Opens one clip of a set alone."""
    page.locator('#ws-card .cell[data-state=done] [data-act="show"]').first.click()
    page.locator("#ws-card [data-player]").wait_for()
