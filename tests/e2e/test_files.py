"""Files that people have: what a field takes, what it offers for others, and what it says."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from backend.errors import BadMedia
from tests.e2e.conftest import PATIENCE
from tests.support.heif_file import Item, heic, turned
from tests.support.media_files import coded, tone, write_sound, write_video

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]

DROP = """([id, files]) => {
  const transfer = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  const target = document.querySelector(`#${id} button`) || document.getElementById(id);
  for (const type of ["dragenter", "dragover", "drop"])
    target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
}"""


def drop(page: Page, field: str, *paths: Path) -> None:
    files = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in paths]
    page.evaluate(DROP, [field, files])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    photo = Image.radial_gradient("L").resize((640, 480)).convert("RGB")
    (folder / "beach.heic").write_bytes(heic(Item(photo, properties=[turned(3)])))
    photo.save(folder / "no-extension", format="JPEG")
    write_video(folder / "dance.mp4", [coded(n, (320, 240)) for n in range(16)], 16)
    write_sound(folder / "song.wav", tone(1.0))
    (folder / "notes.txt").write_text("Not a picture")
    return folder


def test_any_file_in_any_field(visit: Visit, files: Path) -> None:
    page = visit()
    field = "image_to_video-image"
    choose = page.locator(f"#{field} input[type=file]")
    below = page.locator("#tab-image .ws-line").first
    drawn = f"() => (document.querySelector('#{field} img')?.naturalWidth || 0) > 0"

    choose.set_input_files(files / "beach.heic")
    expect(below).to_contain_text("beach.heic")
    expect(below).to_contain_text("480 × 640")
    page.wait_for_function(drawn)
    expect(page.locator(f"#{field} img.unseen")).to_have_count(0)
    assert page.evaluate(f"() => document.querySelector('#{field} img').naturalHeight") == 640

    # Dropped on the picture that is there, which it replaces
    drop(page, field, files / "notes.txt", files / "no-extension", files / "song.wav")
    expect(below).to_contain_text("no-extension")
    said = page.locator(".ws-file-note")
    expect(said).to_have_text("no-extension is used. The 2 other files are not.")
    page.locator(f"#{field} .icon-button-wrapper button").click()
    expect(said).to_have_count(0)

    drop(page, field, files / "notes.txt")
    expect(below).to_contain_text("notes.txt is not a picture: it is a text file. Choose a JPEG, PNG,")
    drop(page, field, files / "dance.mp4")
    expect(below).to_contain_text("dance.mp4 is not a picture: it is a video.")
    offers = below.locator("[data-offer]")
    expect(offers).to_have_text(["Use its first frame", "Use it as the driving video in Animate"])
    offers.first.click()
    expect(below).to_contain_text("dance.jpg")
    expect(below).to_contain_text("320 × 240")

    drop(page, field, files / "dance.mp4")
    offers.nth(1).click()
    expect(page.locator("#tab-animate-button")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#tab-animate")).to_contain_text("dance.mp4")
    expect(page.locator("#animate-video video, #tab-animate .media video")).to_have_count(1)

    page.get_by_role("tab", name="Sound-to-Video").click()
    sound = page.locator("#tab-sound")
    page.locator("#sound_to_video-audio input[type=file]").set_input_files(files / "beach.heic")
    expect(sound).to_contain_text("beach.heic is not a sound: it is a picture (HEIC). Choose a WAV,")
    sound.get_by_role("button", name="Use it as the picture").click()
    expect(sound).to_contain_text("480 × 640")
    expect(sound).not_to_contain_text("not a sound")
    page.evaluate("() => { window.wanLimits.upload = 1000; }")
    drop(page, "sound_to_video-audio", files / "song.wav")
    expect(sound.locator(".ws-problem")).to_have_text("song.wav has 1 MB. Up to 1 MB can be used.")
    assert "allowed" not in page.locator("body").inner_text()


def test_an_offer_that_could_not_be_carried_out_can_be_pressed_again(
    visit: Visit, served: SimpleNamespace, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(video: Path, target: Path) -> None:
        raise BadMedia("This video has no picture.", field="image")

    monkeypatch.setattr(served.studio, "first_frame", unreadable)
    page = visit(on=served, missing=True)  # the video has no preview there
    page.locator("#image_to_video-image input[type=file]").set_input_files(files / "dance.mp4")
    offer = page.locator("#tab-image").get_by_role("button", name="Use its first frame")
    offer.click()
    expect(page.locator(".toast-wrap")).to_contain_text("This video has no picture.")
    expect(offer).to_be_enabled()
