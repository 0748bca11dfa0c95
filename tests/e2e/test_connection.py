"""A lost connection, a restart, a cut stream, blocked storage: nothing typed is lost, one job is made."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.e2e.actions import card, choose, short
from tests.e2e.conftest import PATIENCE, Site
from tests.support.tcp_proxy import TcpProxy
from tests.support.tiers import deep

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]
LINE = "#ws-connection .connection"
FAST = "#fast_video"
WAITING = "wanStudio.events.waiting(document.querySelector('#image_to_video-generate'))"
"""The presses that the server does not have yet."""
GRADIO = re.compile(
    "Connection|lost|errored|Could not|Only |Invalid file|exceed|HTTP|Error|occurred|cancelled|queue", re.I
)
"""Words of Gradio's own messages."""


@pytest.fixture
def alone(tmp_path: Path, visit: Visit) -> Site:
    """An app that the test may kill."""
    site = Site(tmp_path, WAN_DEMO_STEP_SECONDS="0.2")
    site.start()
    return site


def clips(page: Page) -> list[str]:
    """The prompts in the visitor's Library, the latest first."""
    page.get_by_role("tab", name="Library").click()
    expect(page.locator("#ws-library .tile").first).to_be_visible()
    found = page.locator("#ws-library .tile").all_inner_texts()
    page.get_by_role("tab", name="Image-to-Video").click()
    return found


def stays(page: Page) -> None:
    """From here on the page may not be loaded again."""
    page.evaluate("window.stayed = true")


def stayed(page: Page) -> bool:
    return bool(page.evaluate("window.stayed === true"))


def messages(page: Page) -> list[str]:
    return page.locator(".toast-body:visible").all_inner_texts()


def test_offline_everything_waits_and_is_sent_once(visit: Visit, photo: Path, site: Site) -> None:
    page = visit(width=375, height=812)
    stays(page)
    prompt = page.locator("#image_to_video-prompt textarea")
    button = page.locator("#image_to_video-generate")
    expect(button).to_be_disabled()
    page.context.set_offline(True)
    prompt.fill("first words")
    short(page)
    expect(page.locator(LINE)).to_contain_text("You're offline. What you typed is kept")
    assert page.locator(LINE).get_attribute("role") == "status"
    page.locator("#image_to_video-image input[type=file]").set_input_files(photo)
    expect(page.locator(".ws-upload")).to_contain_text("Waiting for the connection to add this file.")
    button.click()  # while its picture waits as well
    expect(button).to_have_text("Waiting for the connection")
    page.locator(".ws-held").get_by_role("button", name="Cancel").click()
    expect(button).to_have_text("Generate")
    button.click()
    expect(page.locator(".ws-held")).to_contain_text("Sent once")
    expect(page.locator(LINE)).to_contain_text("Generate is sent once")
    prompt.fill("second words")
    button.click()  # what is in the form when it is sent counts
    expect(button).to_have_text("Waiting for the connection")
    page.get_by_role("tab", name="Fast 4-step").click()
    with site.held():
        page.context.set_offline(False)
        card(page, "running")
        page.get_by_role("tab", name="Image-to-Video").click()
        expect(page.locator(LINE)).to_be_hidden()
        expect(page.locator(":is(.ws-upload, .ws-held)")).to_have_count(0)
        expect(button).to_have_text("Add to queue")
        assert messages(page) == [] and stayed(page)
        expect(prompt).to_have_value("second words")
        expect(page.locator("#image_to_video-image img").first).to_be_visible()

        # Without an upload the press itself waits in the browser.
        page.context.set_offline(True)
        expect(page.locator(LINE)).to_be_visible()
        button.click()
        expect(button).to_have_text("Waiting for the connection")
        prompt.fill("third words")
        button.click()  # replaces the first press
        page.wait_for_function(
            f"{WAITING}.length === 1 && JSON.stringify({WAITING}[0].body.data).includes('third')"
        )
        page.locator(".ws-held").get_by_role("button", name="Cancel").click()
        expect(button).to_have_text("Add to queue")
        page.context.set_offline(False)
        expect(page.locator(LINE)).to_be_hidden()
    card(page, "done")
    (only,) = clips(page)
    assert "second words" in only


