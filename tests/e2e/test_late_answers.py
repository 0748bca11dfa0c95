"""The answer of an event comes late, after more was typed, or never: nothing typed or stored is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.conftest import PATIENCE

expect.set_options(timeout=PATIENCE)
PATIENT = """(() => {
  const real = window.setTimeout;
  window.waits = 0;
  window.setTimeout = (call, ms, ...more) => {
    if (ms === 15000) window.waits += 1;
    return real(call, ms === 15000 ? 100 : ms, ...more);
  };
})();"""
"""The page waits for a restored form 0.1 s at a time in place of 15."""
STORED = "Object.keys(localStorage).filter((key) => key.startsWith('wan-studio-draft-'))"
NAMED = """(name) => window.gradio_config.dependencies
  .filter((one) => one.targets.some(([, event]) => event === name)).map((one) => one.id)"""


pytestmark = pytest.mark.deep  # each holds answers back for many seconds


def prompt(page: Page, mode: str = "image_to_video"):  # type: ignore[no-untyped-def]
    return page.locator(f"#{mode}-prompt textarea")


def row(page: Page, name: str, mode: str = "image_to_video"):  # type: ignore[no-untyped-def]
    return page.locator(f'.draft[data-mode="{mode}"]').get_by_role("button", name=name)


def stored(page: Page, words: str) -> None:
    page.wait_for_function(f"(words) => {STORED}.some((key) => localStorage[key].includes(words))", arg=words)


def opened(browser: Browser, served: SimpleNamespace) -> Page:
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    context.add_init_script(PATIENT)
    page = context.new_page()
    page.goto(served.url)
    page.locator("#image_to_video-generate").wait_for()
    page.wait_for_function("window.wanStudio?.drafts && !window.wanStudio.drafts.busy()")
    return page


@contextmanager
def held(page: Page, name: str, answer: Callable[[Route], None] = Route.continue_) -> Iterator[list[Route]]:
    """Events of this name get their answer at the end of the block."""
    numbers, waiting, over = set(page.evaluate(NAMED, name)), list[Route](), threading.Event()

    def hold(route: Route) -> None:
        if json.loads(route.request.post_data or "{}").get("fn_index") not in numbers:
            route.continue_()
        elif over.is_set():
            answer(route)
        else:
            waiting.append(route)

    page.route("**/queue/join*", hold)
    yield waiting
    over.set()
    for route in waiting:
        answer(route)


def test_what_was_typed_before_a_late_answer_comes_back(browser: Browser, served: SimpleNamespace) -> None:
    page = opened(browser, served)
    with held(page, "starter") as waiting:
        page.locator('#ws-card [data-act="starter"]').first.click()
        prompt(page).fill("Typed meanwhile")
        stored(page, "Typed meanwhile")
    assert waiting
    expect(prompt(page)).not_to_have_value("Typed meanwhile")
    row(page, "Undo").click()
    expect(prompt(page)).to_have_value("Typed meanwhile")
    stored(page, "Typed meanwhile")

    # A form that is being restored, for longer than the page waits at a time
    with held(page, "restore") as waiting:
        page.reload()
        prompt(page).fill("Typed before the rest is back")
        page.get_by_role("tab", name="Animate").click()
        prompt(page, "animate").fill("Typed in another tab")
        page.wait_for_function("window.waits > 6")
        assert waiting and page.evaluate("window.wanStudio.drafts.busy()")
        stored(page, "Typed meanwhile")
    stored(page, "Typed in another tab")
    page.get_by_role("tab", name="Image-to-Video").click()
    expect(prompt(page)).to_have_value("Typed meanwhile")
    row(page, "Undo").click()
    expect(prompt(page)).to_have_value("Typed before the rest is back")
    page.context.close()


def test_a_draft_that_could_not_be_put_back_stays_stored(browser: Browser, served: SimpleNamespace) -> None:
    page = opened(browser, served)
    prompt(page).fill("The stored words")
    stored(page, "The stored words")

    def refuse(route: Route) -> None:
        route.fulfill(status=500, body="Internal Server Error")

    for typed in ("", "Something new"):
        with held(page, "restore", refuse):
            page.reload()
        page.wait_for_function("window.wanStudio?.drafts && !window.wanStudio.drafts.busy()")
        expect(prompt(page)).to_have_value("")
        stored(page, "The stored words")
        if typed:
            prompt(page).fill(typed)
            stored(page, typed)
    stored(page, "The stored words")
    page.unroute("**/queue/join*")
    page.reload()
    expect(prompt(page)).to_have_value("Something new")
    page.close()
    again = page.context.new_page()
    again.goto(served.url)
    expect(prompt(again)).to_have_value("Something new")
    other = page.context.new_page()
    other.goto(served.url)
    expect(prompt(other)).to_have_value("The stored words")
    page.context.close()
