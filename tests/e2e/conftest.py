"""A real browser (Debian's Chromium) against app.py as a real process with the demo engine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

from tests.e2e.chromium import Chromium
from tests.support.demo_server import DemoServer, start_demo
from tests.support.fake_studio import FakeStudio
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.waiting import served as answer_of
from tests.support.waiting import until

PATIENCE = 60_000  # ms; the machine may be busy
LIMIT = 300.0  # seconds for a whole test; then Chromium is killed


class Site:
    """app.py on a port of its own; restart() keeps port and data."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            **os.environ,
            "WAN_ENGINE": "demo",
            "WAN_DATA_DIR": str(folder / "data"),
            "GRADIO_TEMP_DIR": str(folder / "uploads"),
            "GRADIO_SERVER_PORT": str(self.port),
            **env,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.engine: DemoServer | None = None  # a demo engine of its own, which can be held

    @contextlib.contextmanager
    def held(self, step: int = 2) -> Iterator[None]:
        """Every job that comes to this sampling step stands there until the block ends, so that the test has
        the time it needs. Wait for `cancelling` before the end of a block in which the job is cancelled."""
        assert self.engine is not None
        self.engine.faults(hang_at_step=step, times=1000)
        try:
            yield
        finally:
            self.engine.faults()

    def cancelling(self) -> None:
        """Waits until the app has the request to cancel the running job, which may have ended by it: where
        the job had not come to the step that holds it."""
        others = "SELECT count(*) FROM job WHERE status = 'running' AND cancel_requested IS NULL"

        def stored() -> bool:
            with contextlib.closing(sqlite3.connect(self.folder / "data" / "studio.db", timeout=60)) as db:
                return not db.execute(others).fetchone()[0]

        until(stored)

    def start(self) -> None:
        log = (self.folder / "app.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=self.env, stdout=log, stderr=log
        )
        log.close()
        process = self.process
        until(lambda: b'"ok"' in answer_of(f"{self.url}/healthz", process, self.log), 180, self.log)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(60)
                pytest.fail("the app did not stop within 60 s")

    def kill(self) -> None:
        """As a power cut would: nothing is written any more."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)

    def log(self) -> str:
        return (self.folder / "app.log").read_text(errors="replace")


@contextlib.contextmanager
def with_engine(folder: Path) -> Iterator[Site]:
    """The app over a demo engine that is a process of its own, as a ComfyUI is, and can be held."""
    with start_demo(step_seconds=0.1, faults=True, folder=folder / "engine") as engine:
        site = Site(folder, WAN_ENGINE="comfyui", COMFYUI_URL=engine.url)
        site.engine = engine
        site.start()
        yield site
        site.stop()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with with_engine(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        chromium = Chromium(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Browser]:
    """The session's browser for one test, which may not take longer than LIMIT."""
    browser = chromium.browser()
    with chromium.watch(LIMIT):
        yield browser
        for context in browser.contexts:
            with contextlib.suppress(BrowserError):
                context.close()
    if chromium.fault:
        pytest.fail(chromium.fault)


NETWORK = "net::ERR_"
"""What Chromium itself writes to the console when a test takes the network or the app away."""
MISSING = "the server responded with a status of 404"


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """A new visitor on the page: a context of its own, so its own token, or another tab of one that is there.
    Fails on any foreign request, any error in the console."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(
        width: int = 1440,
        height: int = 900,
        theme: str = "light",
        path: str = "/",
        on: Site | None = None,
        beside: Page | None = None,
        touch: bool = False,
        missing: bool = False,
    ) -> Page:
        """touch: a phone or tablet. missing: it asks for files that are gone, which Chromium reports."""
        on = on or request.getfixturevalue("site")
        context = beside.context if beside is not None else None
        if context is None:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
                has_touch=touch,
                is_mobile=touch,
            )
            contexts.append(context)
            context.set_default_timeout(PATIENCE)
        page = context.new_page()
        own = (on.url, "data:", "blob:", "about:")
        page.on("request", lambda r: None if r.url.startswith(own) else faults.append(f"request {r.url}"))
        page.on("pageerror", lambda error: faults.append(f"script {error}"))
        page.on("console", lambda said: faults.extend(_errors(said, missing)))
        page.goto(on.url + path)
        page.locator("#image_to_video-generate").wait_for()
        return page

    yield open_page
    with contextlib.suppress(BrowserError):  # a killed browser: `browser` says why
        for context in contexts:
            context.close()
    assert not faults, faults


def _errors(said: ConsoleMessage, missing: bool) -> list[str]:
    if said.type != "error" or NETWORK in said.text or (missing and MISSING in said.text):
        return []
    return [f"console {said.text} {said.location}"]


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "fjord.jpg"
    noise = Image.effect_noise((960, 540), 30).convert("RGB")
    Image.blend(noise, Image.radial_gradient("L").resize(noise.size).convert("RGB"), 0.6).save(path)
    return path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The page over a studio whose jobs stop in the middle of the drawing."""
    from ui import page as layout

    folder = tmp_path_factory.mktemp("stage")
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    studio = FakeStudio(seconds=1e-9, hold=0.62)
    page: Any = layout.build(studio)  # type: ignore[arg-type]
    _, url, _ = page.launch(
        server_name="127.0.0.1",
        server_port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        app_kwargs={"routes": [*studio.routes(), *layout.routes()]},
        **layout.launch_options(studio),  # type: ignore[arg-type]
    )
    yield SimpleNamespace(url=url.rstrip("/"), studio=studio, folder=folder)
    page.close(verbose=False)
    if before is None:
        del os.environ["GRADIO_TEMP_DIR"]
    else:
        os.environ["GRADIO_TEMP_DIR"] = before
