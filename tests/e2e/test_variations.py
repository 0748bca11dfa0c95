"""Several videos from one press: they play in step on the card, and the picked ones are finished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actions import card, choose
from tests.e2e.conftest import PATIENCE
from tests.e2e.page_marks import TEXTS

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]
CELLS = "#ws-card .cell"
TIMES = "() => [...document.querySelectorAll('#ws-card .cell video')].map((video) => video.currentTime)"
READY = """(count) => {
  const found = [...document.querySelectorAll('#ws-card .cell video')];
  return found.length === count && found.every((video) => video.readyState > 1 && !video.seeking);
}"""
IN_STEP = f"""() => {{
  const times = ({TIMES})(), clips = [...document.querySelectorAll('#ws-card .cell video')];
  if (clips.some((one) => one.paused) || Math.min(...times) < 0.2) return null;
  return Math.max(...times) - Math.min(...times) < 1 / 16 ? times : null;
}}"""
"""The times of all clips, once all play and none is a frame away from another."""
TOP = "() => document.querySelector('#ws-card .stage.set').getBoundingClientRect().top >= 0"
STANDS = """() => document.querySelector("dialog[open]") &&
  [...document.querySelectorAll("#ws-card .cell video")].every((video) => video.paused)"""


def opened(served: SimpleNamespace, visit: Visit, **more: Any) -> Page:
    """The page of a visitor without any job."""
    served.studio.runs.clear()
    page = visit(on=served, **more)
    page.wait_for_function("window.wanStudio?.drafts && !window.wanStudio.drafts.busy()")
    return page


def made(page: Page, served: SimpleNamespace, photo: Path, count: int) -> Any:
    """The set that Generate makes of so many, still running."""
    choose(page, photo)
    page.locator("#image_to_video-prompt textarea").fill("The boat drifts")
    page.locator("#image_to_video-seconds label").first.click()
    page.locator("#image_to_video-count").select_option(str(count))
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.locator("#image_to_video-generate:not([disabled])").click()
    card(page, "running")
    return next(run for run in served.studio.runs.values() if run.members)


def done(page: Page, served: SimpleNamespace, photo: Path, count: int) -> Any:
    """The finished set on the card, its clips loaded."""
    whole = made(page, served, photo, count)
    served.studio.complete(whole.view)
    card(page, "done")
    page.wait_for_function(READY, arg=count)
    return whole


def test_three_drafts_play_in_step_and_the_best_is_finished(
    served: SimpleNamespace, visit: Visit, photo: Path
) -> None:
    page = opened(served, visit)
    whole = made(page, served, photo, 3)
    page.wait_for_function(TOP)
    expect(page.locator("#image_to_video-generate")).to_have_text("Add 3 drafts to queue")
    expect(page.locator(CELLS)).to_have_count(3)
    served.studio.complete(served.studio.runs[whole.members[0]].view)
    expect(page.locator(f"{CELLS}[data-state=done] video")).to_have_count(1)  # it can be watched already
    served.studio.complete(whole.view)
    card(page, "done")
    page.wait_for_function(READY, arg=3)
    page.wait_for_function(TOP)  # the card is taller than the window now

    page.locator('#ws-card [data-s="play"]').click()
    page.wait_for_function(IN_STEP)
    page.get_by_role("button", name="Finish all").click()  # behind a dialog nothing plays
    page.wait_for_function(STANDS)
    page.locator("#ws-dialog-final").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Finish all")).to_be_focused()
    page.keyboard.press("k")
    page.wait_for_function(IN_STEP)
    page.keyboard.press("k")
    page.wait_for_function(READY, arg=3)
    page.keyboard.press(".")
    for frame in ("3", "30", "9"):  # faster than the clips follow
        page.locator('#ws-card .set-bar input[type="range"]').fill(frame)
    page.wait_for_function(f"() => ({TIMES})().every((time) => Math.abs(time - 9.5 / 16) < 0.01)")
    expect(page.locator("#ws-card .set-bar .count")).to_have_text("Frame 10 of 33")

    page.locator(f"{CELLS} .pick").nth(1).click()
    expect(page.locator("#ws-card .picked")).to_have_text("1 picked")
    known = set(served.studio.runs)
    page.get_by_role("button", name="Finish at 480p").click()
    card(page, "running")
    (new,) = set(served.studio.runs) - known
    final, draft = served.studio.runs[new].view, served.studio.runs[whole.members[1]].view
    assert (final.params["resolution"], final.params["speed"]) == ("480p", "quality")
    assert draft.params["resolution"] == "draft" and final.seed == draft.seed


@pytest.mark.deep
def test_what_was_chosen_comes_back_by_a_reload_and_by_reuse(
    served: SimpleNamespace, visit: Visit, photo: Path
) -> None:
    page = opened(served, visit)
    count, vary = (
        page.locator("#image_to_video-count"),
        page.locator("#image_to_video-variations [data-vary]"),
    )
    rows = page.locator("#image_to_video-variations .vary-values textarea")
    choose(page, photo)
    count.select_option("3")
    vary.select_option("prompt")
    expect(rows).to_have_count(3)
    rows.nth(0).fill("One")
    rows.nth(1).evaluate(
        "node => { const given = new DataTransfer(); given.setData('text', 'Two\\nThree');"
        " node.dispatchEvent(new ClipboardEvent('paste', { clipboardData: given, bubbles: true,"
        " cancelable: true })); }"
    )
    expect(rows.nth(2)).to_have_value("Three")
    vary.select_option("cfg")
    expect(page.locator(".vary-numbers input")).to_have_count(3)
    page.locator(".vary-numbers input").nth(0).fill("3.5")
    page.locator(".vary-numbers input").nth(1).fill("3.5")
    expect(page.locator("#image_to_video-variations > .ws-problem")).to_have_text(
        "Values 1 and 2 are the same."
    )
    vary.select_option("prompt")
    expect(rows.nth(1)).to_have_value("Two")
    page.locator("#image_to_video-variations [data-small]").uncheck()
    expect(page.locator("#image_to_video-generate")).to_have_text("Make 3 videos")
    page.wait_for_function(
        "Object.keys(localStorage).some((key) => (localStorage[key] || '').includes('Three'))"
    )
    page.reload()
    expect(rows).to_have_count(3)
    assert [row.input_value() for row in rows.all()] == ["One", "Two", "Three"]
    expect(page.locator("#image_to_video-generate")).to_have_text("Make 3 videos")

    served.studio.runs.clear()
    page.locator("#image_to_video-generate:not([disabled])").click()
    card(page, "running")
    whole = next(run for run in served.studio.runs.values() if run.members)
    assert [served.studio.runs[id].view.params["prompt"] for id in whole.members] == ["One", "Two", "Three"]
    assert whole.view.params["resolution"] == "480p"
    served.studio.complete(whole.view)
    card(page, "done")
    expect(page.locator("#ws-card .what")).to_have_text(["One", "Two", "Three"])
    count.select_option("1")
    expect(page.locator("#image_to_video-generate")).to_have_text("Generate")
    page.locator("#ws-card .set-steps [data-menu]", has_text="More").click()
    page.locator("#ws-card").get_by_role("menuitem", name="Reuse settings").click()
    expect(count).to_have_value("3")
    expect(rows.nth(2)).to_have_value("Three")
    page.locator('.draft[data-mode="image_to_video"] [data-draft="clear"]').click()
    expect(count).to_have_value("1")


@pytest.mark.deep
def test_picks_are_kept_brought_back_and_opened_alone(
    served: SimpleNamespace, visit: Visit, photo: Path
) -> None:
    page = opened(served, visit)
    whole = done(page, served, photo, 4)
    cells, picked = page.locator(CELLS), page.locator("#ws-card .picked")
    # By the keyboard: each is a stop of Tab, and Space picks.
    page.locator(f"{CELLS} [data-pick]").first.focus()
    page.keyboard.press("Space")
    expect(picked).to_have_text("1 picked")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(picked).to_have_text("2 picked")
    assert page.evaluate("[...document.querySelectorAll('#ws-card .cell video')].every((one) => one.paused)")
    page.get_by_role("button", name="Keep only these").click()
    expect(cells).to_have_count(2)
    expect(page.locator("#ws-card [data-keep]")).to_be_hidden()
    expect(page.locator(".undo-toast p")).to_have_text("Deleted: 2 variations")
    page.locator(".undo-toast .undo").click()
    expect(cells).to_have_count(4)
    expect(picked).to_have_text("2 picked")

    # The frame of a picked one; two are compared, and finished at once.
    menu, items = page.locator("#ws-card .picks [data-menu]"), page.locator("#ws-card .picks")
    page.locator('#ws-card [data-s="next"]').click()
    menu.click()
    expect(items.get_by_role("menuitem", name="Use frame")).to_be_hidden()
    items.get_by_role("menuitem", name="Compare").click()
    expect(page.locator("dialog[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.locator(f"{CELLS} .pick").first.click()
    expect(picked).to_have_text("1 picked")
    menu.click()
    expect(items.get_by_role("menuitem", name="Compare")).to_be_hidden()
    items.get_by_role("menuitem", name="Use frame").click()
    expect(page.locator("#tab-image .ws-line").first).to_contain_text("frame-2.png")
    page.locator(f"{CELLS} .pick").first.click()
    expect(picked).to_have_text("2 picked")
    known = len(served.studio.runs)
    page.get_by_role("button", name="Finish at 480p").click()
    card(page, "running")
    assert len(served.studio.runs) == known + 2

    # One alone, and back.
    page.goto(f"{served.url}/?job={whole.view.id}&key={whole.view.key}")
    expect(cells).to_have_count(4)
    page.locator(f'{CELLS} [data-act="show"]').nth(1).click()
    back = page.get_by_role("button", name="Back to all 4")
    expect(page.locator("#ws-card [data-player]")).to_be_visible()
    page.locator('#ws-card [data-act="pin"]').click()
    expect(page.locator('#ws-card [data-act="unpin"]')).to_be_visible()
    back.click()
    expect(cells).to_have_count(4)


@pytest.mark.deep
def test_a_private_link_plays_the_set_and_offers_no_changes(
    served: SimpleNamespace, visit: Visit, photo: Path
) -> None:
    owner = opened(served, visit)
    whole = done(owner, served, photo, 2)
    served.studio.foreign |= {whole.view.id, *whole.members}
    try:
        guest = visit(on=served, path=f"/?job={whole.view.id}&key={whole.view.key}")
        guest.wait_for_function(READY, arg=2)
        expect(guest.locator("#ws-card [data-pick]")).to_have_count(0)
        guest.locator('#ws-card [data-s="play"]').click()
        guest.wait_for_function(IN_STEP)
        guest.locator(f"{CELLS} button.clip").first.click()
        expect(guest.get_by_role("button", name="Back to all 2")).to_be_visible()
        guest.get_by_role("button", name="Back to all 2").click()
        expect(guest.locator(CELLS)).to_have_count(2)
    finally:
        served.studio.foreign.clear()


@pytest.mark.deep
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_and_targets_of_a_set(served: SimpleNamespace, visit: Visit, photo: Path, theme: str) -> None:
    page = opened(served, visit, theme=theme)
    whole = made(page, served, photo, 4)
    served.studio.complete(served.studio.runs[whole.members[0]].view)
    served.studio.break_down(served.studio.runs[whole.members[1]].view)
    expect(page.locator(f"{CELLS}[data-state=failed]")).to_have_count(1)
    for state in ("running", "done", "picked"):
        if state == "done":
            for id in whole.members[2:]:
                served.studio.complete(served.studio.runs[id].view)
            card(page, "done")
        if state == "picked":
            page.locator(f"{CELLS} .pick").first.click()
        for width, height in ((1440, 900), (1366, 650), (1024, 768), (844, 390), (375, 812)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(TEXTS) == [], (state, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (state, width)
