"""axe-core finds nothing serious on the page: every tab with Advanced open, and every state of the card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actions import card
from tests.e2e.conftest import PATIENCE
from tests.support.paths import ROOT
from tests.support.tiers import deep
from ui.tabs.registry import TABS

expect.set_options(timeout=PATIENCE)
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RUN = """async () => {
  const aa = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await axe.run(document, {
    resultTypes: ["violations"], runOnly: aa,
    rules: { "label-content-name-mismatch": { enabled: true }, "target-size": { enabled: true } },
  });
  return found.violations.flatMap((rule) => rule.nodes.map((node) => [
    rule.impact, rule.id, node.target.join(" "), node.failureSummary,
  ]));
}"""
SERIOUS = ("serious", "critical")
LOOKS = [(1440, 900, "light"), (375, 812, "dark"), (1440, 900, "dark"), (375, 812, "light")]
TAB_KEYS = [*(tab.key for tab in TABS), "library", "system"]


def findings(page: Page) -> list[Any]:
    """The serious findings of axe-core on the page as it is now."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE)
    return [found for found in page.evaluate(RUN) if found[0] in SERIOUS]


def open_tab(page: Page, key: str) -> None:
    page.locator(f"#tab-{key}-button").click()
    expect(page.locator(f"#tab-{key}-button")).to_have_attribute("aria-selected", "true")
    advanced = page.locator(f"#tab-{key} button.advanced")
    for number in range(advanced.count()):
        button = advanced.nth(number)
        if button.is_visible() and button.get_attribute("aria-expanded") == "false":
            button.click()
            expect(button).to_have_attribute("aria-expanded", "true")


def all_tabs(page: Page) -> dict[str, list[Any]]:
    """Tab -> its findings, for the tabs that have any."""
    found = {}
    for key in TAB_KEYS:
        open_tab(page, key)
        if here := findings(page):
            found[key] = here
    return found


@pytest.fixture
def clip(served: SimpleNamespace) -> Callable[..., Any]:
    """Adds a job of the visitor's."""
    picture = ROOT / "ui" / "assets" / "starters" / "fjord.jpg"
    picture = picture if picture.is_file() else next((ROOT / "ui" / "assets" / "starters").glob("*.jpg"))

    def add(**values: Any) -> Any:
        return served.studio.add("image_to_video", {"prompt": "The boat drifts", **values}, picture)

    return add


@pytest.mark.parametrize(("width", "height", "theme"), [LOOKS[0], deep(*LOOKS[1])])
def test_every_tab(visit: Callable[..., Page], served: Any, width: int, height: int, theme: str) -> None:
    page = visit(width, height, theme, on=served)
    assert all_tabs(page) == {}


@pytest.mark.deep
@pytest.mark.parametrize(("width", "height", "theme"), LOOKS)
def test_every_state(
    visit: Callable[..., Page], served: Any, clip: Callable[..., Any], width: int, height: int, theme: str
) -> None:
    studio = served.studio
    for state in ("empty", "running", "done", "failed"):
        if state == "failed":
            studio.fail = "out_of_memory"
        if state != "empty":
            job = clip()
            if state == "done":
                studio.finish(job)
        page = visit(width, height, theme, on=served)
        card(page, state)
        assert all_tabs(page) == {}, state
