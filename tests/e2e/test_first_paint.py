"""What a visitor sees before the server has answered the page load."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.e2e.actions import card, generate, quality
from tests.e2e.conftest import PATIENCE

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]


def test_nothing_is_said_of_the_visitors_videos_before_the_answer(visit: Visit, photo: Path) -> None:
    page = visit()
    card(page, "empty")
    expect(page.locator("#ws-card .stage.empty")).to_contain_text("Your video appears here")
    quality(page)
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
    page.locator('#ws-card .card:is([data-state="running"], [data-state="done"])').wait_for()
    if page.locator('#ws-card .card[data-state="running"]').count():
        page.locator('#ws-card [data-act="cancel"]').click()
