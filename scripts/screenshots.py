"""Pictures of the real page on the demo engine: every tab empty, running, done and failed; six window sizes;
light and dark.

.venv/bin/python -m scripts.screenshots FOLDER          all of them into FOLDER
.venv/bin/python -m scripts.screenshots FOLDER --size 375 --size 1440
                                                        those of some sizes
.venv/bin/python -m scripts.screenshots FOLDER --tabs   each tab, with the models there and missing, over a
                                                        studio that plays a ComfyUI with a GPU
.venv/bin/python -m scripts.screenshots --readme        the two of the README into docs/images
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from backend.servers.ports import free_port
from tests.support.fake_studio import FakeStudio
from workflows.catalog import load_catalog
from workflows.notice import notice

ROOT = Path(__file__).resolve().parent.parent
SIZES = {
    "1920": (1920, 1080), "1440": (1440, 900), "1366": (1366, 650), "1024": (1024, 768), "375": (375, 812),
    "844": (844, 390),
}  # fmt: skip
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
STEP_SECONDS = "1.2"  # slow enough to catch a preview


def serve(folder: Path, engine_port: int) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes], str]:
    """Starts a demo engine with fault injection and the app; returns both processes and the app's URL."""
    engine = subprocess.Popen(
        [sys.executable, "-m", "backend.engines.demo", "--port", str(engine_port), "--faults",
         "--dir", str(folder / "engine"), "--step-seconds", STEP_SECONDS],
        cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    port = free_port()
    env = {
        **os.environ, "COMFYUI_URL": f"http://127.0.0.1:{engine_port}", "GRADIO_SERVER_PORT": str(port),
        "WAN_DATA_DIR": str(folder / "data"), "GRADIO_TEMP_DIR": str(folder / "uploads"),
    }  # fmt: skip
    app = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(1200):
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
                if b'"ok"' in answer.read():
                    return engine, app, url
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the app did not start")


def visitor(browser: Browser, url: str, size: str, theme: str) -> Page:
    """Opens the page in a new browser context with this window size and theme."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(url)
    page.locator("#image_to_video-generate").wait_for()
    page.wait_for_timeout(1500)
    return page


def state(page: Page, name: str) -> None:
    """Waits until the job card is in this state."""
    page.locator(f'#ws-card .card[data-state="{name}"]').wait_for()


def start(page: Page, number: int) -> None:
    """Selects a starter and presses Generate."""
    page.locator('#ws-card [data-act="starter"]').nth(number).click()
    page.locator("#image_to_video-image img").first.wait_for()
    page.wait_for_timeout(800)
    page.locator("#image_to_video-generate").click()
    state(page, "running")


def order_failure(engine_port: int) -> None:
    """Makes the next sampling on the demo engine fail with an out-of-memory error."""
    body = b'{"error_at": {"class": "KSamplerAdvanced", "kind": "oom", "step": 2}}'
    request = urllib.request.Request(
        f"http://127.0.0.1:{engine_port}/demo/faults", body, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).close()


def running(page: Page, number: int) -> None:
    """Starts a job and waits for its first preview."""
    start(page, number)
    page.locator('[data-live="tag"]', has_text="Preview").wait_for()
    page.wait_for_timeout(2500)


def everything(browser: Browser, url: str, engine_port: int, folder: Path, sizes: Sequence[str]) -> None:
    """Takes the screenshots of every tab in every state of the card, of the queue and of Advanced."""
    for size in sizes:
        for theme in ("light", "dark"):
            page = visitor(browser, url, size, theme)

            def shot(name: str, page: Page = page, ending: str = f"{size}-{theme}") -> None:
                page.wait_for_timeout(500)
                page.screenshot(path=folder / f"{name}-{ending}.png")

            def each_tab(state: str, page: Page = page, shot: Callable[[str], None] = shot) -> None:
                for tab in (*TABS, TABS[0]):
                    page.get_by_role("tab", name=tab).click()
                    shot(f"{tab.split()[0].lower()}-{state}")

            each_tab("empty")
            page.locator("#image_to_video-speed label", has_text="Quality").click()
            running(page, 1)
            shot("running")
            each_tab("running")
            for number in (1, 2):
                page.locator("#image_to_video-generate").click()
                page.locator("#ws-card .line li").nth(number - 1).wait_for()
            shot("toasts")
            page.locator('[data-live="queue"]').click()
            page.locator("#ws-queue li").nth(2).wait_for()
            shot("queue")
            for left in (2, 1):
                page.locator("#ws-queue li").last.locator("[data-act=cancel]").click()
                expect(page.locator("#ws-queue li")).to_have_count(left)
            page.keyboard.press("Escape")
            state(page, "done")
            page.evaluate("scrollTo(0, 0)")
            shot("done")
            each_tab("done")
            page.locator("button", has_text="Advanced").first.click()
            page.locator("#image_to_video-advanced .group-title").last.wait_for()
            shot("advanced")
            page.locator("button", has_text="Advanced").first.click()
            order_failure(engine_port)
            page.locator("#image_to_video-generate").click()
            state(page, "failed")
            each_tab("failed")
            page.context.close()


TABS = ("Image-to-Video", "Sound-to-Video", "Animate", "Fast 4-step", "Text", "Library", "System")
LACKING = {"there": (), "missing": ("wan2.2_", "wan_2.1_vae")}
"""Name of the screenshots -> prefixes of model files that are missing."""

PUBLIC = (
    "Anybody with the address can use this page (a share link). "
    "Set WAN_AUTH=name:password and start again to ask for a login."
)


@contextlib.contextmanager
def played(folder: Path, lacking: tuple[str, ...]) -> Iterator[tuple[str, FakeStudio]]:
    """Serves the page of a FakeStudio that simulates a ComfyUI on an RTX 4090, with three finished clips, one
    running and one waiting job. Yields the URL and the studio."""
    from ui import page

    studio = FakeStudio(seconds=1e-9)
    names = [file.name for file in load_catalog().files]
    studio.missing = {name for name in names if lacking and name.startswith(lacking)}
    if lacking:
        studio.obstacle = notice("text", text="Files are missing.")
        studio.warning = PUBLIC
    pictures = sorted((ROOT / "ui" / "assets" / "starters").glob("*.jpg"))
    prompts = ("Slowly the fog lifts", "She turns and smiles", "Waves roll in at dusk", "The lantern sways")
    for number, prompt in enumerate(prompts):
        job = studio.add(
            "image_to_video", {"prompt": prompt, "speed": "fast", "seed": 271828 + number}, pictures[number]
        )
        studio.finish(job)
        if number == 1:
            studio.pin(job.id, job.key, True)
    blocks = page.build(studio)  # type: ignore[arg-type]
    _, url, _ = blocks.launch(
        server_name="127.0.0.1", server_port=free_port(), prevent_thread_lock=True, quiet=True,
        app_kwargs={"routes": [*studio.routes(), *page.routes()]},
        **page.launch_options(studio),  # type: ignore[arg-type]
    )  # fmt: skip
    try:
        yield url, studio
    finally:
        blocks.close(verbose=False)


def tabs(browser: Browser, folder: Path) -> None:
    """Takes the screenshots of the Library and System tabs."""
    for state, lacking in LACKING.items():
        with played(folder, lacking) as (url, _):
            for size in ("1440", "375"):
                for theme in ("light", "dark"):
                    page = visitor(browser, url, size, theme)
                    for tab in TABS:
                        page.get_by_role("tab", name=tab).click()
                        page.wait_for_timeout(900)
                        page.screenshot(
                            path=folder / f"{tab.split()[0].lower()}-{state}-{size}-{theme}.png",
                            full_page=size == "375",
                        )
                    page.context.close()


def readme(browser: Browser, url: str) -> None:
    """Takes the screenshots for the README."""
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    page = visitor(browser, url, "1440", "dark")
    running(page, 1)
    page.screenshot(path=folder / "running.jpg", type="jpeg", quality=88)
    page.context.close()
    page = visitor(browser, url, "1440", "light")
    start(page, 4)
    state(page, "done")
    page.wait_for_timeout(1500)
    page.screenshot(path=folder / "done.jpg", type="jpeg", quality=88)
    page.context.close()


def main() -> None:
    """Takes the screenshots that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--tabs", action="store_true")
    parser.add_argument("--size", action="append", choices=SIZES, help="only this window size")
    arguments = parser.parse_args()
    if not arguments.folder and not arguments.readme:
        parser.error("name a folder, or --readme")
    path = os.environ.get("WAN_CHROMIUM") or shutil.which("chromium")
    if arguments.tabs:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
            tabs(browser, arguments.folder)
            browser.close()
        return
    engine_port = free_port()
    with tempfile.TemporaryDirectory() as name:
        engine, app, url = serve(Path(name), engine_port)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
                if arguments.readme:
                    readme(browser, url)
                if arguments.folder:
                    arguments.folder.mkdir(parents=True, exist_ok=True)
                    everything(browser, url, engine_port, arguments.folder, arguments.size or tuple(SIZES))
                browser.close()
        finally:
            for process in (app, engine):
                process.terminate()
                process.wait(20)


if __name__ == "__main__":
    main()
