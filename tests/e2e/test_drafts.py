"""Nothing typed is lost: reload, closed tab, restart and crash of the app; two tabs; Clear and Undo."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.e2e.actions import card, choose
from tests.e2e.conftest import PATIENCE, Site
from tests.support.tiers import deep

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]
KEY = "Object.keys(localStorage).filter((key) => key.startsWith('wan-studio-draft-'))"
SETTLED = "window.wanStudio?.drafts && !window.wanStudio.drafts.busy()"
PLANS = (
    "Object.fromEntries(window.gradio_config.dependencies.map((d) => [d.id, String(d.js || '')"
    ".match(/wanStudio[.]plan..(\\w+)/)?.[1]]))"
)
"""Id of each event that plans a form -> its mode."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An app that may be stopped and killed."""
    site = Site(tmp_path_factory.mktemp("drafts"), WAN_DEMO_STEP_SECONDS="0")
    site.start()
    yield site
    site.stop()


def written(page: Page, *words: str) -> None:
    """Waits until the browser has stored a draft with these words."""
    page.wait_for_function(
        f"(words) => {KEY}.some((key) => words.every((word) => localStorage[key].includes(word)))", arg=words
    )


def prompt(page: Page, mode: str = "image_to_video"):  # type: ignore[no-untyped-def]
    return page.locator(f"#{mode}-prompt textarea")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def row(page: Page, name: str, mode: str = "image_to_video"):  # type: ignore[no-untyped-def]
    return page.locator(f'.draft[data-mode="{mode}"]').get_by_role("button", name=name)


def all_there(page: Page) -> None:
    expect(page.locator("#tab-text-button")).to_have_attribute("aria-selected", "true")
    expect(prompt(page, "text_to_image")).to_have_value("A red house")
    tab(page, "Animate")
    expect(prompt(page, "animate")).to_have_value("She dances")
    expect(page.locator("#animate-relight input[type=number]")).to_have_value("1.5")
    tab(page, "Image-to-Video")
    expect(prompt(page)).to_have_value("A boat drifts")
    expect(page.locator("#image_to_video-speed label.selected")).to_have_text("Quality")
    expect(page.locator("#image_to_video-width input")).to_have_value("17")
    expect(page.locator("#tab-image .ws-line").first).to_contain_text("fjord.jpg")
    expect(page.locator("#image_to_video-image img").first).to_be_visible()
    expect(page.locator("#tab-image .draft span")).to_have_text("Restored")
    tab(page, "Text")


def test_nothing_typed_is_lost(
    visit: Visit, site: Site, photo: Path, record_property: Callable[[str, object], None]
) -> None:
    page = visit()
    choose(page, photo)
    prompt(page).fill("A boat drifts")
    page.locator("#image_to_video-speed label", has_text="Quality").click()
    page.locator("#tab-image button.advanced").click()
    page.locator("#image_to_video-width input").fill("17")  # said beside the field, and kept as typed
    tab(page, "Animate")
    prompt(page, "animate").fill("She dances")
    page.locator("#animate-relight input[type=number]").fill("1.5")
    tab(page, "Text")
    page.locator("#text-kind label").last.click()
    prompt(page, "text_to_image").fill("A red house")
    written(page, "A boat drifts", "She dances", "A red house", '"relight":1.5', '"width":17', '"id":')

    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/run/predict" in request.url else None)
    page.reload()
    all_there(page)
    modes = page.evaluate(PLANS)
    plans = Counter(modes.get(str(json.loads(one.post_data or "{}")["fn_index"])) for one in asked)
    del plans[None]
    record_property("plans after a reload", dict(plans))
    assert set(plans) <= {"image_to_video", "animate", "text_to_video", "text_to_image"}
    assert max(plans.values()) <= 2, "one when it is shown, at most one when it is shown again"

    page.wait_for_function(f"{KEY}.some((key) => JSON.parse(localStorage[key]).tab === 'text')")
    page.close()
    page = page.context.new_page()
    page.goto(site.url)
    all_there(page)


