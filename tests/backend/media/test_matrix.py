"""Every format, orientation and layout through the real child process; prints a table of what came out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media.decoder import Decoder
from tests.backend.media import test_downmix, test_margins, test_odd_sounds, test_odd_videos
from tests.support.heif_file import Item, heic, mirrored, turned
from tests.support.media_files import (
    has_encoder,
    numbered,
    pictures_of,
    samples_of,
    tone,
    write_sound,
    write_video,
)
from tests.support.odd_media import (
    EXIF_ORIENTATION,
    corner_names,
    corners,
    one_channel,
    orient,
    stored_for,
    wav,
)

pytestmark = pytest.mark.deep

HEIF = {
    1: [], 2: [mirrored(1)], 3: [turned(2)], 4: [mirrored(0)], 5: [turned(1), mirrored(0)], 6: [turned(3)],
    7: [turned(1), mirrored(1)], 8: [turned(1)],
}  # fmt: skip
"""EXIF orientation -> the properties of a HEIC that ask for the same."""


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(max_file_mb=100) as decoder:
        yield decoder


def say(*columns: object) -> None:
    print("| " + " | ".join(str(column) for column in columns) + " |")


@pytest.mark.parametrize("kind", test_odd_sounds.KINDS)
def test_sounds(kind: str, decoder: Decoder, tmp_path: Path) -> None:
    codec, form = test_odd_sounds.KINDS[kind]
    rate = 8_000 if kind == "amr" else 48_000
    if not has_encoder(codec):
        pytest.skip(f"no encoder of {codec}")
    path = write_sound(tmp_path / "sound", tone(0.5, rate), rate, codec, form)
    facts = decoder.sound(path)
    cut = decoder.cut_sound(path, tmp_path / "cut.wav")
    say("sound", kind, codec, form, f"{facts.seconds:.2f} s", f"{facts.rate} Hz", f"{cut.seconds:.2f} s cut")
    assert cut.seconds == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("kind", test_odd_videos.KINDS)
def test_videos(kind: str, decoder: Decoder, tmp_path: Path) -> None:
    codec, form, pixels = test_odd_videos.KINDS[kind]
    path = write_video(tmp_path / "dance", numbered(25, (176, 144)), 25, codec, pixels, form=form)
    facts = decoder.video(path)
    cut = decoder.cut_video(path, tmp_path / "cut.mp4")
    say("video", kind, codec, form, f"{facts.frames} frames", f"{facts.seconds:.2f} s", f"{cut.frames} cut")
    assert cut.frames == pytest.approx(16, abs=1)


@pytest.mark.parametrize("exif", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIC", "MP4", "MOV"])
def test_orientations(form: str, exif: int, decoder: Decoder, tmp_path: Path) -> None:
    stored = stored_for(corners(), exif)
    path = tmp_path / "phone"
    if form in ("MP4", "MOV"):
        made = write_video(tmp_path / f"a.{form.lower()}", [np.ascontiguousarray(stored)] * 8, 25)
        cut = decoder.cut_video(orient(made, exif), tmp_path / "cut.mkv")
        shown = Image.fromarray(pictures_of(cut.path)[0])
    else:
        if form == "HEIC":
            path.write_bytes(heic(Item(stored, properties=HEIF[exif])))
        else:
            block = Image.Exif()
            block[EXIF_ORIENTATION] = exif
            stored.save(path, format=form, exif=block, **({"quality": 95} if form != "PNG" else {}))
        with Image.open(decoder.normalise(path, tmp_path / "out.png").path) as image:
            shown = image.convert("RGB")
    say("orientation", form, exif, f"{stored.width} x {stored.height}", shown.size, corner_names(shown))
    assert (shown.size, corner_names(shown)) == ((160, 96), "RGBW")


@pytest.mark.parametrize("layout", ["mono", "stereo", *test_downmix.LAYOUTS])
def test_layouts(layout: str, decoder: Decoder, tmp_path: Path) -> None:
    names = test_downmix.names(layout)
    for index, name in enumerate(names):
        path = write_sound(
            tmp_path / "a.mov", one_channel(len(names), index, 0.3), 16_000, "pcm_s16le", layout=layout
        )
        audible, _ = samples_of(decoder.cut_sound(path, tmp_path / "cut.wav").path)
        say("layout", layout, name, [f"{np.sqrt(np.mean(one**2)):.3f}" for one in audible])
        assert audible.any() or name.startswith("LFE")


@pytest.mark.parametrize("channels", range(1, 33))
def test_channels(channels: int, decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "field.wav"
    path.write_bytes(wav(one_channel(channels, channels - 1)))
    facts = decoder.sound(path)
    audible, _ = samples_of(decoder.cut_sound(path, tmp_path / "cut.wav").path)
    say("channels", channels, facts.note, [f"{np.sqrt(np.mean(one**2)):.3f}" for one in audible])
    assert audible.any() and len(audible) == min(2, channels)


@pytest.mark.parametrize("which", test_margins.GOOD)
def test_pictures_with_margins(which: str, decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(test_margins.GOOD[which]())
    facts = decoder.picture(path)
    stored = decoder.normalise(path, tmp_path / "out.png")
    say("picture", which, path.stat().st_size, facts.format, f"{stored.width} x {stored.height}")
    assert (stored.width, stored.height) == (160, 96)


def test_random_damage_in_every_container_leaves_the_child_alive(decoder: Decoder, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    for kind, (codec, form, pixels) in test_odd_videos.KINDS.items():
        source = write_video(
            tmp_path / "whole", numbered(25, (176, 144)), 25, codec, pixels, form=form
        ).read_bytes()
        refused = 0
        for _ in range(8):
            data = bytearray(source)
            for at in random.integers(12, len(data), 30):
                data[at] = random.integers(0, 256)
            path = tmp_path / "damaged"
            path.write_bytes(data)
            try:
                decoder.video(path)
                decoder.cut_video(path, tmp_path / "cut.mp4")
            except BadMedia as error:
                refused += 1
                assert error.message.startswith("damaged ") and error.hint
        say("damaged", kind, f"{refused} of 8 refused", f"{len(decoder.pids())} children")
