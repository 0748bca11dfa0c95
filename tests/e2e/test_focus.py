"""The focus stays on the page: whatever is pressed by the keyboard and then removed, hidden or replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import Locator, Page, expect

from tests.e2e.actions import card, choose
from tests.e2e.clips import add_clips
from tests.e2e.conftest import PATIENCE

expect.set_options(timeout=PATIENCE)
FOCUSED = """() => {
  const now = document.activeElement;
  return now && now !== document.body && now.getClientRects().length > 0 && !now.disabled;
}"""
WHERE = "() => document.activeElement.outerHTML.slice(0, 120)"
CLIPS = 62
"""More than the Library shows at once."""


def press(button: Locator, key: str = "Enter") -> None:
    button.focus()
    button.press(key)


def test_focus_never_falls_to_the_body(
    visit: Callable[..., Page], served: SimpleNamespace, photo: Path
) -> None:
    studio = served.studio
    add_clips(studio, photo, CLIPS)
    page = visit(on=served)
    seen: dict[str, str] = {}

    def stays(step: str) -> None:
        page.wait_for_function(FOCUSED)
        page.evaluate("() => new Promise((done) => requestIdleCallback(done))")
        assert page.evaluate(FOCUSED), f"{step}: {page.evaluate(WHERE)}"
        seen[step] = page.evaluate(WHERE)

    # The form: a picture taken out, the form emptied, and that undone.
    tab = page.locator("#tab-image")
    image = page.locator("#image_to_video-image")
    choose(page, photo)
    press(image.locator(".icon-button-wrapper button"))
    expect(image.locator("img")).to_have_count(0)
    stays("remove a picture")
    assert "upload-container" in seen["remove a picture"]
    page.locator("#image_to_video-prompt textarea").fill("A boat drifts")
    for name, after in (("Clear", ""), ("Undo", "A boat drifts")):
        press(tab.locator(".draft").get_by_role("button", name=name))
        expect(page.locator("#image_to_video-prompt textarea")).to_have_value(after)
        stays(name)

    # A panel that is closed, and a press that is taken back.
    press(tab.locator(".help-toggle"))
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(tab.locator(".help-panel")).to_be_hidden()
    stays("close a panel")
    page.context.set_offline(True)
    expect(page.locator("#ws-connection .connection")).to_be_visible()
    choose_offline = page.locator("#image_to_video-image input[type=file]")
    choose_offline.set_input_files(photo)
    press(page.locator("#image_to_video-generate"))
    press(tab.locator(".ws-held").get_by_role("button", name="Cancel"))
    expect(tab.locator(".ws-held")).to_have_count(0)
    stays("take a press back")
    press(tab.locator(".ws-upload").get_by_role("button", name="Cancel"))
    expect(tab.locator(".ws-upload")).to_have_count(0)
    stays("take an upload back")
    page.context.set_offline(False)
    expect(page.locator("#ws-connection .connection")).to_be_hidden()

    # Jobs: the menu of a result, the queue's panel, a job cancelled in either place.
    choose(page, photo)
    generate = page.locator("#image_to_video-generate")
    press(generate)
    card(page, "running")
    expect(generate).to_have_text("Add to queue")
    press(generate)
    press(page.locator('[data-live="queue"]'))
    rows = page.locator("#ws-queue li")
    expect(rows).to_have_count(2)
    press(rows.nth(1).locator('[data-act="cancel"]'))
    expect(rows).to_have_count(1)
    stays("cancel in the queue's panel")
    page.keyboard.press("Escape")
    expect(page.locator("#ws-queue .queue-panel")).to_be_hidden()
    stays("close the queue's panel")
    press(page.locator('#ws-card .foot [data-act="cancel"]'))
    card(page, "cancelled")
    stays("cancel on the card")

    press(page.locator("#ws-card .recent [data-act=show], #ws-card .thumb").first)
    card(page, "done")
    stays("show a recent clip")
    more = page.locator("#ws-card .steps.next [data-menu]", has_text="More")
    for key in ("Escape", "Tab"):
        press(more)
        expect(page.get_by_role("menu", name="More")).to_be_visible()
        page.keyboard.press(key)
        expect(page.get_by_role("menu", name="More")).to_be_hidden()
        stays(f"close a menu by {key}")
    pin = page.locator('#ws-card [data-act="pin"]').first
    press(pin)
    expect(page.locator('#ws-card [data-act="unpin"]').first).to_be_visible()
    stays("pin")
    press(page.locator('#ws-card [data-act="unpin"]').first)
    expect(page.locator('#ws-card [data-act="pin"]').first).to_be_visible()
    press(page.locator('#ws-card [data-act="delete"]').first)
    expect(page.locator(".undo-toast .undo")).to_be_focused()
    press(page.locator(".undo-toast .dismiss"))
    expect(page.locator(".undo-toast")).to_have_count(0)
    stays("delete on the card, and dismiss")

    # The Library: a further page, a tile deleted, and its Undo.
    press(page.locator("#tab-library-button"))
    tiles = page.locator("#ws-library .tile")
    expect(tiles).to_have_count(60)
    press(page.locator('#ws-library [data-act="more"]'))
    page.wait_for_function("document.querySelectorAll('#ws-library .tile').length > 60")
    stays("a further page")
    count = tiles.count()
    tiles.nth(3).scroll_into_view_if_needed()
    press(tiles.nth(3).locator('[data-act="delete"]'))
    expect(tiles).to_have_count(count - 1)
    expect(page.locator(".undo-toast .undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(tiles).to_have_count(count)
    stays("undo in the Library")
    press(tiles.nth(3).locator('[data-act="delete"]'))
    expect(page.locator(".undo-toast .undo")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".undo-toast")).to_have_count(0)
    stays("dismiss in the Library")
    page.locator("#library-status label", has_text="Failed").locator("input").press("Space")
    expect(page.locator("#ws-library .nothing")).to_be_visible()
    stays("a filter")
