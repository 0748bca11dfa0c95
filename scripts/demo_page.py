"""The page on the demo engine, for the pictures and the tour of the documentation."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Playwright

from backend.servers.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
START_SECONDS = 120.0
PATIENCE = 120_000  # milliseconds
STARTERS = ROOT / "ui" / "assets" / "starters" / "starters.json"

SETTLED = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  await document.fonts.ready;
  await frame();
  const seen = [...document.images].filter((image) => image.getClientRects().length && image.src);
  const limit = new Promise((done) => setTimeout(done, 2000));
  await Promise.race([Promise.allSettled(seen.map((image) => image.decode())), limit]);
  await frame();
}"""


def launch(playwright: Playwright) -> Browser:
    """Starts Chromium: that of WAN_CHROMIUM, else the one that is installed."""
    path = os.environ.get("WAN_CHROMIUM") or shutil.which("chromium")
    return playwright.chromium.launch(executable_path=path, args=OPTIONS)


@contextlib.contextmanager
def demo_page(step_seconds: float) -> Iterator[str]:
    """Runs a demo engine and the app with an empty data folder; yields the address of the page.

    step_seconds: how long a step of the engine takes.
    """
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, engine_port, port = Path(name), free_port(), free_port()
        engine = [sys.executable, "-m", "backend.engines.demo", "--port", str(engine_port),
                  "--dir", str(folder / "engine"), "--step-seconds", str(step_seconds)]  # fmt: skip
        env = {
            **os.environ, "COMFYUI_URL": f"http://127.0.0.1:{engine_port}", "GRADIO_SERVER_PORT": str(port),
            "WAN_MAX_QUEUED_PER_OWNER": "20", "WAN_DATA_DIR": str(folder / "data"),
            "GRADIO_TEMP_DIR": str(folder / "uploads"),
        }  # fmt: skip
        for command in (engine, [sys.executable, "app.py"]):
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        yield url


def wait_for(url: str) -> None:
    """Waits until the app and its engine are ready; raises TimeoutError after START_SECONDS."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            if b'"ok"' in answer.read():
                return
        time.sleep(0.1)
    raise TimeoutError("the app did not start")


def opened(browser: Browser, url: str, width: int, height: int, theme: str) -> Page:
    """Opens the page in a new browser context."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(url)
    page.locator("#image_to_video-generate").wait_for()
    page.locator('#ws-card .card[data-state="empty"]').wait_for()
    return page


def starter(page: Page, name: str) -> Locator:
    """The button of a starter, given the name of its file without ending."""
    files = [one["file"] for one in json.loads(STARTERS.read_text(encoding="utf-8"))]
    return page.locator(f'#ws-card [data-act="starter"][data-n="{files.index(f"{name}.jpg")}"]')


def shown(page: Page) -> None:
    """Waits until fonts and images are there."""
    page.evaluate(SETTLED)