def test_generate_waits_for_a_slow_upload(browser: Browser, served: SimpleNamespace, photo: Path) -> None:
    """One press is one job, once the picture is there; a picture that cannot be added sends nothing."""
    served.studio.runs.clear()
    page, faults = opened(browser, served)  # type: ignore[arg-type]
    button, held = page.locator("#image_to_video-generate"), page.locator("#tab-image .ws-held")
    prompt, field = (
        page.locator("#image_to_video-prompt textarea"),
        page.locator("#image_to_video-image input"),
    )
    expect(button).to_be_disabled()
    prompt.fill("A slow picture")
    waiting: list[Route] = []
    page.route("**/upload?*", lambda route: waiting.append(route))
    disk = "The disk of this machine is almost full, so files cannot be added."

    field.set_input_files(photo)
    expect(held).to_have_text("The picture is being added.")
    expect(button).to_have_text("Generate")
    button.click()
    expect(button).to_have_text("Waiting for the picture")
    waiting.pop().fulfill(status=507, json={"detail": disk})
    expect(page.locator(".ws-upload span")).to_have_text(disk)
    expect(held).to_have_text("Not sent: a file could not be added.")
    expect(button).to_be_disabled()
    assert served.studio.runs == {}

    page.locator(".ws-upload").get_by_role("button", name="Try again").click()
    expect(button).to_be_enabled()
    prompt.press("Control+Enter")
    expect(held).to_contain_text("Sent once, when the picture is there.")
    button.click()
    waiting.pop().continue_()
    card(page, "running")
    expect(held).to_have_count(0)
    expect(button).to_have_text("Add to queue")
    (only,) = served.studio.runs.values()
    assert only.view.params["prompt"] == "A slow picture"
    assert messages(page) == [] and faults == []


def test_an_answer_that_is_lost_or_cut_off_makes_one_job(visit: Visit, photo: Path, site: Site) -> None:
    with TcpProxy(site.url) as proxy:
        through = Site(site.folder)
        through.url = proxy.url
        page = visit(on=through)
        choose(page, photo)
        short(page)
        page.locator("#image_to_video-prompt textarea").fill("cut off")
        stays(page)
        cut: list[str] = []

        def lose(route: Route) -> None:
            if "join" in cut:
                return route.continue_()
            cut.append("join")
            route.fetch()  # it arrives, the answer does not
            return route.abort("connectionreset")

        def break_off(request: Request) -> None:
            if "/queue/data" in request.url and cut.count("data") < 2:
                cut.append("data")
                proxy.cut()

        page.route("**/queue/join*", lose)
        page.on("request", break_off)
        page.locator("#image_to_video-generate").click()
        page.locator(
            "#ws-card .card:is([data-state=running], [data-state=done])"
        ).wait_for()  # it may be over
        assert set(cut) == {"join", "data"}
        assert messages(page) == [] and stayed(page)
        expect(page.locator("#image_to_video-prompt textarea")).to_have_value("cut off")
        assert len(clips(page)) == 1


MUTE = """() => {
  const { network } = wanStudio, real = network.real;
  network.real = (url, init) => {
    if (window.muted || !String(url).includes("queue/data")) return real(url, init);
    window.muted = true;
    const start = (controller) => {
      const beat = () => controller.enqueue(new TextEncoder().encode('data: {"msg": "heartbeat"}\\n\\n'));
      const timer = setInterval(beat, 200);
      init.signal.addEventListener("abort", () => {
        clearInterval(timer);
        controller.error(new DOMException("aborted", "AbortError"));
      });
    };
    return Promise.resolve(new Response(new ReadableStream({ start })));
  };
}"""
"""The first stream of events has heartbeats alone, as after a request that the browser has sent twice."""


