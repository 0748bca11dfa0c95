"""Records the page on the demo engine, from a starter to a joined video: docs/images/tour.mp4.

Each step is shown in its planned time, however long this machine takes for it; a pause as long as it is.

.venv/bin/python -m scripts.recording [FILE]
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from scripts.demo_page import IMAGES, demo_page, launch, opened, starter
from scripts.doc_pictures import CLIP, COMPARED
from scripts.scene_views import drop
from scripts.tour_file import HEIGHT, WIDTH, Tour, encode

TARGET = IMAGES / "tour.mp4"
BYTES = 1_500_000
"""The largest file."""
STEP_SECONDS = 0.2
MOVE_SECONDS = 0.4
MOVE_STEPS = 8
FILE = "wan-studio.mp4"
PROMPT = "Wind lifts veils of sand, long shadows creep over the ripples"
NEXT = "The camera pushes in towards the sun"
IN_STEP = """() => {
  const clips = [...document.querySelectorAll("#ws-card .cell video")];
  return clips.length === 4 && clips.every((clip) => !clip.paused && clip.currentTime > 0.2);
}"""


class Visitor:
    """Acts on the page at the pace of a person, and notes where the pointer is."""

    def __init__(self, page: Page, tour: Tour) -> None:
        self.page, self.tour = page, tour
        self.x, self.y = WIDTH * 0.6, HEIGHT * 0.5

    def rest(self, seconds: float) -> None:
        self.page.wait_for_timeout(seconds * 1000)

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """A step, of the visitor or the engine, which the file shows in at most these seconds."""
        began = time.time()
        yield
        self.tour.steps.append((began, time.time(), seconds))

    def move(self, x: float, y: float) -> None:
        """Moves the pointer, slower at both ends of the way."""
        from_x, from_y = self.x, self.y
        for step in range(MOVE_STEPS + 1):
            share = step / MOVE_STEPS
            share *= share * (3 - 2 * share)
            self.x, self.y = from_x + share * (x - from_x), from_y + share * (y - from_y)
            self.page.mouse.move(self.x, self.y)
            self.tour.moves.append((time.time(), self.x, self.y))
            self.rest(MOVE_SECONDS / MOVE_STEPS)

    def point(self, target: Locator) -> None:
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box is not None
        self.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def press(self, target: Locator, then: Locator | None = None, seconds: float = 0.6) -> None:
        """Presses the target, and waits for what it opens."""
        with self.within(seconds):
            self.point(target)
            self.tour.presses.append(time.time())
            target.click()
            if then is not None:
                then.wait_for()

    def choose(self, target: Locator, value: str) -> None:
        """Chooses from a list, whose open menu a recording does not show."""
        with self.within(0.6):
            self.point(target)
            self.tour.presses.append(time.time())
            target.select_option(value)

    def write(self, target: Locator, words: str) -> None:
        self.press(target)
        with self.within(len(words) * 0.028):
            target.press("ControlOrMeta+a")
            target.press_sequentially(words, delay=10)


def tour(page: Page, by: Visitor) -> None:
    """Four variations, two compared, one finished and extended; then its file restores the form."""
    card, form = page.locator("#ws-card"), page.locator("#tab-image")
    by.rest(0.8)
    by.press(starter(page, "dunes"), form.locator("#image_to_video-image img").first, 0.9)
    by.rest(0.5)
    by.write(page.locator("#image_to_video-prompt textarea"), PROMPT)
    by.press(page.locator("#image_to_video-seconds label").first)
    by.choose(page.locator("#image_to_video-count"), "4")
    by.rest(0.7)
    by.press(page.locator("#image_to_video-generate:not([disabled])"), card.locator(".cell").nth(3))
    page.evaluate("scrollTo(0, 0)")
    with by.within(4.5):
        card.locator('.card[data-state="done"]').wait_for()

    by.press(card.locator('[data-s="play"]'))
    with by.within(0.2):
        page.wait_for_function(IN_STEP)
    by.rest(2.4)
    compare(page, by)
    by.press(card.get_by_role("button", name="Finish at 480p"), card.locator(".relations"))
    with by.within(2.2):
        card.locator('.card[data-state="done"]').wait_for()
        page.wait_for_function(f"{CLIP}?.currentTime > 0")
    by.rest(1.3)

    final = content(page)
    extend(page, by)
    by.rest(2.8)
    clear = page.locator('.draft[data-mode="image_to_video"] [data-draft="clear"]')
    by.press(clear)
    with by.within(0.3):
        clear.wait_for(state="hidden")
    by.press(page.locator("#tab-library-button"), page.locator("#ws-library .tile").first)
    by.rest(1.3)
    with by.within(0.1):
        by.move(WIDTH - 120, HEIGHT - 80)
    began = time.time()
    with by.within(1.1):
        by.move(WIDTH * 0.4, HEIGHT * 0.55)
    by.tour.carried.append((began, time.time(), FILE))
    with by.within(0.4):
        drop(page, FILE, final)
        expect(page.locator("#image_to_video-prompt textarea")).to_have_value(PROMPT)
        page.locator("#image_to_video-image img").first.wait_for()
    by.rest(2.5)


def compare(page: Page, by: Visitor) -> None:
    """Picks two of the set, drags the divider over them to both sides, and keeps one of them picked."""
    card, dialog = page.locator("#ws-card"), page.locator("#ws-dialog-compare")
    picks, menu = card.locator(".cell .pick"), card.locator(".picks")
    by.press(picks.nth(0))
    by.press(picks.nth(3))
    item = menu.get_by_role("menuitem", name="Compare")
    by.press(menu.locator("[data-menu]"), item)
    by.press(item, dialog.locator("video").first)
    with by.within(0.3):
        page.wait_for_function(COMPARED)
    by.press(dialog.locator("label", has_text="Slider"))
    with by.within(0.4):
        by.point(dialog.get_by_role("slider", name="Divider between A and B"))
    page.mouse.down()
    middle, high = by.x, by.y
    for across in (-260, 240, 0):
        with by.within(0.75):
            by.move(middle + across, high)
    page.mouse.up()
    by.rest(0.3)
    page.keyboard.press("Escape")
    by.press(picks.nth(0))


def content(page: Page) -> bytes:
    """The file of the clip on the card."""
    address = page.locator("#ws-card a.btn.ink").get_attribute("href") or ""
    return page.request.get(page.url.partition("?")[0] + address.lstrip("/")).body()


def extend(page: Page, by: Visitor) -> None:
    """Extends the clip on the card by what happens next."""
    card, dialog = page.locator("#ws-card"), page.locator("#ws-dialog-extend")
    first = card.locator(".card").get_attribute("data-shown")
    by.press(card.locator('[data-open="extend"]'), dialog.locator("textarea"))
    by.write(dialog.locator("textarea"), NEXT)
    by.press(dialog.locator('[data-field="seconds"] label').first)
    by.press(dialog.locator("[data-dialog-submit]"))
    with by.within(2.4):
        dialog.wait_for(state="hidden")
        card.locator(f'.card[data-state="done"]:not([data-shown="{first}"])').wait_for()
        card.locator(".parts li").nth(1).wait_for()
        page.wait_for_function(f"{CLIP}?.readyState > 1")
    page.evaluate(f"{CLIP}.play()")


def record(browser: Browser, url: str) -> Tour:
    """Takes the tour in a new window and returns what the browser painted."""
    page = opened(browser, url, WIDTH, HEIGHT, "dark")
    session = page.context.new_cdp_session(page)
    made = Tour()

    def painted(event: dict[str, Any]) -> None:
        made.pictures.append((float(event["metadata"]["timestamp"]), base64.b64decode(event["data"])))
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", painted)
    session.send("Page.startScreencast", {"format": "jpeg", "quality": 90})
    tour(page, Visitor(page, made))
    made.end = time.time()
    session.send("Page.stopScreencast")
    page.context.close()
    return made


def main() -> None:
    """Records the tour into the file of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=TARGET)
    target = parser.parse_args().file
    with demo_page(STEP_SECONDS) as url, sync_playwright() as playwright:
        browser = launch(playwright)
        made = record(browser, url)
        browser.close()
    seconds = encode(made, target)
    print(f"{target}: {seconds:.1f} s, {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