def test_the_app_restarts_and_crashes(visit: Visit, own: Site, photo: Path) -> None:
    page = visit(on=own)
    choose(page, photo)
    prompt(page).fill("A boat drifts")
    written(page, "A boat drifts", '"id":')

    def there(page: Page) -> None:
        expect(prompt(page)).to_have_value("A boat drifts")
        expect(page.locator("#tab-image .ws-line").first).to_contain_text("fjord.jpg")
        expect(page.locator("#image_to_video-image img").first).to_be_visible()

    own.stop()  # as systemd and Docker stop it
    own.start()
    page.goto(own.url)
    there(page)
    own.kill()
    own.start()
    page.goto(own.url)
    there(page)
    page.locator("#image_to_video-seconds label").first.click()
    page.locator("#image_to_video-generate").click()
    card(page, "done")


def test_each_tab_has_its_own_and_clear_can_be_undone(visit: Visit, site: Site, photo: Path) -> None:
    one = visit()
    choose(one, photo)
    prompt(one).fill("The first tab")
    written(one, "The first tab", '"id":')
    two = visit(beside=one)
    two.wait_for_function(SETTLED)
    expect(prompt(two)).to_have_value("")
    prompt(two).fill("The second tab")
    written(two, "The second tab")
    with one.context.expect_page() as opened:  # as "Duplicate tab" does, with a copy of its session storage
        one.evaluate("void window.open(location.href)")
    copy = opened.value
    expect(prompt(copy)).to_have_value("The first tab")
    prompt(copy).fill("The copy")
    written(copy, "The copy")
    for page, words in ((one, "The first tab"), (two, "The second tab"), (copy, "The copy")):
        page.reload()
        expect(prompt(page)).to_have_value(words)
    assert one.evaluate(f"{KEY}.length") == 3

    # Clear and Undo by keyboard; the files go at once, and come back from the upload
    drafts = site.folder / "data" / "drafts"
    one.wait_for_function(SETTLED)
    row(one, "Clear").focus()
    one.keyboard.press("Enter")
    expect(prompt(one)).to_have_value("")
    expect(one.locator("#image_to_video-image img")).to_have_count(0)
    expect(row(one, "Undo")).to_be_focused()
    expect(row(one, "Clear")).to_be_hidden()
    one.keyboard.press("Enter")
    expect(prompt(one)).to_have_value("The first tab")
    expect(one.locator("#image_to_video-image img").first).to_be_visible()
    assert drafts.exists()

    # a starter is taken back too
    one.locator('#ws-card [data-act="starter"]').first.click()
    expect(prompt(one)).not_to_have_value("The first tab")
    row(one, "Undo").click()
    expect(prompt(one)).to_have_value("The first tab")
    expect(one.locator("#tab-image .ws-line").first).to_contain_text("fjord.jpg")

    # what is left of closed tabs: the newest first
    for page in (one, copy, two):
        page.close()
    again = visit(beside=one)
    expect(prompt(again)).to_have_value("The first tab")

    # a value that is not legal any more is dropped alone, and nonsense breaks nothing
    own = again.evaluate("sessionStorage['wan-studio-tab']")
    values = {"prompt": "Kept", "speed": "warp", "steps": "many", "resolution": "720p", "none": 1}
    foreign = {
        "v": 1, "at": 1, "tab": "<b>", "kinds": 7,
        "forms": {"image_to_video": {"values": values, "media": {"image": 3}}, "animate": 7, "nope": {}},
    }  # fmt: skip

    def store(text: str) -> None:
        """From another page of the tab, so that the one with the form has written what it still had."""
        again.goto(f"{site.url}/healthz")
        again.evaluate("([id, text]) => { localStorage['wan-studio-draft-' + id] = text; }", [own, text])
        again.goto(site.url)

    store(json.dumps(foreign))
    expect(prompt(again)).to_have_value("Kept")
    expect(again.locator("#image_to_video-speed label.selected")).to_have_text("Fast")
    expect(again.locator("#image_to_video-resolution label.selected")).to_have_text("720p")
    store('{"v":1,"forms":[[')
    again.wait_for_function(SETTLED)
    expect(prompt(again)).to_have_value("")


