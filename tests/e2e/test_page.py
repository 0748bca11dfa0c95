"""What a creator does on the page, in a real browser."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.actions import card, choose, generate, more, percent, quality, short
from tests.e2e.conftest import PATIENCE, Site
from tests.support.tiers import deep

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]


def test_a_picture_becomes_a_video_that_plays(visit: Visit, photo: Path, site: Site) -> None:
    page = visit()
    quality(page)
    with site.held(12):
        generate(page, photo)
        card(page, "running")
        seen = [percent(page)]
        while not page.locator('[data-live="tag"]', has_text="Preview").count():
            if page.locator("#ws-card [role=progressbar]").count():
                seen.append(percent(page))
            page.wait_for_timeout(50)
        assert seen == sorted(seen), "the bar never goes back"
        expect(page.locator('[data-live="preview"]')).to_have_attribute("src", re.compile("^data:image"))
        assert re.match(r"\d+ %", page.title())

        before = percent(page)
        page.reload()
        card(page, "running")
        assert percent(page) >= before, "found again where it was"
    card(page, "done")
    assert page.title() == "Wan Studio"

    video = page.locator("#ws-card video")
    assert video.evaluate("v => v.paused"), "nothing moves by itself where less motion is asked for"
    facts = video.evaluate(
        "async v => { v.muted = true; await v.play();"
        " while (!v.currentTime) await new Promise(r => setTimeout(r, 50));"
        " return [v.videoWidth, v.videoHeight, v.duration, v.currentTime, v.error]; }"
    )
    width, height, duration, at, error = facts
    assert error is None and at > 0 and (width, height) == (832, 480) and 1.9 < duration < 2.2
    link = page.locator("#ws-card a[download]").first
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename.startswith("demo-the-camera-moves-left-")
    assert Path(download.value.path()).read_bytes()[4:8] == b"ftyp"
    # The address is the proof: cut off, it opens nothing.
    address = video.evaluate("v => v.currentSrc")
    assert address.startswith(site.url)
    with urllib.request.urlopen(address) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(address.split("?")[0])


@pytest.mark.deep
def test_another_browser_sees_nothing_of_it(visit: Visit, photo: Path) -> None:
    mine = visit()
    generate(mine, photo, "Something private")
    card(mine, "done")
    other = visit()
    card(other, "empty")
    other.get_by_role("tab", name="Library").click()
    expect(other.locator("#ws-library")).not_to_contain_text("Something private")
    mine.get_by_role("tab", name="Library").click()
    expect(mine.locator("#ws-library")).to_contain_text("Something private")


def test_cancel_and_start_again(visit: Visit, photo: Path, site: Site) -> None:
    page = visit()
    choose(page, photo)
    with site.held():
        page.locator("#image_to_video-generate").click()
        card(page, "running")
        page.locator('#ws-card [data-act="cancel"]').click()
        site.cancelling()
    card(page, "cancelled")
    expect(page.locator("#image_to_video-image img").first).to_be_visible()
    expect(page.locator("#ws-card .why")).to_contain_text("settings are still here")
    expect(page.locator("#ws-card .why")).to_contain_text("keeps no copy of its files")


def test_fast_tab(visit: Visit, photo: Path) -> None:
    page = visit()
    page.get_by_role("tab", name="Fast 4-step").click()
    generate(page, photo, tab="fast_video")
    card(page, "done")
    expect(page.locator("#ws-card")).to_contain_text("Fast")


@pytest.mark.deep
def test_reuse_brings_everything_back(visit: Visit, photo: Path) -> None:
    page = visit()
    generate(page, photo, "A very special prompt")
    card(page, "done")
    page.locator("#image_to_video-prompt textarea").fill("another")
    more(page, "Reuse settings")
    expect(page.locator("#image_to_video-prompt textarea")).to_have_value("A very special prompt")
    seed = re.search(r"Seed (\d+)", page.locator("#ws-card .facts").inner_text())
    assert seed
    page.locator('#ws-card [data-act="again"]').click()
    page.locator(f'#ws-card .facts:not(:has-text("Seed {seed[1]}"))').wait_for()
    card(page, "done")


def test_without_a_picture(visit: Visit) -> None:
    page = visit()
    page.locator("#image_to_video-prompt textarea").fill("kept")
    expect(page.locator("#image_to_video-generate")).to_be_disabled()
    expect(page.locator("#image_to_video-hint")).to_contain_text("Choose a picture first.")
    expect(page.locator("#image_to_video-prompt textarea")).to_have_value("kept")


def test_a_text_that_calls_itself_a_picture(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    fake = tmp_path / "holiday.png"
    fake.write_text("dear diary")
    page.locator("#image_to_video-prompt textarea").fill("kept")
    page.locator("#image_to_video-image input[type=file]").set_input_files(fake)
    expect(page.get_by_text("holiday.png is not a picture").first).to_be_visible()
    expect(page.locator("#image_to_video-prompt textarea")).to_have_value("kept")
    expect(page.locator("#image_to_video-generate")).to_be_disabled()
    card(page, "empty")


def test_a_wrong_size_is_said_beside_the_field(visit: Visit, photo: Path) -> None:
    page = visit()
    choose(page, photo)
    page.get_by_role("button", name=re.compile("Advanced")).click()
    page.locator("#image_to_video-advanced .group-title").last.wait_for()  # its content has been built
    page.locator("#image_to_video-width input").fill("17")
    page.locator("#image_to_video-height input").fill("64")
    page.locator("#image_to_video-height input").press("Tab")
    expect(page.get_by_text(re.compile("Width must")).first).to_be_visible()


def test_markup_stays_text(visit: Visit, photo: Path) -> None:
    page = visit()
    page.on("dialog", lambda dialog: pytest.fail("the markup ran"))
    evil = "<img src=x onerror=alert(1)><b>bold</b> \u202egnp.exe 🎬"
    generate(page, photo, evil)
    card(page, "done")
    page.get_by_role("tab", name="Library").click()
    expect(page.locator("#ws-library")).to_contain_text("<img src=x onerror=alert(1)>")
    assert not page.locator('img[src="x"]').count()


def test_the_connection_drops_and_comes_back(visit: Visit, photo: Path, site: Site) -> None:
    page = visit()
    with site.held():
        generate(page, photo)
        card(page, "running")
        page.context.set_offline(True)
        expect(page.locator('[data-live="notice"]')).to_contain_text("Connection lost")
        page.context.set_offline(False)
    card(page, "done")


def test_library_finds_and_deletes(visit: Visit, photo: Path) -> None:
    page = visit()
    generate(page, photo, "wheat in the wind")
    card(page, "done")
    page.get_by_role("tab", name="Library").click()
    expect(page.locator("#ws-library")).to_contain_text("wheat in the wind")
    page.locator("#library-search input, #library-search textarea").fill("nothing like it")
    expect(page.locator("#ws-library")).not_to_contain_text("wheat in the wind")
    page.locator("#library-search input, #library-search textarea").fill("wheat")
    expect(page.locator("#ws-library")).to_contain_text("wheat in the wind")


def test_system_says_what_it_is(visit: Visit) -> None:
    page = visit()
    expect(page.locator("#ws-header")).to_contain_text("DEMO")
    page.get_by_role("tab", name="System").click()
    expect(page.locator("body")).to_contain_text("wan2.2_i2v_high_noise_14B_fp8_scaled")


@pytest.mark.parametrize(
    ("width", "theme"),
    [
        (375, "dark"),
        (1440, "light"),
        *(deep(*case) for case in ((375, "light"), (1024, "light"), (1024, "dark"), (1440, "dark"))),
    ],
)
def test_nothing_overflows_the_window(visit: Visit, width: int, theme: str) -> None:
    page = visit(width=width, height=812, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("#image_to_video-generate")).to_be_in_viewport()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(15, 16, 17)" if theme == "dark" else "rgb(247, 247, 245)")


def test_keyboard_and_screen_reader(visit: Visit, photo: Path, site: Site) -> None:
    page = visit()
    choose(page, photo)
    short(page)
    page.locator("#image_to_video-prompt textarea").fill("still")
    with site.held():
        page.locator("#image_to_video-prompt textarea").press("Control+Enter")
        card(page, "running")
        bar = page.locator("#ws-card [role=progressbar]")
        assert bar.get_attribute("aria-valuetext") and bar.get_attribute("aria-label")
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, input, textarea')].filter(e => e.offsetParent && "
            "!(e.innerText.trim() || e.ariaLabel || e.title || e.labels?.length ||"
            " e.getAttribute('aria-labelledby'))).map(e => e.outerHTML.slice(0, 120))"
        )
        assert not unnamed
    card(page, "done")


COUNT_FRAMES = """(() => {
  const ask = window.requestAnimationFrame.bind(window);
  window.framesAsked = 0;
  window.requestAnimationFrame = (callback) => { window.framesAsked += 1; return ask(callback); };
})();"""


def test_an_idle_page_does_no_work(browser: Browser, site: Site) -> None:
    """An idle tab that asks for every frame takes a tenth of a core for nothing."""
    page = browser.new_page()
    page.add_init_script(COUNT_FRAMES)
    page.goto(site.url)
    page.locator("#image_to_video-generate").wait_for()
    for tab in ("Sound-to-Video", "Library", "Image-to-Video"):
        page.get_by_role("tab", name=tab).click()
    for _ in range(20):  # what moves in at first comes to its end
        page.evaluate("framesAsked = 0")
        page.wait_for_timeout(1000)
        if page.evaluate("framesAsked") < 3:
            return
    pytest.fail("the page asks for frame after frame")


@pytest.mark.deep
def test_a_clip_pauses_outside_the_viewport(visit: Visit, photo: Path) -> None:
    page = visit()
    generate(page, photo)
    card(page, "done")
    video = page.locator("#ws-card video")
    page.locator('#ws-card [data-p="play"]').click()
    page.wait_for_function("!document.querySelector('#ws-card video').paused")
    page.get_by_role("tab", name="Library").click()
    page.wait_for_function("document.querySelector('#ws-card video').paused")
    assert video.count() == 1
