"""Time from opening the page to the progress of a running job: after a reload, by a private link in
another browser, and after the app was killed and restarted. The demo engine is a separate process, like
ComfyUI.

Seconds since the navigation began, by the browser's own clock: `page`, Generate can be seen; `progress`, the
job's progress bar is visible; `live`, the first poll has been answered. For the tab that stayed open while
the app was killed: seconds since /healthz answered again."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from backend.servers.ports import free_port
from tests.e2e.actions import card, choose, quality
from tests.e2e.chromium import Chromium
from tests.e2e.conftest import ROOT, Site

WATCH = """(() => {
  const seen = (window.seen = {});
  const note = (name, done) => { if (!(name in seen) && done) seen[name] = performance.now() / 1000; };
  const polls = () =>
    performance.getEntriesByType("resource").filter((e) => e.name.includes("component_server"));
  const bar = () => document.querySelector("#ws-card [role=progressbar]");
  const look = () => {
    note("page", document.querySelector("#image_to_video-generate")?.offsetParent);
    note("progress", bar()?.getAttribute("aria-valuenow") > 0);
    if ("progress" in seen) note("live", polls().some((e) => e.responseEnd / 1000 >= seen.progress));
    if (!("live" in seen)) setTimeout(look, 5);
  };
  look();
})()"""
HEAD = ("page", "progress", "live")


def load(page: Page, url: str) -> list[float]:
    """The three times of one navigation."""
    page.goto(url)
    page.wait_for_function("'live' in seen", timeout=60_000)
    return [float(page.evaluate("seen")[name]) for name in HEAD]


def show(name: str, rows: list[list[float]]) -> None:
    cells = [
        f"{statistics.median(column):.2f} ({min(column):.2f} to {max(column):.2f})"
        for column in zip(*rows, strict=True)
    ]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def measure(chromium: Chromium, site: Site, picture: Path, runs: int) -> None:
    context = chromium.browser().new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(site.url)
    choose(page, picture)
    quality(page)
    page.locator("#image_to_video-generate").click()
    card(page, "running")
    link = page.locator("#ws-card [data-link]").get_attribute("data-link")
    print(f"| seconds, median of {runs} (from, to) | {' | '.join(HEAD)} |\n|---|---|---|---|")
    show("reload", [load(page, site.url) for _ in range(runs)])
    rows = []
    for _ in range(runs):
        other = chromium.browser().new_context(viewport={"width": 1440, "height": 900})
        other.add_init_script(WATCH)
        rows.append(load(other.new_page(), f"{site.url}/{link}"))
        other.close()
    show("private link, browser with an empty cache", rows)
    again, open_tab = [], []
    for _ in range(runs):
        site.kill()
        page.locator('[data-live="notice"]', has_text="Connection lost").wait_for()
        site.start()
        began = time.monotonic()
        page.locator('[data-live="notice"]', has_text="Connection lost").wait_for(state="hidden")
        open_tab.append([time.monotonic() - began])
        card(page, "running")
        again.append(load(page, site.url))
    show("load after the app was killed and started", again)
    median = statistics.median(seconds for (seconds,) in open_tab)
    print(f"| the tab that stayed open meanwhile | | | {median:.2f} |")
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        engine = subprocess.Popen(
            [sys.executable, "-m", "backend.engines.demo", "--port", str(port), "--step-seconds", "20"],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        picture = folder / "fjord.jpg"
        Image.effect_noise((960, 540), 30).convert("RGB").save(picture)
        site = Site(folder, WAN_ENGINE="comfyui", COMFYUI_URL=f"http://127.0.0.1:{port}")
        try:
            site.start()
            with sync_playwright() as playwright:
                chromium = Chromium(playwright)
                with chromium.watch(900):
                    measure(chromium, site, picture, runs)
                    chromium.close()
        finally:
            site.stop()
            engine.kill()
            engine.wait(20)


if __name__ == "__main__":
    main()
