"""axe-core finds nothing serious on the page: every tab with Advanced open, and every state of the card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from scripts.scene_jobs import files
from scripts.scenes import SCENES, clear
from scripts.scenes import served as scenes_of
from tests.e2e.conftest import PATIENCE
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


@pytest.mark.parametrize(("width", "height", "theme"), [LOOKS[0], deep(*LOOKS[1])])
def test_every_tab(visit: Callable[..., Page], served: Any, width: int, height: int, theme: str) -> None:
    page = visit(width, height, theme, on=served)
    assert all_tabs(page) == {}


@pytest.fixture(scope="module", params=[False, True], ids=["complete", "lacking"])
def scenes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page that shows every state, with the models' files and without."""
    folder = tmp_path_factory.mktemp("scenes")
    samples = files(folder / "samples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with scenes_of(request.param) as (url, studio):
            yield SimpleNamespace(url=url, studio=studio, samples=samples, lacking=request.param)


@pytest.fixture(scope="module")
def table() -> Iterator[dict[tuple[str, str], dict[str, int]]]:
    """(state, tab or what is opened) -> look -> number of findings; printed at the end (pytest -s)."""
    rows: dict[tuple[str, str], dict[str, int]] = {}
    yield rows
    looks = [look_name(*look) for look in LOOKS]
    print("\n| state | tab or view | " + " | ".join(looks) + " |\n|" + "---|" * (len(looks) + 2))
    for (state, place), counts in rows.items():
        print(f"| {state} | {place} | " + " | ".join(str(counts.get(look, "-")) for look in looks) + " |")


def look_name(width: int, height: int, theme: str) -> str:
    return f"{width} {theme}"


@pytest.mark.deep
@pytest.mark.parametrize(("width", "height", "theme"), LOOKS)
@pytest.mark.parametrize("name", SCENES)
def test_every_state(
    visit: Callable[..., Page], scenes: Any, table: Any, name: str, width: int, height: int, theme: str
) -> None:
    scene = SCENES[name]
    if scene.lacking is not scenes.lacking:
        pytest.skip("a state of the other page")
    clear(scenes.studio)
    path = scene.fill(scenes.studio, scenes.samples) or "/"
    page = visit(width, height, theme, path=path, on=scenes, missing=True)
    page.locator('#ws-card .card:not([data-state="loading"])').wait_for()
    found: dict[str, list[Any]] = {}
    for tab in scene.tabs:
        open_tab(page, tab)
        if scene.each_tab is not None:
            scene.each_tab(page, tab, scenes.samples)
        page.evaluate("scrollTo(0, document.body.scrollHeight)")  # nothing lies under the bar with Generate
        found[tab] = findings(page)
    for view, look in scene.views.items():
        page.locator(f"#tab-{scene.tabs[0]}-button").click()
        if (strip := page.locator("#ws-card .reopen")).is_visible():
            strip.click()
        look(page)
        found[view] = findings(page)
        page.keyboard.press("Escape")
    for place, here in found.items():
        table.setdefault((name, place), {})[look_name(width, height, theme)] = len(here)
    assert {place: here for place, here in found.items() if here} == {}
