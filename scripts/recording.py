"""Records the page on the demo engine, from a starter to the Library: docs/images/tour.mp4 (H.264, no sound).

.venv/bin/python -m scripts.recording [FILE]
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import shutil
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from backend.servers.ports import free_port
from scripts.screenshots import OPTIONS, ROOT, serve

WIDTH, HEIGHT = 1280, 800
FPS = 12
"""Frames per second of the recording: enough for a page, and a small file."""
LONGEST = 40.0  # seconds
TARGET = ROOT / "docs" / "images" / "tour.mp4"


def tour(page: Page, url: str) -> None:
    """Makes a video from a starter, steps through it, makes another one, and opens the Library."""
    page.goto(url)
    page.locator("#image_to_video-generate").wait_for()
    page.locator('#ws-card [data-act="starter"]').nth(0).click()
    page.locator("#image_to_video-image img").first.wait_for()
    page.wait_for_timeout(1200)
    page.locator("#image_to_video-prompt textarea").fill("")
    page.locator("#image_to_video-prompt textarea").press_sequentially(
        "The camera glides forward, mist rises", delay=35
    )
    page.locator("#image_to_video-seconds label").first.click()
    page.wait_for_timeout(900)
    page.locator("#image_to_video-generate").click()
    page.locator('#ws-card .card[data-state="done"]').wait_for()
    page.wait_for_timeout(3000)
    page.keyboard.press("Escape")
    page.locator("#ws-card").get_by_role("button", name="Another seed").click()
    page.locator('#ws-card .card[data-state="running"]').wait_for()
    page.locator('#ws-card .card[data-state="done"]').wait_for()
    page.wait_for_timeout(2000)
    page.locator("#ws-card").get_by_role("button", name="More").click()
    page.wait_for_timeout(2000)
    page.keyboard.press("Escape")
    page.locator("#tab-library-button").click()
    expect(page.locator("#ws-library .tile").first).to_be_visible()
    page.wait_for_timeout(2500)


def record(browser: Browser, url: str) -> list[tuple[float, bytes]]:
    """(seconds since the first one, JPEG) of each picture that the browser paints during the tour."""
    page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}).new_page()
    page.set_default_timeout(120_000)
    session = page.context.new_cdp_session(page)
    frames: list[tuple[float, bytes]] = []

    def painted(event: dict[str, Any]) -> None:
        at = float(event["metadata"]["timestamp"])
        frames.append((at, base64.b64decode(event["data"])))
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", painted)
    session.send("Page.startScreencast", {"format": "jpeg", "quality": 90})
    tour(page, url)
    session.send("Page.stopScreencast")
    page.context.close()
    return [(at - frames[0][0], picture) for at, picture in frames]


def encode(frames: list[tuple[float, bytes]], target: Path) -> float:
    """Writes a recording as H.264 at FPS, at most LONGEST seconds. Returns its length in seconds."""
    with av.open(str(target), "w", options={"movflags": "faststart"}) as made:
        stream = made.add_stream("libx264", rate=FPS, options={"crf": "30", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        count = 0
        for number, (_, picture) in enumerate(frames):
            until = frames[number + 1][0] if number + 1 < len(frames) else frames[-1][0] + 1.0
            image = Image.open(io.BytesIO(picture)).convert("RGB").resize((WIDTH, HEIGHT))
            while count < min(until, LONGEST) * FPS:
                frame = av.VideoFrame.from_image(image)
                frame.pts, frame.time_base = count, Fraction(1, FPS)
                made.mux(stream.encode(frame))
                count += 1
        made.mux(stream.encode(None))
    return count / FPS


def main() -> None:
    """Records the tour into the file of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=TARGET)
    target = parser.parse_args().file
    path = os.environ.get("WAN_CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as name:
        engine, app, url = serve(Path(name), free_port())
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
                seconds = encode(record(browser, url), target)
                browser.close()
        finally:
            for process in (app, engine):
                process.terminate()
                process.wait(20)
    print(f"{target}: {seconds:.0f} s, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
