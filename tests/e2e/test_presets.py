"""Presets: saved, changed, loaded, the start of new forms; shared by a link and a file; on a phone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import PATIENCE

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]
SETTLED = "window.wanStudio?.drafts && !window.wanStudio.drafts.busy()"


@pytest.fixture(autouse=True)
def none_before_and_after(served: SimpleNamespace) -> Iterator[None]:
    """All visitors of this studio have one token."""
    shutil.rmtree(served.studio.presets.root, ignore_errors=True)
    yield
    shutil.rmtree(served.studio.presets.root, ignore_errors=True)


def row(page: Page, mode: str = "image_to_video") -> Locator:
    return page.locator(f'.preset[data-mode="{mode}"]')


def menu(page: Page, name: str, mode: str = "image_to_video") -> None:
    row(page, mode).locator("[data-menu]").click()
    row(page, mode).get_by_role("menuitem", name=name).click()


def dialog(page: Page, name: str) -> Locator:
    return page.locator(f"#ws-dialog-preset-{name}")


def chosen(page: Page, field: str) -> Locator:
    return page.locator(f"#image_to_video-{field} label.selected")


def choose(page: Page, field: str, label: str) -> None:
    page.locator(f"#image_to_video-{field} label", has_text=label).click()
    expect(chosen(page, field)).to_have_text(label)


def save(page: Page, name: str, default: bool = False) -> None:
    row(page).get_by_role("button", name="Save").click()
    box = dialog(page, "save")
    box.get_by_label("Name").fill(name)
    if default:
        box.get_by_label("Start new forms with it").check()
    box.locator("[data-dialog-submit]").click()
    expect(box).to_be_hidden()
    expect(row(page).locator("strong")).to_have_text(name)


def opened(visit: Visit, served: SimpleNamespace, **more: object) -> Page:
    page = visit(on=served, **more)
    page.wait_for_function(SETTLED)
    return page


def test_a_preset_is_saved_loaded_and_starts_new_forms(visit: Visit, served: SimpleNamespace) -> None:
    page = opened(visit, served)
    expect(row(page).locator("strong")).to_have_text("None")
    choose(page, "speed", "Quality")
    choose(page, "seconds", "3 s")
    page.locator("#image_to_video-prompt textarea").fill("A boat drifts")
    save(page, "Calm sea", default=True)
    changed = row(page).locator("small").first
    expect(changed).to_be_hidden()
    choose(page, "seconds", "8 s")
    expect(changed).to_be_visible()

    # What was typed comes back after a reload, and the preset is not put over it.
    page.reload()
    page.wait_for_function(SETTLED)
    hint = page.locator("#image_to_video-hint")
    expect(hint).to_contain_text("Choose a picture first.", timeout=10_000)  # no wait of 15 s
    expect(chosen(page, "seconds")).to_have_text("8 s")
    expect(row(page).locator("strong")).to_have_text("Calm sea")
    expect(changed).to_be_visible()

    # Another one is loaded, which keeps the sentence; Undo brings the former settings back.
    menu(page, "Quick draft")
    expect(chosen(page, "speed")).to_have_text("Fast")
    expect(chosen(page, "seconds")).to_have_text("3 s")
    expect(page.locator("#image_to_video-prompt textarea")).to_have_value("A boat drifts")
    expect(row(page).locator("strong")).to_have_text("Quick draft")
    draft = page.locator('.draft[data-mode="image_to_video"]')
    draft.get_by_role("button", name="Undo").click()
    expect(chosen(page, "seconds")).to_have_text("8 s")
    expect(chosen(page, "speed")).to_have_text("Quality")

    # Clear and a new tab begin with the default one.
    draft.get_by_role("button", name="Clear").click()
    expect(chosen(page, "seconds")).to_have_text("3 s")
    expect(chosen(page, "speed")).to_have_text("Quality")
    expect(page.locator("#image_to_video-prompt textarea")).to_have_value("")
    expect(draft.get_by_role("button", name="Clear")).to_be_hidden()
    expect(row(page).locator("strong")).to_have_text("Calm sea")
    other = page.context.new_page()
    other.goto(served.url)
    other.wait_for_function(SETTLED)
    expect(chosen(other, "seconds")).to_have_text("3 s")
    expect(chosen(other, "speed")).to_have_text("Quality")
    expect(row(other).locator("strong")).to_have_text("Calm sea")

    # Deleted in that tab, it is gone here too: the next form starts plain, and that is said.
    box = manage(other)
    entry(box, "Calm sea").get_by_role("button", name="Delete").click()
    expect(page.locator(".ws-said")).to_have_text(
        "The preset Calm sea was deleted: new forms start without it."
    )
    choose(page, "seconds", "8 s")
    draft.get_by_role("button", name="Clear").click()
    expect(chosen(page, "seconds")).to_have_text("5 s")
    expect(row(page).locator("strong")).to_have_text("None")


# -- by hand: sharing, managing, phones -----------------------------------------------------------------


def manage(page: Page) -> Locator:
    menu(page, "Manage presets")
    return dialog(page, "manage")


def entry(box: Locator, name: str) -> Locator:
    return box.locator(".preset-entry", has_text=name)


def link_of(page: Page, name: str) -> str:
    """The address that the manager copies."""
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    box = manage(page)
    entry(box, name).get_by_role("button", name="Copy a link").click()
    expect(box.locator(".dialog-said")).to_have_text("The link is copied. It holds the settings.")
    page.keyboard.press("Escape")
    found: str = page.evaluate("window.copied")
    return found


@pytest.mark.deep
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (375, 812)])
def test_presets_are_managed_and_shared(
    visit: Visit, served: SimpleNamespace, tmp_path: Path, width: int, height: int, theme: str
) -> None:
    shots = tmp_path / "shots"
    page = opened(visit, served, width=width, height=height, theme=theme, touch=width < 500)
    choose(page, "speed", "Quality")
    save(page, f"A {theme} preset with a long name for {width}")
    row(page).locator("[data-menu]").click()
    page.screenshot(path=shots / "menu.png")
    page.keyboard.press("Escape")
    box = manage(page)
    page.screenshot(path=shots / "manage.png")
    assert box.evaluate("node => node.scrollWidth <= node.clientWidth"), "nothing is cut off at the side"
    for button in box.get_by_role("button").all():
        size = button.bounding_box()
        assert size and (width > 500 or min(size["width"], size["height"]) >= 44), button.inner_text()
    one = entry(box, f"for {width}")
    one.get_by_role("button", name="Rename").click()
    box.locator(".preset-about input").fill("Renamed")
    page.keyboard.press("Enter")
    one = entry(box, "Renamed")
    star = one.locator(".star")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    one.get_by_role("button", name="Delete").click()
    expect(entry(box, "Deleted: Renamed")).to_be_visible()
    box.get_by_role("button", name="Undo").click()
    expect(entry(box, "Renamed").locator(".star")).to_have_attribute("aria-pressed", "true")
    with page.expect_download() as coming:
        entry(box, "Renamed").get_by_role("button", name="as a file").click()
    file = tmp_path / coming.value.suggested_filename
    coming.value.save_as(file)
    assert file.name == "Renamed.wanpreset.json"
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(row(page).locator("strong")).to_have_text("Renamed")

    link = link_of(page, "Renamed")
    other = opened(visit, served, width=width, height=height, theme=theme, path=link.removeprefix(served.url))
    offer = dialog(other, "offer")
    expect(offer).to_contain_text("Load the preset Renamed?")
    expect(offer).to_contain_text("Quality")
    other.screenshot(path=shots / "offer.png")
    assert "preset=" not in other.url
    expect(chosen(other, "speed")).to_have_text("Fast")
    offer.get_by_role("button", name="Load").click()
    expect(chosen(other, "speed")).to_have_text("Quality")
    expect(row(other).locator("strong")).to_have_text("None")

    other.reload()
    other.wait_for_function(SETTLED)
    data = json.loads(file.read_text("utf-8"))
    data["name"] = "From a file"
    data["settings"]["values"] |= {"motion": "wild", "seconds": 2.0}
    file.write_text(json.dumps(data), "utf-8")
    box = manage(other)
    box.locator("input[type=file]").set_input_files(file)
    expect(offer).to_contain_text("Cannot be used here: motion.")
    offer.get_by_role("button", name="Load").click()
    expect(chosen(other, "seconds")).to_have_text("2 s")
    expect(other.locator("#tab-image")).to_contain_text("The value in From a file cannot be used here.")

    drop = """([name, text, place]) => {
      const given = new DataTransfer();
      given.items.add(new File([text], name));
      const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: given });
      document.querySelector(place).dispatchEvent(event);
    }"""
    for place in ("body", "#image_to_video-image"):
        other.evaluate(drop, ["x.wanpreset.json", file.read_text("utf-8"), place])
        expect(offer).to_contain_text("Load the preset From a file?")
        other.keyboard.press("Escape")
        other.evaluate(drop, ["x.wanpreset.json", "{", place])
        expect(dialog(other, "refused")).to_contain_text("This is not a preset.")
        other.keyboard.press("Escape")


@pytest.mark.deep
@pytest.mark.parametrize("given", ["x", "%00", "a" * 20_000, "<img src=x onerror=alert(1)>", ""])
def test_a_link_that_holds_no_preset(visit: Visit, served: SimpleNamespace, given: str) -> None:
    page = opened(visit, served, path=f"/?preset={given}")
    if given:
        expect(dialog(page, "refused")).to_contain_text("This is not a preset.")
        page.keyboard.press("Escape")
    page.locator("#image_to_video-prompt textarea").fill("A boat")
    assert "preset=" not in page.url and not page.locator("dialog[open]").count()


@pytest.mark.deep
def test_one_that_is_gone_is_not_named_as_loaded(visit: Visit, served: SimpleNamespace) -> None:
    page = opened(visit, served)
    choose(page, "speed", "Quality")
    save(page, "Soon gone")
    prompt = page.locator("#image_to_video-prompt textarea")
    prompt.fill("Typed")
    shutil.rmtree(served.studio.presets.root)  # as by a deletion in another tab
    menu(page, "Soon gone")
    expect(page.locator(".toast-wrap")).to_contain_text("This preset no longer exists.")
    expect(row(page).locator("strong")).to_have_text("None")
    expect(prompt).to_have_value("Typed")
    expect(chosen(page, "speed")).to_have_text("Quality")


@pytest.mark.deep
def test_the_default_one_is_not_put_over_what_is_typed(visit: Visit, served: SimpleNamespace) -> None:
    page = opened(visit, served)
    choose(page, "speed", "Quality")
    save(page, "Slow", default=True)
    other = page.context.new_page()
    other.route("**/component_server*", lambda route: (other.wait_for_timeout(1500), route.continue_()))
    other.goto(served.url)
    prompt = other.locator("#image_to_video-prompt textarea")
    prompt.fill("Typed early")
    other.wait_for_function(SETTLED)
    expect(chosen(other, "speed")).to_have_text("Quality")
    expect(prompt).to_have_value("Typed early")
    other.reload()
    other.wait_for_function(SETTLED)
    expect(prompt).to_have_value("Typed early")


@pytest.mark.deep
def test_a_form_that_was_set_to_the_usual_values_stays_so(visit: Visit, served: SimpleNamespace) -> None:
    """Although a preset would start it with others."""
    page = opened(visit, served)
    choose(page, "speed", "Quality")
    save(page, "Slow too", default=True)
    choose(page, "speed", "Fast")
    page.wait_for_timeout(600)  # the draft is written after 300 ms
    page.reload()
    page.wait_for_function(SETTLED)
    expect(chosen(page, "speed")).to_have_text("Fast")
    manage(page).locator(".star[aria-pressed=true]").click()
    expect(page.locator(".star[aria-pressed=true]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(chosen(page, "speed")).to_have_text("Fast")
