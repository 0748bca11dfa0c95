"""What a visitor sees before the server has answered the page load."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.e2e.actions import card, generate
from tests.e2e.conftest import PATIENCE, Site

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]


def test_nothing_is_said_of_the_visitors_videos_before_the_answer(
    visit: Visit, photo: Path, site: Site
) -> None:
    with site.held():
        asked_before_the_answer(visit(), photo)
        site.cancelling()


def asked_before_the_answer(page: Page, photo: Path) -> None:
    card(page, "empty")
    expect(page.locator("#ws-card .stage.empty")).to_contain_text("Your video appears here")
    generate(page, photo)
    card(page, "running")

    held: list[Route] = []
    let_go = threading.Event()

    def hold(route: Route) -> None:
        """The answer to the page load carries the card; the poll does not."""
        if let_go.is_set() or "server_fn" in (route.request.post_data or ""):
            route.continue_()
        else:
            held.append(route)

    page.route("**/gradio_api/run/**", hold)
    with page.expect_request("**/gradio_api/run/**"):
        page.reload()
    card(page, "loading")
    shown = page.locator("#ws-card .card")
    expect(shown.locator(".stage")).to_be_visible()
    expect(shown).not_to_contain_text("Your video appears here")
    assert held, "the page load asks for the card"
    let_go.set()
    for route in held:
        route.continue_()
    card(page, "running")
    page.locator('#ws-card [data-act="cancel"]').click()
