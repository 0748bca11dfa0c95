"""Counts what the page is made of: Gradio's blocks by tab and kind, and the bytes that every browser loads.

python -m scripts.page_weight              blocks and bytes
python -m scripts.page_weight --browser    also first visits in Chromium: the time from navigation until
                                           Generate can be pressed and until the server has answered the
                                           form, elements and script memory; medians of five visits, with
                                           the least and the most (--visits for another number)
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import tempfile
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

VISITS = 5
MARKS = {
    "Generate usable": "#image_to_video-generate:enabled",
    "form answered": "#image_to_video-hint .missing",
}
"""Name of a time -> the element that it ends with: the button, which can be pressed, and the first answer of
the server to the form."""
ELEMENTS, MEMORY = "elements", "script memory"
UNITS = {**dict.fromkeys(MARKS, " ms"), ELEMENTS: "", MEMORY: " MB"}
WATCH = """
window.wanTimes = {};
new MutationObserver(() => {
  for (const [name, selector] of Object.entries(%s))
    if (!(name in window.wanTimes) && document.querySelector(selector)?.offsetParent)
      window.wanTimes[name] = performance.now();
}).observe(document, { childList: true, subtree: true, attributes: true });
"""
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAUSE_MS = 1000
"""How long a page rests before it is measured."""


@dataclass(frozen=True)
class Weight:
    """What a page is made of. `tabs`, `kinds`: number of blocks; `config`: bytes of its configuration."""

    tabs: Counter[str]
    kinds: Counter[str]
    config: int

    @property
    def blocks(self) -> int:
        """The number of all blocks."""
        return self.kinds.total()


def weigh(page: gr.Blocks) -> Weight:
    """Counts the blocks of a page: those of each tab, those beside the tabs ("page") and those of the API."""
    blocks = [block for block in page.blocks.values() if block is not page]
    return Weight(
        tabs=Counter(_tab(block) for block in blocks),
        kinds=Counter(block.get_block_name() for block in blocks),
        config=len(json.dumps(page.get_config_file(), default=str)),
    )


def _tab(block: Any) -> str:
    if block.get_block_name() == "api":
        return "endpoints"
    while block is not None:
        if block.get_block_name() == "tabitem":
            return str(block.elem_id)
        block = block.parent
    return "page"


def served(page: Any, options: dict[str, Any], routes: list[Any]) -> str:
    """Serves the page; its address."""
    from backend.servers.ports import free_port

    _, url, _ = page.launch(
        server_name="127.0.0.1", server_port=free_port(), prevent_thread_lock=True, quiet=True,
        app_kwargs={"routes": routes}, **options,
    )  # fmt: skip
    return str(url)


def visit(url: str, visits: int = VISITS) -> dict[str, list[float]]:
    """Measurements of some first visits by UNITS: times from navigation, elements, script memory."""
    from playwright.sync_api import sync_playwright

    found: list[dict[str, float]] = []
    with sync_playwright() as playwright:
        path = os.environ.get("WAN_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        for _ in range(visits):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            context.set_default_timeout(120_000)
            context.add_init_script(WATCH % json.dumps(MARKS))
            tab = context.new_page()
            tab.goto(url)
            for selector in MARKS.values():
                tab.locator(selector).wait_for()
            tab.wait_for_timeout(PAUSE_MS)
            devtools = context.new_cdp_session(tab)
            devtools.send("HeapProfiler.collectGarbage")
            heap = devtools.send("Runtime.getHeapUsage")["usedSize"]
            times = tab.evaluate("window.wanTimes")
            elements = tab.evaluate("document.querySelectorAll('*').length")
            found.append({**times, ELEMENTS: elements, MEMORY: heap / 1e6})
            context.close()
        browser.close()
    return {name: [one[name] for one in found] for name in UNITS}


def summary(name: str, values: list[float]) -> str:
    """A line with the median of a measurement, its least and its most."""
    middle, least, most = (f"{value:,.1f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{name}: {middle}{UNITS[name]} (median of {len(values)}, {least} to {most})"


def main() -> None:
    """Prints the counts of this checkout."""
    parser = argparse.ArgumentParser(description="Counts the blocks and bytes of the page.")
    parser.add_argument("--browser", action="store_true", help="also measure first visits in Chromium")
    parser.add_argument("--visits", type=int, default=VISITS, help="number of first visits (default 5)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wan-weight-"))
    os.environ.update(GRADIO_TEMP_DIR=str(folder), GRADIO_ANALYTICS_ENABLED="False")
    from tests.support.fake_studio import FakeStudio
    from ui import page as layout

    studio: Any = FakeStudio(seconds=1e-9, hold=0.62)
    page: Any = layout.build(studio)
    weight = weigh(page)
    print(f"blocks: {weight.blocks}")
    print("  by tab:  " + ", ".join(f"{name} {count}" for name, count in weight.tabs.most_common()))
    print("  by kind: " + ", ".join(f"{name} {count}" for name, count in weight.kinds.most_common()))
    print(f"configuration: {weight.config:,} bytes")
    url = served(page, layout.launch_options(studio), [*studio.routes(), *layout.routes()])
    with urllib.request.urlopen(url) as answer:
        html = answer.read()
    print(f"first document: {len(html):,} bytes, {len(gzip.compress(html)):,} compressed")
    if options.browser:
        for name, values in visit(url, max(1, options.visits)).items():
            print(summary(name, values))
    page.close(verbose=False)
    studio.close()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
