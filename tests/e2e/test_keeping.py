"""The original file comes back, Delete can be undone, and failed videos are in the Library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.actions import card, generate, more
from tests.e2e.conftest import PATIENCE, Site

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("harbour") / "Harbour at dawn.jpg"
    Image.radial_gradient("L").resize((4000, 3000)).convert("RGB").save(path)
    return path


def test_reuse_undo_and_cancelled(visit: Callable[..., Page], site: Site, harbour: Path) -> None:
    page = visit()
    generate(page, harbour, "Boats turn in the wind")
    card(page, "done")
    page.locator("#image_to_video-image button[aria-label]").first.click()  # the form is empty again
    more(page, "Reuse settings")
    line = page.locator("#tab-image .ws-line").first
    expect(line).to_contain_text("Harbour at dawn.jpg")
    expect(line).to_contain_text("4000 × 3000")
    page.locator("#image_to_video-advanced").evaluate("node => node.toggleAttribute('data-open', true)")
    page.locator("#image_to_video-resolution label", has_text="720p").click()
    with site.held():
        page.locator("#image_to_video-generate").click()
        card(page, "running")
        page.locator('#ws-card .foot [data-act="cancel"]').click()
        site.cancelling()
    card(page, "cancelled")

    page.locator("#tab-library-button").click()
    tiles = page.locator("#ws-library .tile")
    expect(tiles).to_have_count(1)
    bin = tiles.first.locator('[data-act="delete"]')
    bin.focus()
    page.keyboard.press("Enter")
    undo = page.locator(".undo-toast .undo")
    expect(undo).to_be_focused()
    expect(tiles).to_have_count(0)
    other = visit(beside=page)
    card(other, "empty")
    page.keyboard.press("Enter")
    expect(tiles).to_have_count(1)
    expect(page.locator(".undo-toast")).to_have_count(0)

    page.locator("#library-status label", has_text="Cancelled").click()
    stopped = page.locator('#ws-library .tile[data-state="cancelled"]')
    expect(stopped.locator(".reason")).to_contain_text("Cancelled")
    expect(stopped.locator('[data-act="reuse"]')).to_be_visible()  # a cancelled video keeps no files
    stopped.locator('[data-act="delete"]').dblclick()  # an accident: nothing is deleted
    expect(stopped.locator(".reason")).to_be_visible()
    expect(page.locator(".undo-toast")).to_have_count(0)
    expect(stopped.locator('[data-act="delete"]')).to_be_enabled()
    stopped.locator('[data-act="delete"]').click()
    expect(page.locator(".undo-toast")).to_have_count(1)
    expect(page.locator("#ws-library .nothing")).to_contain_text("No video was cancelled.")
    page.locator("#library-status label", has_text="All states").click()
    expect(tiles).to_have_count(1)
    expect(tiles.first).to_have_attribute("data-state", "done")
