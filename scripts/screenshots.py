"""Pictures of the real page: every tab and state, six window sizes, light and dark.

.venv/bin/python -m scripts.screenshots FOLDER          all of them into FOLDER
.venv/bin/python -m scripts.screenshots FOLDER --size 375 --theme dark --scene done --sheets
                                                        some of them, four at a time on contact sheets
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

from scripts.demo_page import launch, shown
from scripts.scene_jobs import files
from scripts.scenes import SCENES, Scene, clear, served

SIZES = {
    "1920": (1920, 1080), "1440": (1440, 900), "1366": (1366, 650), "1024": (1024, 768), "375": (375, 812),
    "844": (844, 390),
}  # fmt: skip
PHONES = ("375", "844")
"""Sizes with touch and without a pointer that hovers."""
THEMES = ("light", "dark")
PATIENCE = 15_000  # milliseconds for each step of a scene
SHEET = 1600  # pixels: the width of a contact sheet


def visitor(browser: Browser, url: str, size: str, theme: str) -> Page:
    """Opens the page in a new browser context with this window size and theme."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        has_touch=size in PHONES,
        is_mobile=size in PHONES,
    )
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(url)
    page.locator("#image_to_video-generate").wait_for()
    page.locator('#ws-card .card:not([data-state="loading"])').wait_for()
    return page


class Camera:
    """Takes the pictures of one window size and theme."""

    def __init__(self, folder: Path, size: str, theme: str) -> None:
        self.folder, self.ending, self.sheet = folder, f"{size}-{theme}", size
        self.taken: list[Path] = []

    def shot(self, page: Page, name: str) -> None:
        """Waits until fonts and images are there, and takes the window."""
        shown(page)
        page.wait_for_timeout(250)  # events of the tab, which leave no trace on the page
        path = self.folder / f"{name}-{self.ending}.jpg"
        page.screenshot(path=path, type="jpeg", quality=90)
        self.taken.append(path)

    def scene(self, page: Page, name: str, scene: Scene, samples: Path) -> None:
        """Takes the first tab with everything that is opened in it, then the other tabs."""
        page.set_default_timeout(PATIENCE)
        first = scene.tabs[0]
        for tab in scene.tabs:
            with self.said(name, tab):
                page.locator(f"#tab-{tab}-button").click()
                page.locator(f"#tab-{tab}").wait_for()
                if scene.each_tab is not None:
                    scene.each_tab(page, tab, samples)
                self.shot(page, f"{name}-{tab}")
            if scene.each_tab is not None:
                page.evaluate("scrollTo(0, document.body.scrollHeight)")
                self.shot(page, f"{name}-{tab}-end")
                page.evaluate("scrollTo(0, 0)")
        for view, look in scene.views.items():
            with self.said(name, view):
                page.locator(f"#tab-{first}-button").click()
                if (strip := page.locator("#ws-card .reopen")).is_visible():
                    strip.click()
                look(page)
                self.shot(page, f"{name}-{view}")
            page.keyboard.press("Escape")

    @contextlib.contextmanager
    def said(self, scene: str, view: str) -> Iterator[None]:
        """Reports what a scene lacks, and goes on with the next."""
        try:
            yield
        except BrowserError as error:
            print(f"{scene} {view} {self.ending}: {str(error).splitlines()[0]}", file=sys.stderr)

    def sheets(self, scene: str) -> None:
        """The pictures of a scene, four on a sheet."""
        columns = 4 if self.sheet == "375" else 2
        for start in range(0, len(self.taken), 4):
            pictures = [Image.open(path) for path in self.taken[start : start + 4]]
            width = min(SHEET // columns, pictures[0].width)
            height = pictures[0].height * width // pictures[0].width
            rows = -(-len(pictures) // columns)
            sheet = Image.new("RGB", (columns * (width + 8), rows * (height + 8)), "#c0c")
            for number, picture in enumerate(pictures):
                place = (number % columns * (width + 8), number // columns * (height + 8))
                sheet.paste(picture.resize((width, height), Image.Resampling.LANCZOS), place)
            sheet.save(self.folder / f"sheet-{scene}-{start // 4 + 1}-{self.ending}.png")
        self.taken.clear()


def everything(
    browser: Browser,
    folder: Path,
    samples: Path,
    sizes: Sequence[str],
    themes: Sequence[str],
    names: Collection[str],
    sheets: bool,
) -> None:
    """Takes every scene in these sizes and themes."""
    for lacking in (False, True):
        chosen = {name: SCENES[name] for name in names if SCENES[name].lacking is lacking}
        if not chosen:
            continue
        with served(lacking) as (url, studio):
            for name, scene in chosen.items():
                clear(studio)
                path = scene.fill(studio, samples)
                for size in sizes:
                    for theme in themes:
                        camera = Camera(folder, size, theme)
                        page = visitor(browser, url + path, size, theme)
                        camera.scene(page, name, scene, samples)
                        page.context.close()
                        if sheets:
                            camera.sheets(name)
                print(name, flush=True)


def main() -> None:
    """Takes the screenshots that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", action="append", choices=SIZES, help="only this window size")
    parser.add_argument("--theme", action="append", choices=THEMES, help="only this theme")
    parser.add_argument("--scene", action="append", choices=SCENES, help="only this state of the page")
    parser.add_argument("--sheets", action="store_true", help="contact sheets beside the pictures")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = launch(playwright)
        os.environ["GRADIO_TEMP_DIR"] = str(Path(name) / "uploads")
        everything(
            browser, arguments.folder, files(Path(name) / "samples"), arguments.size or tuple(SIZES),
            arguments.theme or THEMES, arguments.scene or tuple(SCENES), arguments.sheets,
        )  # fmt: skip
        browser.close()


if __name__ == "__main__":
    main()
