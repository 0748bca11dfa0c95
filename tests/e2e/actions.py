"""What a creator does on the Image-to-Video tab, for the browser tests."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def choose(page: Page, path: Path, tab: str = "image_to_video") -> None:
    page.locator(f"#{tab}-image input[type=file]").set_input_files(path)
    page.locator(f"#{tab}-image img").first.wait_for()


def short(page: Page, tab: str = "image_to_video") -> None:
    """The shortest length on offer, so that a test is quick."""
    page.locator(f"#{tab}-seconds label").first.click()


def quality(page: Page) -> None:
    """20 steps, so that there is time to look while they are made."""
    page.locator("#image_to_video-speed label", has_text="Quality").click()


def generate(
    page: Page, photo: Path, prompt: str = "The camera moves left", tab: str = "image_to_video"
) -> None:
    choose(page, photo, tab)
    page.locator(f"#{tab}-prompt textarea").fill(prompt)
    short(page, tab)
    page.locator(f"#{tab}-generate").click()


def card(page: Page, state: str) -> None:
    page.locator(f'#ws-card .card[data-state="{state}"]').wait_for()


def percent(page: Page) -> int:
    return int(page.locator("#ws-card [role=progressbar]").get_attribute("aria-valuenow") or 0)


def more(page: Page, name: str) -> None:
    """Chooses a line of the menu below a result."""
    page.locator("#ws-card .steps.next [data-menu]", has_text="More").click()
    page.locator("#ws-card").get_by_role("menuitem", name=name).click()
