"""The model files on the System tab: the choice by hand and the download, in the page of a fake studio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.models.state import FetchProgress, ModelState
from tests.e2e.conftest import PATIENCE
from tests.support.waiting import until
from workflows.catalog import load_catalog

HIGH = load_catalog().file("i2v_high")
OTHER, MERGE = "Wan/Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors", "merge_i2v_high.safetensors"


@pytest.fixture
def system(served: SimpleNamespace, visit: Any) -> Iterator[tuple[Any, Page]]:
    """The fake studio with further files for a role, and its System tab."""
    studio = served.studio
    plain, admins = studio.models, studio.is_admin
    studio.is_admin = lambda owner, user="": True
    studio.models = lambda: [_with_others(state, studio) for state in plain()]
    studio.fetching, studio.chosen_models = FetchProgress(), {}
    page = visit(on=served)
    page.get_by_role("tab", name="System").click()
    yield studio, page
    studio.models, studio.is_admin = plain, admins
    studio.fetching = FetchProgress()


def _with_others(state: ModelState, studio: Any) -> ModelState:
    if state.name != HIGH.name:
        return state
    file, _ = studio.chosen_models.get("i2v_high", ("", None))
    others = tuple(name for name in (OTHER,) if name != file)
    return replace(
        state, role="i2v_high", used=file or HIGH.name, chosen=bool(file), others=others, asked=(MERGE,)
    )


def test_a_file_is_chosen_by_hand_and_the_choice_is_ended(system: tuple[Any, Page]) -> None:
    studio, page = system
    row = page.locator("tr", has=page.locator("details")).first
    row.locator("summary").click(timeout=PATIENCE)
    row.get_by_role("button", name="Use", exact=True).click()
    expect(row).to_contain_text("in place of " + HIGH.name)
    assert studio.chosen_models["i2v_high"] == (OTHER, None)
    expect(row.locator("code").first).to_have_text(OTHER.rpartition("/")[2].removesuffix(".safetensors"))
    if not row.locator("details").evaluate("details => details.open"):
        row.locator("summary").click()
    row.get_by_role("button", name="Use as a 4-step model").click()
    expect(row.locator("code").first).to_have_text(MERGE.removesuffix(".safetensors"))
    assert studio.chosen_models["i2v_high"] == (MERGE, True)
    if not row.locator("details").evaluate("details => details.open"):
        row.locator("summary").click()
    row.get_by_role("button", name="Choose automatically").click()
    expect(row.get_by_role("button", name="Choose automatically")).to_have_count(0)
    assert studio.chosen_models["i2v_high"] == ("", None)


def test_models_are_downloaded_from_the_page(system: tuple[Any, Page]) -> None:
    studio, page = system
    form = page.locator("#ws-download")
    form.get_by_role("combobox", name="Mode").select_option("image_to_video", timeout=PATIENCE)
    form.get_by_role("combobox", name="GPU memory").select_option("16")
    form.get_by_role("button", name="Show files").click()
    expect(form).to_contain_text("1 file, 1.2 GB to download.")
    form.get_by_role("button", name="Show files").click()  # the same files: nothing on the page changes
    expect(form.get_by_role("button", name="Show files")).to_be_enabled()
    form.get_by_role("combobox", name="Speed").select_option("fast")
    expect(form.get_by_role("combobox", name="GPU memory")).to_have_value("16")
    form.get_by_role("button", name="Download").click()
    expect(form.get_by_role("progressbar")).to_be_visible()
    assert studio.fetching.request.gigabytes == 16 and studio.fetching.request.speed == "fast"
    studio.fetching = replace(
        studio.fetching, file=HIGH.name, fetched=600_000_000, total=1_200_000_000, rate=5e7, seconds=12.0
    )
    expect(form).to_contain_text("50 MB/s, 12 s left")
    expect(form.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "50")
    expect(form.get_by_role("combobox", name="Mode")).to_be_disabled()
    form.get_by_role("button", name="Cancel").click()
    expect(form).to_contain_text("Cancelled.")
    form.get_by_role("button", name="Resume").click()
    expect(form.get_by_role("progressbar")).to_be_visible()
    studio.fetching = replace(studio.fetching, stage="done")
    expect(form).to_contain_text("The download is complete.")
    expect(form.get_by_role("button", name="Show files")).to_be_enabled()


def test_what_is_chosen_while_the_files_are_looked_up_stays(system: tuple[Any, Page]) -> None:
    studio, page = system
    form = page.locator("#ws-download")
    asked: list[int] = []
    formats: list[tuple[str, bool]] = []
    known, plan = Event(), studio.plan_models

    def slow(owner: str, request: Any, user: str = "") -> Any:
        asked.append(request.gigabytes)
        formats.append((request.format, request.distilled))
        assert known.wait(60)
        return plan(owner, request, user)

    studio.plan_models = slow
    try:
        form.get_by_role("button", name="Show files").click(timeout=PATIENCE)
        until(lambda: page.evaluate("1") and len(asked) == 1)
        form.get_by_role("combobox", name="GPU memory").select_option("48")
        known.set()
        until(lambda: page.evaluate("1") and asked[1:] == [48])
        expect(form.get_by_role("button", name="Show files")).to_be_enabled()
        expect(form.get_by_role("combobox", name="GPU memory")).to_have_value("48")
        form.get_by_role("combobox", name="Format").select_option("GGUF Q4_K_M")
        until(lambda: page.evaluate("1") and formats[-1] == ("Q4_K_M", False))
        form.get_by_role("combobox", name="Fast by").select_option("Distilled models")
        until(lambda: page.evaluate("1") and formats[-1] == ("Q4_K_M", True))
        expect(form.get_by_role("combobox", name="Format")).to_have_value("Q4_K_M")
    finally:
        del studio.plan_models
