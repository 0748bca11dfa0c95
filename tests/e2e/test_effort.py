"""What a creator does for a first video, for the same settings on another picture, and to restore an old
result: presses, files and fields, as the page counts them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.actions import card
from tests.e2e.conftest import PATIENCE
from ui.head import starters

pytestmark = pytest.mark.deep
expect.set_options(timeout=PATIENCE)
COUNTING = """() => {
  window.counting?.abort();
  window.counting = new AbortController();
  window.effort = { presses: 0, files: 0, fields: 0 };
  const when = { capture: true, signal: window.counting.signal };
  const typed = new Set(), chosen = new Set();
  addEventListener("pointerdown", (event) => event.isTrusted && (effort.presses += 1), when);
  addEventListener("change", ({ target }) => { // the page passes on what it has checked, as another event
    for (const { name } of (target.matches("input[type=file]") && target.files) || []) chosen.add(name);
    effort.files = chosen.size;
  }, when);
  addEventListener("input", ({ target }) => {
    if (!target.matches("textarea, input[type=text], input[type=number]") || typed.has(target)) return;
    typed.add(target);
    effort.fields += 1;
  }, when);
}"""


def effort(page: Page) -> tuple[int, int, int]:
    """(presses, files, fields) since the counting began."""
    found = page.evaluate("effort")
    return found["presses"], found["files"], found["fields"]


def made(page: Page, served: SimpleNamespace, press: Callable[[], object]) -> None:
    """Presses what queues a job, and finishes it."""
    known = set(served.studio.runs)
    press()
    card(page, "running")
    (new,) = set(served.studio.runs) - known
    served.studio.complete(served.studio.runs[new].view)
    card(page, "done")


def generated(page: Page, served: SimpleNamespace) -> None:
    """Presses Generate, and finishes the job."""
    made(page, served, lambda: page.locator("#image_to_video-generate:not([disabled])").click())


@pytest.fixture
def counted(visit: Callable[..., Page], served: SimpleNamespace) -> Callable[[], Page]:
    """The page of a visitor, whose presses, files and fields are counted."""
    served.studio.runs.clear()

    def opened() -> Page:
        page = visit(on=served)
        page.wait_for_function("window.wanStudio?.drafts && !window.wanStudio.drafts.busy()")
        page.evaluate(COUNTING)
        return page

    return opened


def test_a_first_video_from_a_sample(counted: Callable[[], Page], served: SimpleNamespace) -> None:
    page = counted()
    page.locator('#ws-card [data-act="starter"]').first.click()
    page.locator("#image_to_video-image img").first.wait_for()
    generated(page, served)
    assert effort(page) == (2, 0, 0)


def test_of_two_fast_presses_on_samples_the_last_one_counts(
    counted: Callable[[], Page], served: SimpleNamespace
) -> None:
    page = counted()
    prompts = [one["prompt"] for one in starters()]
    last = page.evaluate(
        "() => { const all = document.querySelectorAll('#ws-card [data-act=starter]');"
        " for (const one of [all[0], all[1], all[2]]) one.click(); return Number(all[2].dataset.n); }"
    )
    expect(page.locator("#image_to_video-prompt textarea")).to_have_value(prompts[last])


def test_a_first_video_and_the_same_settings_on_another_picture(
    counted: Callable[[], Page], served: SimpleNamespace, photo: Path, tmp_path: Path
) -> None:
    page = counted()
    page.locator("#image_to_video-image input[type=file]").set_input_files(photo)
    page.locator("#image_to_video-image img").first.wait_for()
    page.locator("#image_to_video-prompt textarea").fill("The boat drifts")
    generated(page, served)
    assert effort(page) == (1, 1, 1)

    other = tmp_path / "other.png"
    Image.linear_gradient("L").resize((640, 360)).convert("RGB").save(other)
    page.evaluate(COUNTING)
    page.locator("#image_to_video-image .icon-button-wrapper button").first.click()
    page.locator("#image_to_video-image input[type=file]").set_input_files(other)
    page.locator("#image_to_video-image img").first.wait_for()
    generated(page, served)
    assert effort(page) == (2, 1, 0)
    prompts = [run.view.params["prompt"] for run in served.studio.runs.values()]
    assert prompts == ["The boat drifts"] * 2


def test_an_old_result_is_back_in_the_form(
    counted: Callable[[], Page], served: SimpleNamespace, photo: Path
) -> None:
    values = {"prompt": "The boat drifts", "seconds": 1.0, "resolution": "draft", "speed": "fast"}
    for prompt in ("The boat drifts", "Another one"):
        served.studio.complete(served.studio.add("image_to_video", {**values, "prompt": prompt}, photo))
    old = next(iter(served.studio.runs.values())).view
    page = counted()
    page.get_by_role("tab", name="Library").click()
    page.locator(f'#ws-library [data-act="reuse"][data-id="{old.id}"]').first.click()
    expect(page.locator("#image_to_video-prompt textarea")).to_have_value("The boat drifts")
    expect(page.locator("#image_to_video-image img").first).to_be_visible()
    assert effort(page) == (2, 0, 0)


def test_four_drafts_and_the_best_one_finished(
    counted: Callable[[], Page], served: SimpleNamespace, photo: Path
) -> None:
    """One after the other, each with another seed; the second one is the best."""
    page = counted()
    page.locator("#image_to_video-image input[type=file]").set_input_files(photo)
    page.locator("#image_to_video-image img").first.wait_for()
    page.locator("#image_to_video-prompt textarea").fill("The boat drifts")
    page.locator("#tab-image button.advanced").click()
    page.locator("#image_to_video-resolution label", has_text="Draft").click()
    generated(page, served)
    for _ in range(3):
        made(page, served, lambda: page.locator('#ws-card [data-act="again"]').first.click())
    drafts = list(served.studio.runs)
    best = drafts[1]
    page.locator(f'#ws-card .recent [data-act=show][data-id="{best}"]').click()
    page.locator(f'#ws-card [data-id="{best}"][data-act="again"]').first.wait_for()
    finish = page.locator("#ws-card .steps.next [data-act=finish-dialog]")
    final = page.get_by_role("dialog").get_by_role("button", name="Make the final")
    made(page, served, lambda: (finish.click(), final.click()))
    assert effort(page) == (9, 1, 1)
    params = [served.studio.runs[one].view.params for one in served.studio.runs]
    assert [one["resolution"] for one in params] == ["draft"] * 4 + ["480p"]
    assert params[4]["seed"] == params[1]["seed"] and params[4]["speed"] == "quality"


def test_three_choices_take_a_picture_to_four_drafts_and_the_best_finished(
    counted: Callable[[], Page], served: SimpleNamespace, photo: Path
) -> None:
    """Of a visitor who has chosen nothing yet: four, Generate, and Finish at the best one."""
    page = counted()
    page.locator("#image_to_video-image input[type=file]").set_input_files(photo)
    page.locator("#image_to_video-image img").first.wait_for()
    page.evaluate(COUNTING)
    page.locator("#image_to_video-count").select_option("4")
    page.locator("#image_to_video-generate:not([disabled])").click()
    card(page, "running")
    whole = next(run for run in served.studio.runs.values() if run.members)
    served.studio.complete(whole.view)
    card(page, "done")
    page.locator("#ws-card .cell .cell-finish").nth(2).click()
    card(page, "running")
    assert effort(page) == (2, 0, 1), "two presses, and the number of videos"
    *_, final = (run.view for run in served.studio.runs.values())
    best = served.studio.runs[whole.members[2]].view
    assert (final.params["resolution"], final.seed) == ("480p", best.seed)


def test_four_drafts_at_once_and_the_best_one_finished(
    counted: Callable[[], Page], served: SimpleNamespace, photo: Path
) -> None:
    """Generate, pick, finish; four are chosen once, and stay chosen for the next picture."""
    page = counted()
    page.locator("#image_to_video-count").select_option("4")
    page.locator("#image_to_video-image input[type=file]").set_input_files(photo)
    page.locator("#image_to_video-image img").first.wait_for()
    page.evaluate(COUNTING)
    page.locator("#image_to_video-generate:not([disabled])").click()
    card(page, "running")
    whole = next(run for run in served.studio.runs.values() if run.members)
    served.studio.complete(whole.view)
    card(page, "done")
    page.locator("#ws-card .cell .pick").nth(2).click()
    page.get_by_role("button", name="Finish at 480p").click()
    card(page, "running")
    assert effort(page) == (3, 0, 0)
    *_, final = (run.view for run in served.studio.runs.values())
    best = served.studio.runs[whole.members[2]].view
    assert (final.params["resolution"], final.seed) == ("480p", best.seed)
    assert len(whole.members) == 4 and best.params["resolution"] == "draft"
    expect(page.locator("#image_to_video-count")).to_have_value("4")
