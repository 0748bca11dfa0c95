"""Extend in a browser, over a studio without engines: kept over a reload, refused at its field, sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.errors import BadInput
from backend.jobs.views import PartView, SeamView
from tests.support.extend_studio import VALUES, ExtendStudio
from tests.support.ports import free_port

pytestmark = pytest.mark.full

SEAM = SeamView(False, 0.42, 0.2, 1.13)

DROP = """dialog => {
  const files = new DataTransfer();
  files.items.add(new File(["words"], "notes.txt", { type: "text/plain" }));
  files.items.add(new File(["picture"], "first.png", { type: "image/png" }));
  dialog.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: files }));
}"""
"""Two files are dropped on the dialog, a picture and a text."""


@pytest.fixture
def extending(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The page in this process, with a finished clip of two parts."""
    from ui import page as layout

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    studio: Any = ExtendStudio(anyone=True)
    job = studio.add("image_to_video", {**VALUES, "seconds": 1.0}, photo)
    studio.complete(job)
    view = studio.runs[job.id].view
    first = PartView(1, "a", "k", 5, "A boat", "clip", "done", False, 0, 9)
    second = PartView(2, "b", "k", 6, "It turns", "svi", "done", True, 9, view.frames - 9, SEAM)
    studio.runs[job.id].view = replace(view, parts=(first, second))
    page = layout.build(studio)
    _, url, _ = page.launch(
        server_name="127.0.0.1",
        server_port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        app_kwargs={"routes": [*studio.routes(), *layout.routes()]},
        **layout.launch_options(studio),
    )
    yield SimpleNamespace(url=url.rstrip("/"), studio=studio)
    page.close(verbose=False)


def test_a_clip_is_extended_and_a_part_drawn_again(
    extending: SimpleNamespace, visit: Callable[..., Page], photo: Path
) -> None:
    studio = extending.studio
    page = visit(375, 812, on=extending)
    steps, dialog = page.locator("#ws-card .steps.next"), page.locator("#ws-dialog-extend")
    opener = steps.locator('[data-open="extend"]')

    # The parts: a mark on the bar, a jump by keyboard.
    expect(page.locator("#ws-card .scrub i")).to_have_count(1)
    page.locator('.parts [data-jump="9"]').focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ws-card .player .count")).to_have_text("Frame 10 of 17")
    expect(page.locator(".parts li").nth(1)).to_contain_text(
        "no doubled frame, brightness changes by 0.4 of 255"
    )

    # What is typed stays when the dialog is closed, and after a reload.
    page.locator("#ws-card video").evaluate("video => video.play()")
    opener.focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    assert page.locator("#ws-card video").evaluate("video => video.paused")
    expect(dialog.locator(".count")).to_have_text("Frame 17 of 17")
    expect(dialog.locator("textarea")).to_have_value("It turns")
    expect(dialog.locator('[data-x="length"]')).to_have_text("5 s now, 10 s with the new part")
    assert dialog.evaluate("node => node.scrollWidth <= node.clientWidth")
    dialog.locator("textarea").fill("It stops at the pier")
    dialog.locator('[data-p="back"]').click()
    dialog.evaluate(DROP)
    expect(dialog.locator('[data-x="end-name"]')).to_have_text("first.png")
    expect(dialog.locator('[data-x="end-said"]')).to_have_text("first.png is used. The other file is not.")
    dialog.locator("input[type=file]").set_input_files(photo)
    expect(dialog.locator('[data-x="end-name"]')).to_have_text(photo.name)
    expect(dialog.locator('[data-x="end-said"]')).to_be_empty()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    page.reload()
    page.wait_for_function("window.wanStudio?.drafts && !window.wanStudio.drafts.busy()")
    opener.click()
    expect(dialog.locator("textarea")).to_have_value("It stops at the pier")
    expect(dialog.locator(".count")).to_have_text("Frame 16 of 17")
    expect(dialog.locator('[data-x="end-name"]')).to_have_text(photo.name)

    # A refusal stands at its field, also after a plan that arrives later and a card that is drawn again;
    # nothing is lost, and the next press sends it.
    studio.refusal = BadInput.of("too_long", length=130.0, longest=120.0, field="seconds")
    problem = dialog.locator('[data-field="seconds"] .dialog-problem')
    dialog.locator("[data-dialog-submit]").click()
    page.evaluate("window.wanStudio.redraw()")
    expect(problem).to_contain_text("2 min 10 s")
    expect(dialog.locator('[data-x="length"]')).not_to_be_empty()
    expect(page.locator("#ws-card .notice.said")).to_have_count(0)
    expect(problem).to_contain_text("2 min 10 s")
    expect(dialog.locator("textarea")).to_have_value("It stops at the pier")
    studio.refusal = None
    dialog.locator("textarea").focus()
    page.keyboard.press("Control+Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#ws-card :focus")).to_have_count(1)
    given = dict(studio.asked)["extend"]
    assert (given["prompt"], given["frame"], given["speed"]) == ("It stops at the pier", 15, "fast")
    assert given["end_image"].name == photo.name
    assert json.loads(page.evaluate("localStorage['wan-studio-extend']")) == {}

    # Another version of a part, on the clip that is shown again.
    page.locator('#ws-card .thumb[data-act="show"]').last.click()
    page.locator('.parts [data-open="reroll"]').nth(1).click()
    again = page.locator("#ws-dialog-reroll")
    expect(again.locator("h2")).to_have_text("Re-roll part 2")
    again.locator("[data-dialog-submit]").click()
    expect(again).to_be_hidden()
    assert dict(studio.asked)["reroll"]["part"] == 2
