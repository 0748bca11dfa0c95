"""Header, tabs, Generate, stage and all texts lie apart and inside the window, in every state and at every
size; what has the focus shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page

from scripts.demo_page import SETTLED
from scripts.scene_jobs import files
from scripts.scenes import SCENES, clear
from scripts.scenes import served as scenes_of
from scripts.screenshots import PHONES, SIZES, THEMES, Camera, visitor
from tests.e2e.page_marks import RINGS, SMALL, TEXTS

TABS = ("image", "sound", "animate", "fast", "text")
STATES = ("empty", "running", "queued", "done", "tall", "failed", "stopped")
APART = """() => {
  const shown = (node) => node?.getClientRects().length && getComputedStyle(node).visibility !== 'hidden';
  const named = {
    brand: '#ws-header .brand', badge: '#ws-header .badge', queue: '#ws-header .queue', theme: '.theme',
    tabs: '#ws-tabs .tab-container[role=tablist]', generate: 'button.ws-generate', stage: '#ws-card .stage',
    status: '#ws-card .status',
  };
  const parts = [];
  for (const [name, selector] of Object.entries(named)) {
    const node = [...document.querySelectorAll(selector)].find(shown);
    if (!node) {
      if (!['stage', 'status'].includes(name)) return `no ${name}`;
      continue;
    }
    const { left, top, right, bottom } = node.getBoundingClientRect();
    parts.push({ name, left, top, right, bottom });
  }
  const found = [];
  const phone = innerWidth < 700;
  // A phone's row of tabs scrolls sideways; its empty stage is words at the end of the form.
  const tabs = parts.find((part) => part.name === 'tabs');
  if (phone) Object.assign(tabs, { left: Math.max(tabs.left, 0), right: Math.min(tabs.right, innerWidth) });
  const chosen = document.querySelector('#ws-tabs [role=tab][aria-selected=true]').getBoundingClientRect();
  if (chosen.left < 0 || chosen.right > innerWidth) found.push('the chosen tab outside');
  const words = phone && document.querySelector('#ws-card .card[data-state=empty]');
  const beside = parts.filter((part) => !(words && part.name === 'stage'));
  for (const [n, a] of beside.entries()) {
    const low = a.name === 'status' ? a.top + 20 : a.bottom;
    const inside = a.left >= 0 && a.top >= 0 && a.right <= innerWidth + 0.5 && low <= innerHeight + 0.5;
    if (!inside) found.push(`${a.name} outside`);
    for (const b of beside.slice(n + 1)) {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 0.5 && down > 0.5) found.push(`${a.name} over ${b.name}`);
    }
  }
  return found.length ? JSON.stringify([found, parts]) : '';
}"""
"""What overlaps or lies outside of the window at its top, "" for nothing."""
BEYOND = """() => [...document.querySelectorAll('.ws-seg label')].filter((label) => {
  const box = label.closest('.wrap').getBoundingClientRect(), { left, right } = label.getBoundingClientRect();
  return left < box.left - 0.5 || right > box.right + 0.5;
}).map((label) => label.textContent)"""
"""Choices that reach beyond the box around them."""
FLAWS = """() => {
  const wide = 'position: absolute; left: 9px; white-space: nowrap';
  document.querySelector('#ws-card').insertAdjacentHTML('beforeend',
    `<p style="${wide}; top: 60px; display: flex; gap: 1px"><span>Left</span><span>Right</span></p>
     <p style="${wide}; top: 90px; width: 40px; overflow: hidden">A long sentence</p>
     <p style="${wide}; top: 120px; width: 40px; overflow: hidden; text-overflow: ellipsis">Shortened</p>
     <button class="btn" style="${wide}; top: 150px; width: 20px">A button</button>`);
}"""
"""Adds texts that touch, are cut off, or are wider than their button; and one that ends in an ellipsis."""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("geometry")
    samples = files(folder / "samples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with scenes_of(False) as (url, studio):
            yield SimpleNamespace(url=url, studio=studio, samples=samples)


def test_nothing_lies_over_anything_else(
    visit: Callable[..., Page], served: SimpleNamespace, photo: Path
) -> None:
    """One state at all sizes: the job card is the same on all tabs."""
    served.studio.runs.clear()
    served.studio.add("image_to_video", {"prompt": "The lake"}, photo)
    page = visit(on=served)
    page.locator('#ws-card .card[data-state="running"]').wait_for()
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(f"({APART})() === ''")
        assert page.evaluate(TEXTS) == []
    # The choices of a part of Advanced stay in their box, however many they are and however long their names.
    page.get_by_role("tab", name="Animate").click()
    page.locator('[aria-controls="animate-advanced"]').click()
    page.locator("#animate-pose_cache label").last.wait_for()
    for width, height in (SIZES["375"], SIZES["1440"], SIZES["1920"]):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(BEYOND) == []
    page.evaluate(FLAWS)
    found = "; ".join(page.evaluate(TEXTS))
    for flaw in ('1.0 px from "Right"', 'cut off at the side: "A long', 'wider than its box: "A button'):
        assert flaw in found, found
    assert "Shortened" not in found


@pytest.mark.deep
@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("touch", [False, True], ids=["pointer", "touch"])
def test_every_state_and_tab(
    visit: Callable[..., Page], scenes: SimpleNamespace, name: str, touch: bool
) -> None:
    clear(scenes.studio)
    path = SCENES[name].fill(scenes.studio, scenes.samples) or "/"
    page = visit(path=path, on=scenes, touch=touch, missing=True)
    page.locator('#ws-card .card:not([data-state="loading"])').wait_for()
    found = {}
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        for tab in TABS:
            page.locator(f"#tab-{tab}-button").click()
            page.locator(f"#tab-{tab}").wait_for()
            if (strip := page.locator("#ws-card .reopen")).is_visible():
                strip.click()
            page.evaluate("scrollTo(0, 0)")
            page.evaluate(
                "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            if said := page.evaluate(APART):
                found[f"{tab} at {width} x {height}"] = said
    assert found == {}


class Ruler(Camera):
    """Measures what the camera would take."""

    def __init__(self, folder: Path, size: str, theme: str, script: str) -> None:
        super().__init__(folder, size, theme)
        self.script = script
        self.found: dict[str, list[str]] = {}

    def shot(self, page: Page, name: str) -> None:
        page.evaluate(SETTLED)
        if self.script == RINGS:
            page.keyboard.press("Tab")  # else the last press was a click, which shows no ring
        if found := page.evaluate(self.script):
            self.found[f"{name} {self.ending}"] = found

    @contextlib.contextmanager
    def said(self, scene: str, view: str) -> Iterator[None]:
        yield


@pytest.fixture(scope="module")
def lacking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("lacking")
    with scenes_of(True) as (url, studio):
        yield SimpleNamespace(url=url, studio=studio, samples=files(folder / "samples"))


@pytest.mark.deep
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCENES)
def test_texts_of_every_view(request: pytest.FixtureRequest, browser: Browser, name: str, size: str) -> None:
    scene = SCENES[name]
    site = request.getfixturevalue("lacking" if scene.lacking else "scenes")
    clear(site.studio)
    path = scene.fill(site.studio, site.samples)
    ruler = Ruler(site.samples, size, "light", TEXTS)
    page = visitor(browser, site.url + path, size, "light")
    ruler.scene(page, name, scene, site.samples)
    assert ruler.found == {}


@pytest.mark.deep
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["empty", "filled", "choices", "running", "done", "failed"])
def test_the_focus_is_seen(
    scenes: SimpleNamespace, browser: Browser, name: str, size: str, theme: str
) -> None:
    """In the tabs: a menu or panel closes when the focus leaves it."""
    clear(scenes.studio)
    path = SCENES[name].fill(scenes.studio, scenes.samples)
    ruler = Ruler(scenes.samples, size, theme, RINGS)
    page = visitor(browser, scenes.url + path, size, theme)
    ruler.scene(page, name, replace(SCENES[name], views={}), scenes.samples)
    assert ruler.found == {}


@pytest.mark.deep
@pytest.mark.parametrize("size", PHONES)
@pytest.mark.parametrize("name", ["choices", "fetching"])
def test_choices_of_models_and_loras_fit_a_finger(
    scenes: SimpleNamespace, browser: Browser, name: str, size: str
) -> None:
    clear(scenes.studio)
    path = SCENES[name].fill(scenes.studio, scenes.samples)
    ruler = Ruler(scenes.samples, size, "light", SMALL)
    page = visitor(browser, scenes.url + path, size, "light")
    ruler.scene(page, name, SCENES[name], scenes.samples)
    assert ruler.found == {}
