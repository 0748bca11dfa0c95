"""What stands on the stage is seen whole, at one size from the first preview to the finished video."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.actions import card
from tests.e2e.conftest import PATIENCE
from tests.support.tiers import deep

expect.set_options(timeout=PATIENCE)
WINDOWS = ((1440, 900), (1366, 650), (375, 812), (844, 390))
SIZES = ((832, 480), (480, 832), (1280, 720), (624, 624))
LOOK = """async (node) => {
  if (node.tagName === "VIDEO") {
    while (!node.videoWidth) await new Promise((done) => setTimeout(done, 50));
  } else {
    await node.decode();
  }
  const of = (r) => ({ left: r.left, top: r.top, right: r.right, bottom: r.bottom });
  scrollTo(0, 0);
  const box = node.getBoundingClientRect(), style = getComputedStyle(node);
  const [width, height] = [node.videoWidth || node.naturalWidth, node.videoHeight || node.naturalHeight];
  const scales = [box.width / width, box.height / height];
  const scale = style.objectFit === "cover" ? Math.max(...scales) : Math.min(...scales);
  const [across, down] = [width * scale, height * scale];
  const [left, top] = [box.left + (box.width - across) / 2, box.top + (box.height - down) / 2];
  const stage = node.closest(".stage").getBoundingClientRect();
  return {
    stage: of(stage), natural: [width, height], fit: style.objectFit,
    seen: { left, top, right: left + across, bottom: top + down },
    covered: !document.elementFromPoint(left + across / 2, top + down - 2)?.closest(".stage"),
  };
}"""
"""Where the picture itself is painted (not only its element), in pixels of the window."""


def whole(page: Page, size: tuple[int, int], what: str) -> tuple[float, float]:
    """The size at which the stage's picture is seen; nothing of it is cut off or drawn out."""
    found = page.locator("#ws-card .stage .fit").evaluate(LOOK)
    seen, stage = found["seen"], found["stage"]
    for side, sign in (("left", 1), ("top", 1), ("right", -1), ("bottom", -1)):
        assert sign * (seen[side] - stage[side]) >= -1, (what, side, found)
    width, height = seen["right"] - seen["left"], seen["bottom"] - seen["top"]
    assert found["fit"] == "contain" and not found["covered"], (what, found)
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01), (what, found)
    room = (stage["right"] - stage["left"]) / width, (stage["bottom"] - stage["top"]) / height
    assert min(room) == pytest.approx(1, abs=0.01), (what, "as large as the stage allows", found)
    return width, height


def in_every_window(page: Page, size: tuple[int, int], what: str) -> list[tuple[float, float]]:
    """The sizes at which the stage's picture is seen in WINDOWS."""
    found = []
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        found.append(whole(page, size, f"{what} in {width} x {height}"))
        shot(page, f"{width}x{height}-{what}")
    return found


@pytest.mark.parametrize("size", [SIZES[0], *map(deep, SIZES[1:])], ids=lambda size: f"{size[0]}x{size[1]}")
def test_results_are_seen_whole(
    served: SimpleNamespace, visit: Callable[..., Page], tmp_path: Path, size: tuple[int, int]
) -> None:
    studio, name = served.studio, f"{size[0]}x{size[1]}"
    studio.runs.clear()
    source = tmp_path / f"{name}.jpg"
    Image.radial_gradient("L").resize(size).convert("RGB").save(source)
    values = {"prompt": name, "seconds": 0.5, "width": size[0], "height": size[1], "speed": "fast"}
    job = studio.add("image_to_video", values, source)
    page = visit(path=f"/?job={job.id}&key={job.key}", on=served)
    card(page, "running")
    running = in_every_window(page, size, f"{name}-running")
    studio.complete(job)
    card(page, "done")
    assert_same(in_every_window(page, size, f"{name}-done"), running)
    poster = page.locator("#ws-card video").evaluate(
        "async v => { const i = new Image(); i.src = v.poster; await i.decode();"
        " return i.naturalWidth / i.naturalHeight; }"
    )
    assert poster == pytest.approx(size[0] / size[1], rel=0.01)
    stopped = studio.add("image_to_video", values, source)
    studio.cancel(stopped.id, stopped.key)
    still = studio.add("text_to_image", values, source)
    studio.complete(still)
    for other, state in ((stopped, "cancelled"), (still, "done")):
        page.goto(f"{served.url}/?job={other.id}&key={other.key}")
        card(page, state)
        assert_same(in_every_window(page, size, f"{name}-{state}-{other.mode}"), running)


def assert_same(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> None:
    """Nothing jumps from one state to the next."""
    for mine, theirs in zip(one, other, strict=True):
        assert mine == pytest.approx(theirs, abs=1)


def shot(page: Page, name: str) -> None:
    """Kept to be looked at, where WAN_SCREENSHOTS names a folder."""
    folder = os.environ.get("WAN_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")
