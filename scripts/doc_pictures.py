"""Takes the pictures of the README and of docs into docs/images, from the page on the demo engine.

.venv/bin/python -m scripts.doc_pictures                all of them
.venv/bin/python -m scripts.doc_pictures extend.jpg     some; what they show is made first
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Collection

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from scripts.demo_page import IMAGES, demo_page, launch, opened, shown, starter

WIDTH, HEIGHT = 1440, 900
BYTES = 150_000
"""The largest file; a picture that would be larger is saved in a lower quality."""
STEP_SECONDS = 0.8  # slow enough to catch a preview
MOVES = (
    "The camera glides left over the dunes, wind lifts veils of sand from the crests",
    "The camera rises above the dunes, long shadows creep over the ripples",
    "The camera pushes in towards the low sun, sand drifts across the crests",
    "The camera stays still, the light turns from gold to red",
)
CLIP = "document.querySelector('#ws-card [data-player] video')"
PLAYED = """() => {
  const clips = [...document.querySelectorAll("#ws-card .cell video")];
  return clips.length === 4 && clips.every((clip) => !clip.paused && clip.currentTime > 1.2);
}"""
COMPARED = """() => {
  const clips = [...document.querySelectorAll("#ws-dialog-compare video")];
  return clips.length === 2 && clips.every((clip) => clip.readyState > 1 && !clip.seeking);
}"""


def take(page: Page, name: str) -> None:
    """Saves the window as a JPEG of at most BYTES."""
    page.mouse.move(0, 0)
    shown(page)
    page.wait_for_timeout(300)  # transitions
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in range(88, 30, -4):
        file = io.BytesIO()
        picture.save(file, format="JPEG", quality=quality, optimize=True, progressive=True)
        if file.tell() <= BYTES:
            break
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / name).write_bytes(file.getvalue())
    print(f"{name}: {file.tell() / 1000:.0f} kB, quality {quality}", flush=True)


def choose(page: Page, name: str) -> None:
    """Presses a starter and waits until its picture is in the form."""
    starter(page, name).click()
    page.locator("#image_to_video-image img").first.wait_for()
    page.locator("#image_to_video-generate:not([disabled])").wait_for()


def generate(page: Page) -> None:
    page.locator("#image_to_video-generate:not([disabled])").click()
    page.locator('#ws-card .card[data-state="running"]').wait_for()


def finished(page: Page) -> None:
    page.locator('#ws-card .card[data-state="done"]').wait_for()


def at(page: Page, share: float) -> None:
    """Pauses the clip on the card at this share of its length."""
    page.wait_for_function(f"{CLIP}?.readyState > 1")
    page.evaluate(f"(share) => {{ {CLIP}.pause(); {CLIP}.currentTime = {CLIP}.duration * share; }}", share)
    page.wait_for_function(f"!{CLIP}.seeking")


def one(page: Page, wanted: Collection[str]) -> None:
    """A single clip, while it is made and when it is done; then in the light theme."""
    choose(page, "sunset")
    generate(page)
    page.locator('[data-live="tag"]', has_text="Preview").wait_for()
    page.locator("#ws-card .status", has_text="step 4").wait_for()
    if "running.jpg" in wanted:
        take(page, "running.jpg")
    finished(page)
    if "done.jpg" in wanted:
        at(page, 0.4)
        page.emulate_media(color_scheme="light")
        take(page, "done.jpg")


def several(page: Page, wanted: Collection[str]) -> None:
    """Four variations that differ in the prompt; two are compared, one is finished."""
    choose(page, "dunes")
    page.locator("#image_to_video-seconds label", has_text="3 s").click()
    page.locator("#image_to_video-count").select_option("4")
    page.locator("#image_to_video-variations [data-vary]").select_option("prompt")
    rows = page.locator("#image_to_video-variations .vary-values textarea")
    for number, text in enumerate(MOVES):
        rows.nth(number).fill(text)
    generate(page)
    finished(page)
    page.locator('#ws-card [data-s="play"]').click()
    page.wait_for_function(PLAYED)
    page.evaluate("scrollTo(0, 0)")
    if "variations.jpg" in wanted:
        take(page, "variations.jpg")
    cells = page.locator("#ws-card .cell .pick")
    cells.nth(0).click()
    cells.nth(2).click()
    menu = page.locator("#ws-card .picks")
    menu.locator("[data-menu]").click()
    menu.get_by_role("menuitem", name="Compare").click()
    dialog = page.locator("#ws-dialog-compare")
    page.wait_for_function(COMPARED)
    dialog.locator("label", has_text="Slider").click()
    for _ in range(30):
        dialog.locator('[data-c="next"]').click()
    page.wait_for_function(COMPARED)
    if "compare.jpg" in wanted:
        take(page, "compare.jpg")
    page.keyboard.press("Escape")
    cells.nth(0).click()
    if "finish.jpg" in wanted:
        menu.locator("[data-menu]").click()
        menu.locator('[data-s="other"]').click()
        page.locator("#ws-dialog-final .make").wait_for()
        take(page, "finish.jpg")
        page.keyboard.press("Escape")


def longer(page: Page, wanted: Collection[str]) -> None:
    """A clip, the dialog that extends it, and the joined video."""
    choose(page, "aurora")
    page.locator("#image_to_video-seconds label", has_text="3 s").click()
    generate(page)
    finished(page)
    at(page, 0.5)
    page.locator('#ws-card [data-open="extend"]').click()
    dialog = page.locator("#ws-dialog-extend")
    dialog.locator('[data-x="length"]:not(:empty)').wait_for()
    dialog.locator("textarea").fill("The camera pushes in over the snow, the northern lights fade")
    dialog.locator('[data-x="time"]:not(:empty)').wait_for()
    if "extend.jpg" in wanted:
        take(page, "extend.jpg")
    first = page.locator("#ws-card .card").get_attribute("data-shown")
    dialog.locator("[data-dialog-submit]").click()
    page.locator(f'#ws-card .card[data-state="done"]:not([data-shown="{first}"])').wait_for()
    page.locator("#ws-card .parts li").nth(1).wait_for()
    at(page, 0.6)
    if "joined.jpg" in wanted:
        take(page, "joined.jpg")


SESSIONS: tuple[tuple[str, tuple[str, ...], Callable[[Page, Collection[str]], None]], ...] = (
    ("dark", ("running.jpg", "done.jpg"), one),
    ("dark", ("variations.jpg", "compare.jpg", "finish.jpg"), several),
    ("light", ("extend.jpg", "joined.jpg"), longer),
)
"""Theme, pictures that are taken, and what is done on the page for them."""
PICTURES = tuple(name for _, names, _ in SESSIONS for name in names)


def all_of(browser: Browser, url: str, wanted: Collection[str]) -> None:
    """Takes the pictures that are wanted, each session with an own visitor."""
    for theme, names, act in SESSIONS:
        if not set(names) & set(wanted):
            continue
        began = time.monotonic()
        page = opened(browser, url, WIDTH, HEIGHT, theme)
        act(page, wanted)
        page.context.close()
        print(f"{time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    """Takes the pictures that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", nargs="*", choices=[*PICTURES, []])
    wanted = parser.parse_args().picture or PICTURES
    with demo_page(STEP_SECONDS) as url, sync_playwright() as playwright:
        browser = launch(playwright)
        all_of(browser, url, wanted)
        browser.close()


if __name__ == "__main__":
    main()
