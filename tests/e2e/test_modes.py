"""Sound-to-Video, Animate and Text as a creator meets them, in a real browser."""

from __future__ import annotations

import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.actions import card, more
from tests.e2e.conftest import PATIENCE
from tests.support.fake_studio import FakeStudio
from workflows.notice import notice

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]
RATE = 22_050
TABS = ("Image-to-Video", "Sound-to-Video", "Animate", "Fast 4-step", "Text", "Library", "System")


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s that swell once a second."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    time = np.arange(20 * RATE) / RATE
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        samples = np.sin(2 * np.pi * 220 * time) * np.abs(np.sin(np.pi * time)) * 30_000
        file.writeframes(samples.astype("<i2").tobytes())
    return path


@pytest.fixture(scope="session")
def dance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s, 320 x 180, 25 frames a second, without sound."""
    path = tmp_path_factory.mktemp("dance") / "dance.mp4"
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(50):
            frame = np.full((180, 320, 3), 60, np.uint8)
            frame[40:140, 4 * number : 4 * number + 40] = (220, 120, 60)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())
    return path


@pytest.fixture
def opened(visit: Visit) -> Callable[..., Page]:
    """A new visitor on a tab."""

    def open_tab(name: str, **more: Any) -> Page:
        page = visit(**more)
        page.get_by_role("tab", name=name).click()
        return page

    return open_tab


def upload(page: Page, field: str, path: Path) -> Locator:
    """Chooses a file; the line below its field."""
    page.locator(f"#{field} input[type=file]").set_input_files(path)
    box = page.locator(f".ws-media:has(#{field})")
    box.locator(".media").wait_for()
    return box.locator(".block.ws-line")


def number(page: Page, field: str) -> Locator:
    return page.locator(f"#{field} input")


def test_a_part_of_a_sound_becomes_a_video(opened: Callable[..., Page], song: Path) -> None:
    page = opened("Sound-to-Video")
    line = upload(page, "sound_to_video-audio", song)
    expect(line).to_contain_text("song.wav")
    expect(line).to_contain_text("0:20")
    expect(line).to_contain_text("5 parts")
    page.locator("#tab-sound .handle.from").press("PageUp")
    expect(number(page, "sound_to_video-start")).to_have_value("5")
    expect(line).to_contain_text("0:15 of 0:20")
    play = page.locator("#tab-sound [data-m=play]")
    play.click()
    expect(play).to_have_attribute("aria-label", "Pause")
    played = page.locator("#tab-sound audio").evaluate("a => [a.currentTime, a.error]")
    assert played[0] >= 5 and played[1] is None, "from the start of the part"
    play.click()
    expect(play).not_to_have_attribute("aria-label", "Pause")
    page.locator("#tab-sound .handle.to").press("Home")  # no further than the start
    for _ in range(3):
        page.locator("#tab-sound .handle.to").press("ArrowRight")
    expect(number(page, "sound_to_video-duration")).to_have_value("0.5")
    number(page, "sound_to_video-duration").fill("1.5")
    number(page, "sound_to_video-duration").press("Tab")
    expect(line).to_contain_text("0:01.5 of 0:20")
    expect(page.locator("#tab-sound .handle.to")).to_have_attribute("aria-valuetext", "0:06.5")

    page.locator("#sound_to_video-generate").click()
    card(page, "done")
    expect(page.locator("#ws-card .facts").first).to_contain_text("1.5 s")
    video = page.locator("#ws-card video")
    duration = video.evaluate(
        "async v => { while (!v.duration) await new Promise(r => setTimeout(r, 50)); return v.duration; }"
    )
    assert abs(duration - 1.5) < 0.1
    before = video.evaluate("v => v.muted")
    page.locator('#ws-card [data-p="mute"]').click()
    assert video.evaluate("v => v.muted") is not before

    page.locator("#tab-sound .remove").click()
    expect(page.locator("#tab-sound .drop-words")).to_be_visible()
    expect(number(page, "sound_to_video-start")).to_have_value("0")
    more(page, "Reuse settings")
    expect(page.locator("#tab-sound .ws-line").first).to_contain_text("0:01.5 of 0:20")
    expect(number(page, "sound_to_video-start")).to_have_value("5")


def test_handles_follow_the_pointer(opened: Callable[..., Page], song: Path) -> None:
    page = opened("Sound-to-Video")
    line = upload(page, "sound_to_video-audio", song)
    box = page.locator("#tab-sound .track").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40, steps=5)
    page.mouse.up()
    expect(line).to_contain_text(re.compile(r"0:(09|10)(\.\d)? of 0:20"))
    assert 9 < float(number(page, "sound_to_video-duration").input_value()) < 11


@pytest.mark.parametrize(
    ("tab", "field", "name", "words"),
    [
        ("Sound-to-Video", "sound_to_video-audio", "diary.mp3", "diary.mp3"),
        ("Animate", "animate-video", "diary.mp4", "diary.mp4"),
    ],
)
def test_a_text_by_another_name(
    opened: Callable[..., Page], tmp_path: Path, tab: str, field: str, name: str, words: str
) -> None:
    page = opened(tab)
    fake = tmp_path / name
    fake.write_text("dear diary, " * 50)
    line = upload(page, field, fake)
    expect(line.locator('[role="alert"]')).to_contain_text(words)
    page.locator(f".ws-media:has(#{field}) .remove").click()
    expect(page.locator(f".ws-media:has(#{field}) .drop-words")).to_be_visible()
    expect(line.locator('[role="alert"]')).to_have_count(0)


def test_a_character_follows_a_driving_video(opened: Callable[..., Page], photo: Path, dance: Path) -> None:
    page = opened("Animate")
    expect(page.locator("#animate-generate")).to_be_disabled()
    expect(page.locator("#animate-hint")).to_contain_text("Choose a picture first.")
    line = upload(page, "animate-video", dance)
    expect(line).to_contain_text("320 × 180")
    expect(line).to_contain_text("No sound")
    assert page.locator("#tab-animate .screen video").evaluate("v => v.muted")
    page.locator("#animate-image input[type=file]").set_input_files(photo)
    expect(page.locator("#tab-animate .notes")).to_contain_text("Animate 2 draws this")
    expect(page.locator("#tab-animate .notes")).not_to_contain_text("update ComfyUI")
    number(page, "animate-seconds").fill("1")
    number(page, "animate-seconds").press("Tab")
    expect(line).to_contain_text("0:01 of 0:02")
    page.locator("#animate-generate").click()
    card(page, "done")
    facts = page.locator("#ws-card .facts").first
    expect(facts).to_contain_text("Move")
    expect(facts).to_contain_text("1 s")
    page.locator("#animate-method label", has_text="Replace").click()
    expect(page.locator("#tab-animate .notes")).to_contain_text(
        "Animate 2, which is installed here too, cannot"
    )
    expect(page.locator("#tab-animate .notes")).to_contain_text("SAM 3 detects the person")


def test_words_become_a_picture_and_it_goes_on(opened: Callable[..., Page]) -> None:
    page = opened("Text")
    page.locator("#text_to_video-prompt textarea").fill("A boat at dusk")
    page.locator("#text-kind label", has_text="Picture").click()
    expect(page.locator("#text_to_image-prompt textarea")).to_have_value("A boat at dusk")
    expect(page.locator("#text_to_video-generate")).to_be_hidden()
    page.locator("#text_to_image-prompt textarea").press("Control+Enter")
    card(page, "done")
    assert not page.locator("#ws-card video").count()
    size = page.locator("#ws-card .stage img").evaluate(
        "async i => (await i.decode(), [i.naturalWidth, i.naturalHeight])"
    )
    assert size == [1280, 720]
    with page.expect_download() as download:
        page.locator("#ws-card a[download]").first.click()
    assert download.value.suggested_filename.endswith(".png")
    with Image.open(download.value.path()) as made:
        assert made.format == "PNG" and made.size == (1280, 720)
    page.locator('#ws-card [data-act="picture"]').click()
    expect(page.get_by_role("tab", name="Image-to-Video")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#tab-image .ws-line").first).to_contain_text("1280 × 720")
    page.get_by_role("tab", name="Library").click()
    page.locator("#library-mode label", has_text="Text").click()
    expect(page.locator(".tile")).to_have_count(1)
    page.locator(".tile .open").click()
    expect(page.get_by_role("tab", name="Text")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#text_to_image-generate")).to_be_visible()


def test_words_become_a_video(opened: Callable[..., Page]) -> None:
    page = opened("Text")
    expect(page.locator("#text_to_video-generate")).to_be_disabled()
    expect(page.locator("#text_to_video-hint")).to_contain_text("The prompt is empty")
    page.locator("#text_to_video-prompt textarea").fill("Waves at night")
    page.locator("#text_to_video-aspect label", has_text="9:16").click()
    page.locator("#text_to_video-seconds label").first.click()
    page.locator("#text_to_video-generate").click()
    card(page, "done")
    expect(page.locator("#ws-card .facts").first).to_contain_text("480 × 832")
    page.locator('#ws-card .steps.next .btn[data-act="frame"]').click()
    expect(page.get_by_role("tab", name="Image-to-Video")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#tab-image .ws-line").first).to_contain_text("frame-")


@pytest.mark.parametrize(("width", "theme"), [(375, "dark"), (1024, "light")])
def test_no_tab_overflows_the_window(visit: Visit, song: Path, dance: Path, width: int, theme: str) -> None:
    page = visit(width=width, height=812, theme=theme)
    assert [tab.inner_text() for tab in page.get_by_role("tab").all()] == list(TABS)
    for name in TABS:
        page.get_by_role("tab", name=name).click()
        if name == "Sound-to-Video":
            upload(page, "sound_to_video-audio", song)
        if name == "Animate":
            upload(page, "animate-video", dance)
        fits = f"document.documentElement.scrollWidth <= {width}"
        page.wait_for_function(fits)
        for button in page.locator("button.advanced:visible").all():
            button.click()
            expect(page.locator(f"#{button.get_attribute('aria-controls')} .dice")).to_be_visible()
        page.wait_for_function(fits)  # with Advanced open
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, input, textarea, [role=slider]')].filter(e =>"
            " e.offsetParent && !(e.innerText.trim() || e.ariaLabel || e.title || e.labels?.length ||"
            " e.getAttribute('aria-labelledby'))).map(e => e.outerHTML.slice(0, 120))"
        )
        assert not unnamed, name


@pytest.fixture
def lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, FakeStudio]]:
    """The page over a ComfyUI that has no Text-to-Video models, in this process."""
    from tests.support.ports import free_port
    from ui import page as layout

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    studio = FakeStudio()
    studio.missing = {
        "wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors",
        "wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors",
    }
    files = ("wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors",)
    studio.obstacle = notice("missing_files", mode="text_to_video", files=files)
    page = layout.build(studio)  # type: ignore[arg-type]
    _, url, _ = page.launch(
        server_name="127.0.0.1",
        server_port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        app_kwargs={"routes": [*studio.routes(), *layout.routes()]},
        **layout.launch_options(studio),  # type: ignore[arg-type]
    )
    yield url, studio
    page.close(verbose=False)


def test_a_tab_without_its_models_says_so_and_recovers(
    lacking: tuple[str, FakeStudio], browser: Browser
) -> None:
    url, studio = lacking
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(url)
    page.get_by_role("tab", name="Text").click()
    panel = page.locator("#text-video .needs")
    expect(panel).to_contain_text("Text-to-Video needs 2 more files, 28.6 GB")
    expect(panel).to_contain_text("from Comfy-Org/Wan_2.2_ComfyUI_Repackaged")
    expect(panel.locator(".command code")).to_have_text("python app.py models download text_to_video")
    panel.get_by_role("button", name="Copy").click()
    expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    expect(page.locator("#text_to_video-generate")).to_be_disabled()
    studio.missing, studio.obstacle = set(), None
    expect(panel).to_have_count(0)
    page.locator("#text_to_video-prompt textarea").fill("A harbour at dawn")
    expect(page.locator("#text_to_video-generate")).to_be_enabled()
    context.close()