def test_a_stream_with_heartbeats_alone_is_given_up(visit: Visit, photo: Path) -> None:
    page = visit()
    choose(page, photo)
    short(page)
    page.locator("#image_to_video-prompt textarea").fill("no answer")
    stays(page)
    page.evaluate(MUTE)
    page.locator("#image_to_video-generate").click()
    page.wait_for_function("window.muted")
    page.evaluate("(now => { Date.now = () => now() + 13_000; })(Date.now)")  # 13 s later
    page.locator("#ws-card .card:is([data-state=running], [data-state=done])").wait_for()
    assert messages(page) == [] and stayed(page)
    assert len(clips(page)) == 1


@pytest.mark.deep
def test_a_restart_of_the_app_loses_nothing(visit: Visit, alone: Site, photo: Path) -> None:
    page = visit(on=alone)
    page.get_by_role("tab", name="Fast 4-step").click()
    choose(page, photo, "fast_video")
    page.locator(f"{FAST}-prompt textarea").fill("across a restart")
    expect(page.locator(f"{FAST}-generate")).to_be_enabled()
    stays(page)
    try:
        alone.kill()
        expect(page.locator(LINE)).to_contain_text("Wan Studio does not answer.")  # the poll alone sees it
        page.locator(f"{FAST}-seconds label").first.click()
        page.locator(f"{FAST}-generate").click()
        expect(page.locator(f"{FAST}-generate")).to_have_text("Waiting for the connection")
        alone.start()
        card(page, "running")
        expect(page.locator(LINE)).to_be_hidden()
        assert messages(page) == [] and stayed(page)
        expect(page.locator("#tab-fast-button")).to_have_class(re.compile("selected"))
        expect(page.locator(f"{FAST}-prompt textarea")).to_have_value("across a restart")
        expect(page.locator(f"{FAST}-image img").first).to_be_visible()
        assert len(clips(page)) == 1

        # Another version of the page is served: nothing is sent to events that are numbered differently.
        served = '{"dependencies": [], "components": []}'
        page.route("**/app_id", lambda route: route.fulfill(json={"app_id": 1}))
        page.route("**/config", lambda route: route.fulfill(body=served, content_type="application/json"))
        page.context.set_offline(True)
        expect(page.locator(LINE)).to_contain_text("You're offline")
        page.context.set_offline(False)
        expect(page.locator(LINE)).to_contain_text("Wan Studio was updated. Reload the page to go on.")
        assert stayed(page)
        page.unroute("**/app_id")
        page.unroute("**/config")
        page.locator(LINE).get_by_role("button", name="Reload").click()
        page.wait_for_function("!window.stayed && document.querySelector('#image_to_video-generate')")
    finally:
        alone.kill()


def fulfil(route: Route, **answer: Any) -> None:
    route.fulfill(**answer)


