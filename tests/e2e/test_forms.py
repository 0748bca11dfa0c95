"""What a form says while one types, and what helps to fill it in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import Page, Request, expect

from backend.errors import QueueFull
from tests.e2e.actions import card, choose, short
from tests.e2e.conftest import PATIENCE, Site
from workflows.params.limits import PROMPT_MAX

expect.set_options(timeout=PATIENCE)
PASTE = """async ([width, height, type]) => {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").fillRect(0, 0, width, height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const data = new DataTransfer();
  data.items.add(new File([blob], type ? "image.png" : "photo", { type }));
  document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
}"""
DESCRIPTION = """(node) => (node.getAttribute("aria-describedby") || "").split(" ").filter(Boolean)
  .map((id) => document.getElementById(id)?.textContent || "").join(" ")"""


LINES = """(use) => {
  const words = use.firstChild.data, all = document.createRange();
  use.firstChild.data = "word ".repeat(80);
  all.selectNodeContents(use);
  const end = use.getBoundingClientRect().top + use.clientTop + use.clientHeight;
  const seen = new Set([...all.getClientRects()].map(({ top }) => top).filter((top) => top < end - 1)).size;
  use.firstChild.data = words;
  return seen;
}"""
"""The lines that a button shows of a long text, whole or in part."""


def test_a_form_says_what_is_wrong_while_one_types(visit: Callable[..., Page], site: Site) -> None:
    page = visit()
    button, hint = page.locator("#image_to_video-generate"), page.locator("#image_to_video-hint")
    prompt = page.locator("#image_to_video-prompt textarea")
    expect(button).to_be_disabled()
    expect(hint).to_contain_text("Choose a picture first.")
    zone = page.locator("#image_to_video-image button.upload-container")
    assert "Choose a picture first." in zone.evaluate(DESCRIPTION)

    page.evaluate(PASTE, [320, 180, "image/png"])
    line = page.locator("#tab-image .ws-frames .ws-line").first
    expect(line).to_contain_text("pasted.png")
    expect(line).to_contain_text("This picture is 320 × 180; it is enlarged 2.7 times and may look soft.")
    expect(hint).to_contain_text("832 × 480, 5 s at 16 fps")
    expect(button).to_be_enabled()
    page.evaluate(PASTE, [832, 480, ""])
    expect(line).to_contain_text("photo")

    prompt.fill("é" * (PROMPT_MAX - 700))
    expect(page.locator("#image_to_video-prompt .ws-count")).to_have_text("3,300 of 4,000 characters")
    prompt.fill("é" * (PROMPT_MAX + 1))
    too_long = "The prompt is too long: 4,001 of 4,000 characters. Shorten it."
    expect(hint).to_contain_text(too_long)
    expect(button).to_be_disabled()
    expect(prompt).to_have_attribute("aria-invalid", "true")
    assert too_long in prompt.evaluate(DESCRIPTION)
    prompt.fill("مرحبا")
    expect(button).to_be_enabled()
    assert prompt.get_attribute("aria-invalid") is None and prompt.evaluate(DESCRIPTION) == ""
    assert prompt.evaluate("area => getComputedStyle(area).direction") == "rtl"

    page.locator('[aria-controls="image_to_video-advanced"]').click()
    width, steps = page.locator("#image_to_video-width input"), page.locator("#image_to_video-steps input")
    seed = page.locator("#image_to_video-seed input")
    assert [box.input_value() for box in (width, steps, seed)] == ["", "", ""]
    assert seed.get_attribute("placeholder") == "Random"
    expect(steps).to_have_attribute("placeholder", "Default (4)")
    page.locator("#image_to_video-speed label", has_text="Quality").click()
    expect(steps).to_have_attribute("placeholder", "Default (20)")
    width.press_sequentially("17")
    expect(page.locator("#image_to_video-width .ws-problem")).to_contain_text("Width must be 64 to 1920")
    expect(button).to_be_disabled()
    width.press("Backspace")
    width.press("Backspace")
    expect(button).to_be_enabled()
    expect(page.locator("#image_to_video-width .ws-problem")).to_have_count(0)

    page.get_by_role("tab", name="Text").click()
    expect(page.locator("#text_to_video-hint")).to_contain_text("The prompt is empty. Describe the scene.")
    page.evaluate(PASTE, [64, 64, "image/png"])
    expect(page.locator(".ws-said")).to_have_text("This tab takes no picture.")
    short(page, "text_to_video")
    page.locator("#text_to_video-prompt textarea").fill("Waves at night")
    with site.held():
        page.locator("#text_to_video-prompt textarea").press("Control+Enter")  # before the plan is back
        card(page, "running")


def test_advanced_is_built_when_it_is_opened(visit: Callable[..., Page], served: SimpleNamespace) -> None:
    """What the server says of its fields before that is said once they are there; a note stands beside the
    value of a choice that it is about."""
    page = visit(on=served)
    expect(page.locator("#image_to_video-hint")).to_contain_text("Choose a picture first.")
    assert not page.locator("#image_to_video-steps, #image_to_video-advanced .group-title").count()
    page.locator('[aria-controls="image_to_video-advanced"]').click()
    expect(page.locator("#image_to_video-width input")).to_have_attribute("placeholder", "Auto (832)")
    titles = page.locator("#image_to_video-advanced .group-title")
    expect(titles).to_have_text(["Size", "Motion", "Prompt", "Experts and LoRAs", "Seed"])
    seed = page.locator("#image_to_video-seed input")
    page.locator("#image_to_video-seed .dice").click()
    expect(seed).not_to_have_value("")
    page.locator('[aria-controls="image_to_video-advanced"]').click()
    expect(seed).to_be_hidden()

    page.get_by_role("tab", name="Fast 4-step").click()
    chosen = page.locator("#fast_video-variant label", has_text="Subtle")
    chosen.click()
    expect(chosen.locator("small")).to_have_text("Small motion, closest to the picture.")
    expect(page.get_by_role("radio", name="Subtle Small motion, closest to the picture.")).to_be_checked()
    page.get_by_role("tab", name="Animate").click()
    expect(page.locator("#animate-mask input[type=file]")).to_be_attached()


def test_suggestions_write_into_the_prompt_and_prompts_are_kept(
    visit: Callable[..., Page], served: SimpleNamespace, photo: Path
) -> None:
    served.studio.runs.clear()
    page = visit(on=served)
    prompt, generate = (
        page.locator("#image_to_video-prompt textarea"),
        page.locator("#image_to_video-generate"),
    )
    box = page.locator('.prompt-help[data-mode="image_to_video"]')
    prompt.fill("A boat drifts. Mist rises")
    prompt.evaluate("area => area.setSelectionRange(13, 13)")
    expect(box.locator(".help-panel")).to_be_hidden()
    box.locator(".help-toggle").click()
    box.locator(".chip", has_text="Push in").click()
    expect(prompt).to_have_value("A boat drifts, the camera slowly pushes in. Mist rises")
    prompt.press("Control+z")
    expect(prompt).to_have_value("A boat drifts. Mist rises")
    prompt.evaluate("area => area.setSelectionRange(14, 14)")
    box.locator(".chip", has_text="Fog").press("Enter")
    expect(prompt).to_have_value("A boat drifts. Light beams in thin fog. Mist rises")
    expect(box.locator(".chip", has_text="Fog")).to_be_focused()
    prompt.fill("كيف يتحرك؟")  # the end of a sentence in another script
    box.locator(".chip", has_text="Fog").press("Enter")
    expect(prompt).to_have_value("كيف يتحرك؟ Light beams in thin fog")

    # A full queue disables Generate by itself and lets it go by itself.
    choose(page, photo)
    expect(generate).to_be_enabled()
    full = "You already have 5 videos waiting, which is the limit."
    served.studio.obstacle = QueueFull(full, "Cancel one.").notice
    prompt.fill("one")
    expect(page.locator("#image_to_video-hint")).to_contain_text(f"{full} Cancel one.")
    expect(generate).to_be_disabled()
    served.studio.obstacle = None
    expect(generate).to_be_enabled()

    for words in ("one", "two boats"):
        prompt.fill(words)
        generate.click()
        expect(box.locator("li .use").first).to_have_text(words)
    page = visit(on=served, beside=page)
    prompt = page.locator("#image_to_video-prompt textarea")
    box = page.locator('.prompt-help[data-mode="image_to_video"]')
    box.locator(".help-toggle").click()
    expect(box.locator("li .use")).to_have_text(["two boats", "one"])
    assert box.locator("li .use").last.evaluate(LINES) == 2, "of a long prompt, without the top of a third"
    box.locator("input[type=search]").fill("BOAT")
    expect(box.locator("li .use")).to_have_text(["two boats"])
    box.locator("li .use").click()
    expect(prompt).to_have_value("two boats")
    box.locator("li .drop").click()
    expect(box.locator("li .use")).to_have_text(["one"])
    box.locator("[data-forget-all]").click()
    box.locator("[data-forget-all]").click()
    expect(box.locator("li")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(box.locator(".help-panel")).to_be_hidden()


PLANS = (
    "window.gradio_config.dependencies.filter((one) => String(one.js || '').includes('wanStudio.plan('))"
    ".map((one) => one.id)"
)


def test_a_change_is_planned_once(
    visit: Callable[..., Page],
    served: SimpleNamespace,
    photo: Path,
    record_property: Callable[[str, object], None],
) -> None:
    served.studio.runs.clear()
    page = visit(on=served)
    planning, found = page.evaluate(PLANS), dict[str, int]()
    asked: list[Request] = []
    assert planning

    def is_plan(request: Request) -> bool:
        return "/run/predict" in request.url and json.loads(request.post_data or "{}")["fn_index"] in planning

    page.on("request", lambda request: asked.append(request) if is_plan(request) else None)

    def rest(mode: str) -> None:
        page.wait_for_function("(mode) => window.wanStudio?.isPlanned(mode)", arg=mode)
        page.evaluate("() => new Promise((done) => requestIdleCallback(done))")
        page.wait_for_function("(mode) => window.wanStudio.isPlanned(mode)", arg=mode)

    def plans(name: str, change: Callable[[], object], mode: str = "image_to_video") -> None:
        rest("image_to_video")
        asked.clear()
        with page.expect_request(is_plan):
            change()
        rest(mode)
        found[name] = len(asked)

    prompt, steps = (
        page.locator("#image_to_video-prompt textarea"),
        page.locator("#image_to_video-steps input"),
    )
    plans("a picture", lambda: choose(page, photo))
    plans("a length", lambda: short(page))
    plans("a text, and leaving it", lambda: (prompt.press_sequentially("A boat"), prompt.blur()))
    page.locator('[aria-controls="image_to_video-advanced"]').click()
    plans("a number, and Enter", lambda: (steps.fill("6"), steps.press("Enter"), steps.blur()))
    asked.clear()
    prompt.focus()
    prompt.blur()
    rest("image_to_video")
    assert asked == [], "a field that is left as it was"
    plans("a tab", lambda: page.get_by_role("tab", name="Fast 4-step").click(), "fast_video")
    plans("a starter", lambda: page.locator('#ws-card [data-act="starter"]').first.click(), "fast_video")
    record_property("plans", found)
    assert set(found.values()) == {1}, found
