"""Header, tabs, Generate and the stage lie apart and inside the window, in every state and at every size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page

from scripts.scenes import SCENES, clear, files
from scripts.scenes import served as scenes_of
from scripts.screenshots import SIZES

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
