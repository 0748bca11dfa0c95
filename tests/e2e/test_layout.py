"""Where things stand on the page: beside long forms, in small windows, with toasts; the queue's panel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page, expect

from tests.e2e.actions import card, generate, more
from tests.e2e.clips import add_clips
from tests.e2e.conftest import PATIENCE, Site
from tests.support.tiers import deep

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]
SIZES = ((1920, 1080), (1440, 900), (1366, 650), (1024, 768), (375, 812), (844, 390))
OVERLAP = """() => {
  const wrap = document.querySelector('.toast-body'), stage = document.querySelector('#ws-card .stage');
  if (!wrap) return 'no toast';
  const [a, b] = [wrap.getBoundingClientRect(), stage.getBoundingClientRect()];
  const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
  const inside = a.left >= 0 && a.top >= 0 && a.right <= innerWidth && a.bottom <= innerHeight;
  return apart && inside ? '' : JSON.stringify([a, b, innerWidth, innerHeight]);
}"""
ROWS = "#ws-queue .queue-panel li"


def ids(page: Page) -> list[str | None]:
    return [row.get_attribute("data-id") for row in page.locator(ROWS).all()]


@pytest.mark.deep
def test_queue_panel_and_toasts(visit: Visit, photo: Path, site: Site) -> None:
    page = visit()
    with site.held():
        generate(page, photo, "A long one")
        card(page, "running")
        for number in (1, 2, 3):
            page.locator("#image_to_video-generate").click()
            expect(page.locator("#ws-card .line li")).to_have_count(number)

        # The same message counts up in one line, and no window is so small that it covers the video.
        lines = page.locator(".toast-message-item:not([hidden])")
        expect(lines).to_have_count(1)
        said = lines.locator(".toast-message-text")
        expect(said).to_have_attribute("data-times", "3 times")
        assert "(" in said.evaluate("place => getComputedStyle(place, '::after').content")
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_function(f"({OVERLAP})() === ''")
        page.set_viewport_size({"width": 1440, "height": 900})

        # The panel: opened by the keyboard, the focus follows the job that moves, Escape closes.
        page.locator('[data-live="queue"]').press("Enter")
        expect(page.locator(ROWS)).to_have_count(4)
        before = ids(page)
        page.locator(ROWS).nth(3).locator('[data-act="up"]').press("Enter")
        page.wait_for_function(
            f"document.querySelectorAll('{ROWS}')[2].dataset.id === '{before[3]}'"
            f" && document.activeElement.dataset.id === '{before[3]}'"
        )
        assert ids(page) == [before[0], before[1], before[3], before[2]]
        expect(page.locator("#ws-card .line li").nth(1)).to_have_attribute("data-id", str(before[3]))
        page.reload()
        page.locator('[data-live="queue"]').click()
        expect(page.locator(ROWS).nth(2)).to_have_attribute("data-id", str(before[3]))
        page.locator(ROWS).nth(3).locator('[data-act="cancel"]').click()
        expect(page.locator(ROWS)).to_have_count(3)
        page.keyboard.press("Escape")
        expect(page.locator("#ws-queue")).to_be_hidden()
        assert page.evaluate("document.activeElement.matches('[data-live=queue]')")
        page.keyboard.press("Enter")
        everything = page.locator('#ws-queue [data-act="cancel_all"]')
        everything.click()
        expect(everything).to_contain_text("Cancel all 3?")
        everything.click()
        site.cancelling()
    expect(page.locator(ROWS)).to_have_count(0)
    card(page, "cancelled")


def test_result_generate_tabs_and_samples(visit: Visit, photo: Path, site: Site) -> None:
    page = visit(width=1366, height=650)
    # A sample and Generate: Mix with its mask, in two clicks.
    page.get_by_role("tab", name="Animate").click()
    page.locator('#ws-card [data-n="mix"]').click()
    expect(page.locator("#animate-mask .file-preview")).to_be_attached()
    expect(page.locator("#animate-image img").first).to_be_visible()
    button = page.locator("#animate-generate")
    expect(button).to_be_in_viewport(ratio=1)
    with site.held():
        button.click()
        card(page, "running")
        page.locator('#ws-card [data-act="cancel"]').click()
        site.cancelling()
    card(page, "cancelled")

    page.get_by_role("tab", name="Image-to-Video").click()
    generate(page, photo)
    card(page, "done")
    page.get_by_role("button", name=re.compile("Advanced")).click()
    for width, height in ((1366, 650), (1366, 768), (844, 390)):
        page.set_viewport_size({"width": width, "height": height})
        page.locator("#image_to_video-steps input").scroll_into_view_if_needed()
        expect(page.locator("#image_to_video-generate")).to_be_in_viewport(ratio=1)
        expect(page.locator("#ws-card .stage")).to_be_in_viewport(ratio=0.9)
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    # A phone: another tab folds the result to a strip, a tap opens it.
    page.set_viewport_size({"width": 375, "height": 812})
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("tab", name="Sound-to-Video").click()
    strip = page.locator("#ws-card .reopen")
    expect(strip).to_be_visible()
    assert strip.bounding_box()["height"] == 64  # type: ignore[index]
    expect(page.locator("#ws-card video")).to_be_hidden()
    strip.click()
    expect(page.locator("#ws-card video")).to_be_visible()
    # So does what a button of the result puts into a form; the focus stays on the page.
    more(page, "Reuse settings")
    expect(strip).to_be_focused()
    expect(page.get_by_role("tab", name="Image-to-Video")).to_be_in_viewport(ratio=1)
    expect(page.locator("#image_to_video-prompt textarea")).to_be_in_viewport()

    # One heading of the first level in each tab; arrows in the list of tabs, then the theme's button.
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("tab", name="Image-to-Video").click()
    for name in ("Image-to-Video", "Sound-to-Video", "Animate", "Fast 4-step", "Text", "Library", "System"):
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    expect(page.locator("[data-theme-toggle]")).to_be_focused()


COVERED = """() => {
  const shown = (node) => node.getClientRects().length && getComputedStyle(node).visibility !== 'hidden';
  const toasts = [...document.querySelectorAll('.toast-body, .undo-toast')].filter(shown);
  if (!toasts.length) return 'no toast';
  const parts = 'IMG VIDEO BUTTON INPUT TEXTAREA SELECT A'.split(' ');
  const speaks = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  const content = [...document.querySelectorAll('.gradio-container *')].filter((node) =>
    (parts.includes(node.tagName) || speaks(node)) && shown(node)
    && !node.closest(".toast-wrap, .ws-toasts, .sr, svg, style"));
  for (const toast of toasts) {
    const a = toast.getBoundingClientRect();
    const inside = a.left >= 0 && a.top >= 0 && a.right <= innerWidth && a.bottom <= innerHeight;
    if (!inside) return `outside: ${a.top} ${a.bottom}`;
    for (const node of content) {
      const b = node.getBoundingClientRect();
      if (b.width < 3 || b.height < 3) continue;
      if (a.right > b.left && b.right > a.left && a.bottom > b.top && b.bottom > a.top)
        return `${node.outerHTML.slice(0, 100)} ${[a.top, a.bottom, b.top, b.bottom].map(Math.round)}`;
    }
  }
  return '';
}"""
"""What a message covers, "" for nothing."""


@pytest.mark.parametrize("sizes", [SIZES[1::3], deep(SIZES)], ids=["two sizes", "all sizes"])
def test_messages_cover_nothing(
    visit: Visit, served: SimpleNamespace, photo: Path, sizes: tuple[tuple[int, int], ...]
) -> None:
    add_clips(served.studio, photo, 24)
    page = visit(on=served)
    page.wait_for_function("window.wanStudio?.drafts && !window.wanStudio.drafts.busy()")
    page.get_by_role("tab", name="Library").click()
    page.locator('#ws-library .tile [data-act="delete"]').first.click()
    page.locator(".undo-toast").wait_for()
    page.evaluate(  # one that stays
        "() => { const list = document.querySelector('.ws-toasts');"
        " list.replaceChildren(list.firstElementChild.cloneNode(true)); }"
    )
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        for name in ("Library", "System", "Animate", "Image-to-Video"):
            page.get_by_role("tab", name=name).click()
            for share in (0, 0.5):
                page.evaluate(f"scrollTo(0, {share} * document.documentElement.scrollHeight)")
                try:
                    page.wait_for_function(f"({COVERED})() === ''")
                except BrowserError:
                    pytest.fail(f"{name} at {width} x {height}, {share}: {page.evaluate(COVERED)}")
    page.evaluate("document.querySelector('.ws-toasts').replaceChildren()")
    page.wait_for_function("![...document.querySelectorAll('[style*=margin-top]')].length")