def opened(browser: Browser, site: Site, script: str = "") -> tuple[Page, list[str]]:
    """The page in a context of its own, where refused requests may appear in the console; and errors of its
    scripts. `script` runs before the page's own."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    if script:
        context.add_init_script(script)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(site.url)
    page.locator("#image_to_video-generate").wait_for()
    return page, faults


def test_no_message_of_gradio_is_shown(browser: Browser, site: Site, photo: Path, tmp_path: Path) -> None:
    page, faults = opened(browser, site)
    problem = page.locator(".ws-upload")
    disk = "The disk of this machine is almost full, so files cannot be added."
    # The checks in Gradio's script, which a file meets that the page's own check lets through.
    page.evaluate("window.wanLimits.upload = 0")
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(101_000_000)
    page.locator("#image_to_video-image input[type=file]").set_input_files(large)
    expect(problem).to_have_text("This file is larger than 100 MB. Save it smaller and add it again.")

    refusals = [
        {"status": 507, "json": {"detail": disk}},
        {"status": 413, "json": {"detail": "Size exceeded"}},
    ]
    page.route(
        "**/upload?*", lambda route: route.fulfill(**refusals.pop(0)) if refusals else route.continue_()
    )
    page.locator("#image_to_video-image input[type=file]").set_input_files(photo)
    expect(problem.locator("span")).to_have_text(disk)
    problem.get_by_role("button", name="Try again").click()
    expect(problem).to_contain_text("larger than 100 MB")
    choose(page, photo)
    expect(problem).to_have_count(0)
    assert messages(page) == []

    for status, body in ((422, '{"detail": [{"msg": "Field required"}]}'), (500, "Internal Server Error")):
        answer = functools.partial(fulfil, status=status, body=body)
        page.route("**/queue/join*", answer)
        page.locator("#image_to_video-generate").click()
        expect(page.locator(".toast-body")).to_contain_text("That did not work. Try again.")
        assert not GRADIO.search(" ".join(messages(page)))
        page.unroute("**/queue/join*")
        page.locator('[data-testid="toast-close"]').click()
        expect(page.locator(".toast-body")).to_have_count(0)
    assert faults == []


BLOCKED = """for (const name of ["localStorage", "sessionStorage", "indexedDB"])
  Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });"""
FULL = """Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };"""


@pytest.mark.parametrize(
    ("script", "said"),
    [(BLOCKED, "blocks storage. Videos made here cannot be found again after this page is closed or loaded"),
     deep(FULL, "storage is full. Videos made here cannot be found again after this tab is closed")],
    ids=["blocked", "full"],
)  # fmt: skip
def test_the_page_works_without_storage(browser: Browser, site: Site, script: str, said: str) -> None:
    page, faults = opened(browser, site, script)
    expect(page.locator("#ws-connection .storage")).to_contain_text(said)
    page.locator('#ws-card [data-act="starter"]').first.click()
    page.locator("#image_to_video-image img").first.wait_for()
    short(page)
    page.locator("#image_to_video-generate").click()
    page.locator("#ws-card .card:is([data-state=running], [data-state=done])").wait_for()
    assert page.evaluate("[wanStorage.kept, Boolean(wanStorage.getItem('wan-studio-owner'))]") == [
        False,
        True,
    ]
    assert len(clips(page)) == 1 and faults == []


TO_THE_BRIM = """() => {
  for (let size = 2 ** 20, n = 0; size >= 1; size /= 2) {
    try {
      for (;; n += 1) localStorage.setItem(`fill ${n}`, "x".repeat(size));
    } catch {
      /* less fits */
    }
  }
}"""


@pytest.mark.deep
def test_a_storage_that_fills_up_keeps_what_the_tab_has(browser: Browser, served: SimpleNamespace) -> None:
    """What no longer fits lasts through a reload; that videos are still found is what is said."""
    page, faults = opened(browser, served)  # type: ignore[arg-type]
    prompt, note = page.locator("#image_to_video-prompt textarea"), page.locator("#ws-connection .storage")
    page.wait_for_function("window.wanStorage.holds('wan-studio-owner')")
    expect(note).to_be_hidden()
    page.goto(f"{served.url}/page/starters/starters.json")
    page.evaluate(TO_THE_BRIM)
    for words in ("Too much to store", "Even more"):
        page.goto(served.url)
        page.wait_for_function("window.wanStudio?.drafts && !window.wanStudio.drafts.busy()")
        prompt.fill(words)
        expect(note).to_have_text(
            "This browser's storage is full. What you type is kept only until this tab is closed."
        )
        page.wait_for_function(
            "(words) => Object.values(sessionStorage).some((one) => one.includes(words))", arg=words
        )
        page.reload()
        expect(prompt).to_have_value(words)
        expect(note).to_be_visible()
    page.evaluate("localStorage.clear()")
    prompt.fill("Room again")
    page.wait_for_function("Object.values(localStorage).some((one) => one.includes('Room again'))")
    assert not page.evaluate("Object.keys(sessionStorage).some((key) => key.includes('spare'))")
    assert faults == []