@pytest.mark.deep
@pytest.mark.parametrize("old", [True, deep(False)], ids=["storage events", "channel"])
def test_tabs_of_an_old_browser_do_not_overwrite_each_other(
    browser: Browser, served: SimpleNamespace, old: bool
) -> None:
    """Without locks, as on a plain http address, and without the channel."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    context.add_init_script("delete Navigator.prototype.locks;")
    if old:
        context.add_init_script("delete window.BroadcastChannel;")

    def tab_at(page: Page) -> Page:
        page.goto(served.url)
        page.wait_for_function(SETTLED)
        return page

    one = tab_at(context.new_page())
    assert one.evaluate("[typeof BroadcastChannel, typeof navigator.locks]")[1] == "undefined"
    prompt(one).fill("The first tab")
    written(one, "The first tab")
    two = tab_at(context.new_page())
    expect(prompt(two)).to_have_value("")
    prompt(two).fill("The second tab")
    written(two, "The second tab")
    assert one.evaluate(f"{KEY}.length") == 2

    # A frozen page does not answer; the page that writes later continues under a new id.
    frozen = "localStorage['wan-studio-draft-' + sessionStorage['wan-studio-tab']]"
    two.evaluate(
        f"() => {{ const stored = JSON.parse({frozen});"
        f" {frozen} = JSON.stringify({{ ...stored, by: 'another', at: Date.now() + 1 }}); }}"
    )
    prompt(two).fill("The second tab goes on")
    written(two, "The second tab goes on")
    assert one.evaluate(f"{KEY}.length") == 3
    for page, words in ((one, "The first tab"), (two, "The second tab goes on")):
        page.reload()
        expect(prompt(page)).to_have_value(words)

    # The ten newest are kept, and those of open pages.
    one.evaluate(
        """() => { for (let n = 0; n < 12; n += 1)
          localStorage[`wan-studio-draft-${String(n).padStart(32, "0")}`] = JSON.stringify({
            v: 1, at: Date.now() + 1000 + n, tab: "", kinds: {},
            forms: { image_to_video: { values: { prompt: `${n}` } } } }); }"""
    )
    three = tab_at(context.new_page())
    expect(prompt(three)).to_have_value("11")
    three.wait_for_function(f"{KEY}.length === 12")
    kept = three.evaluate(f"{KEY}.map((key) => localStorage[key])")
    assert sum("The " in text for text in kept) == 2, "of the pages that are open"
    assert not [text for text in kept if '"prompt":"1"' in text], "the oldest"


def test_a_private_link_beside_a_draft(visit: Visit, served: SimpleNamespace, photo: Path) -> None:
    served.studio.runs.clear()
    job = served.studio.add("fast_video", {"prompt": "Somebody's lake", "speed": "fast", "seed": 3}, photo)
    served.studio.complete(job)
    page = visit(on=served)
    prompt(page).fill("My own boat")
    written(page, "My own boat")
    for name in ("Animate", "Library"):
        tab(page, name)
        page.wait_for_function(
            f"(name) => {KEY}.some((key) => JSON.parse(localStorage[key]).tab === name)", arg=name.lower()
        )
        page.goto(f"{served.url}/?job={job.id}&key={job.key}")
        card(page, "done")
        page.wait_for_function(SETTLED)
        # The clip is beside the form, which is not in the Library.
        chosen = "Animate" if name == "Animate" else "Image-to-Video"
        expect(page.get_by_role("tab", name=chosen, exact=True)).to_have_attribute("aria-selected", "true")
        expect(page.locator("#ws-card .stage video, #ws-card video").first).to_be_visible()
        assert f"job={job.id}" in page.url
        expect(prompt(page)).to_have_value("My own boat")
