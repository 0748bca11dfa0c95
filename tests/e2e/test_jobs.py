"""Nothing is lost, and what is mine is mine: links, restarts, the line, the pause, pins, in a real browser.

The demo engine is a process of its own here, as a ComfyUI is: it goes on while the app is away.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actions import card, choose, generate, percent, quality, short
from tests.e2e.conftest import PATIENCE, Site, with_engine

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]
LIVE = "document.querySelector('#ws-card [role=progressbar]')?.getAttribute('aria-valuenow') > 0"
"""The progress of a job that is being made is on the page."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An app that the test may kill while its engine keeps running."""
    with with_engine(tmp_path_factory.mktemp("app")) as site:
        yield site


def made(site: Site) -> int:
    """How many prompts the engine has finished."""
    assert site.engine is not None
    return len(site.engine.call("GET", "/history").json())


def started(page: Page, photo: Path, prompt: str = "A long one") -> None:
    """A job is running."""
    generate(page, photo, prompt)
    card(page, "running")


def private_link(page: Page) -> str:
    link = page.locator("#ws-card [data-link]").get_attribute("data-link")
    assert link and re.fullmatch(r"\?job=[0-9a-f]+&key=[\w-]+", link)
    return f"/{link}"


def test_a_private_link_opens_the_job_in_another_browser(visit: Visit, running: Site, photo: Path) -> None:
    mine = visit(on=running)
    with running.held():
        started(mine, photo, "For a friend")
        mine.context.grant_permissions(["clipboard-read", "clipboard-write"])
        mine.locator("#ws-card [data-link]").click()
        expect(mine.locator("#ws-card [data-link]")).to_contain_text("Copied")
        copied = mine.evaluate("navigator.clipboard.readText()")
        assert copied == running.url + private_link(mine)

        other = visit(on=running, path=private_link(mine))
        card(other, "running")
        other.wait_for_function(LIVE)
        assert "A long one" not in other.content(), "the prompt of the other visitor's form stays there"
        expect(other.locator("#ws-card [data-act=cancel]")).to_be_visible()
        other.wait_for_function("document.querySelector('[data-live=preview]').src.startsWith('data:image')")
        assert "job=" in other.url, "a reload opens it again"
    card(other, "done")
    assert other.locator("#ws-card video").evaluate("v => v.currentSrc").startswith(running.url)
    other.get_by_role("tab", name="Library").click()
    expect(other.locator("#ws-library")).to_contain_text("Your videos will appear here")
    assert other.get_by_role("button", name=re.compile("^Delete")).count() == 0


def test_a_wrong_link_is_reported_and_shows_nothing(visit: Visit, running: Site) -> None:
    page = visit(on=running, path="/?job=0123456789abcdef0123456789abcdef&key=wrong")
    expect(page.locator("#ws-card .said")).to_contain_text(
        "There is no such video, or the link is incomplete"
    )
    card(page, "empty")


def test_the_app_dies_and_the_job_goes_on(
    visit: Visit, running: Site, photo: Path, record_property: Callable[[str, object], None]
) -> None:
    page = visit(on=running)
    before = made(running)
    quality(page)
    with running.held(4):
        started(page, photo)
        page.wait_for_function(LIVE)
        seen = percent(page)
        running.kill()
        expect(page.locator('[data-live="badge"] small')).to_contain_text("no connection")
        running.start()
        begun = time.monotonic()
        with running.held(12):  # the job runs up to this step
            page.wait_for_function(f"{LIVE} && document.querySelector('[data-live=notice]')?.hidden")
            record_property("seconds from the app's return to progress", round(time.monotonic() - begun, 2))
            assert percent(page) >= seen, "the bar never goes back"
    card(page, "done")
    assert made(running) == before + 1, "made once"


@pytest.mark.deep
def test_two_tabs_cancel_the_same_job(visit: Visit, running: Site, photo: Path) -> None:
    page = visit(on=running)
    with running.held():
        started(page, photo)
        twin = visit(on=running, beside=page)
        card(twin, "running")
        for tab in (page, twin):
            tab.locator("#ws-card .foot [data-act=cancel]").evaluate("button => button.click()")
        running.cancelling()
    for tab in (page, twin):
        card(tab, "cancelled")
        expect(tab.locator("#ws-card .why")).to_contain_text("Your prompt and settings are still here")


def test_the_queue_panel_opens_and_closes(visit: Visit, running: Site, photo: Path) -> None:
    page = visit(on=running)
    with running.held():
        started(page, photo, "The first")
        for number, name in enumerate(("The second", "The third"), 1):
            page.locator("#image_to_video-prompt textarea").fill(name)
            page.locator("#image_to_video-generate").click()
            expect(page.locator("#ws-card .line li")).to_have_count(number)
        rows = page.locator("#ws-card .line li")
        expect(rows.first.locator(".place")).to_have_text("2nd")
        expect(rows.last).to_contain_text("The third")
        page.get_by_role("button", name="Cancel: The second").click()
        expect(rows).to_have_count(1)
        expect(rows.first.locator(".place")).to_have_text("2nd")
        card(page, "running")
        rows.first.locator(".what").click()
        card(page, "queued")
        expect(page.locator('[data-live="words"]')).to_have_text("Waiting: 1 job ahead of you")
        page.locator("#ws-card .thumb").first.click()
        card(page, "running")
        page.locator("#ws-card .foot [data-act=cancel]").evaluate("button => button.click()")
        running.cancelling()
    card(page, "cancelled")
    expect(rows).to_have_count(0)  # its turn has come


def test_the_owner_of_the_machine_pauses_the_queue(visit: Visit, running: Site, photo: Path) -> None:
    token = (running.folder / "data" / "admin").read_text().strip()
    admin = visit(on=running, path=f"/?admin={token}")
    expect(admin.get_by_text("You're signed in as the admin on this browser.").first).to_be_visible()
    assert "admin" not in admin.url
    admin.get_by_role("tab", name="System").click()
    admin.get_by_role("button", name="Pause queue").click()
    expect(admin.locator(".machine")).to_contain_text("Queue paused.")

    page = visit(on=running)
    page.get_by_role("tab", name="System").click()
    expect(page.locator(".machine")).to_contain_text("Queue paused by the admin")
    expect(page.get_by_role("button", name=re.compile("Pause queue|Resume queue"))).to_have_count(0)
    page.get_by_role("tab", name="Image-to-Video").click()
    choose(page, photo)
    short(page)
    page.locator("#image_to_video-generate").click()
    card(page, "queued")
    expect(page.locator('[data-live="words"]')).to_have_text("Queue paused by the admin")

    admin.get_by_role("button", name="Resume queue").click()
    card(page, "done")
    expect(admin.get_by_role("button", name="Pause queue")).to_be_visible()


@pytest.mark.deep
def test_a_pinned_clip_says_so_after_a_reload(visit: Visit, running: Site, photo: Path) -> None:
    page = visit(on=running)
    generate(page, photo, "One to keep")
    card(page, "done")
    page.get_by_role("tab", name="Library").click()
    keep = page.get_by_role("button", name="Pin: One to keep")
    keep.click()
    expect(keep).to_have_attribute("aria-pressed", "true")
    page.reload()
    page.get_by_role("tab", name="Library").click()
    expect(page.locator(".tile .pinned")).to_have_text("Pinned")
    keep.click()
    expect(page.locator(".tile .pinned")).to_have_count(0)
