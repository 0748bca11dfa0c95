"""Makes the sample sound, driving video, mask and character that the empty tabs offer.

.venv/bin/python -m scripts.make_samples [--to FOLDER]

They are computed entirely by this program, so no third-party rights apply.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from scripts.sample_figure import Canvas, Clothes, backdrop, character, walker
from scripts.sample_voice import RATE, Sound, sung

FOLDER = Path(__file__).resolve().parents[1] / "ui" / "assets" / "starters"
FPS, SECONDS, STRIDE = 16, 4, 1.0
"""Of the driving video; STRIDE: seconds of one walk cycle."""
SMALL = (384, 216)
MASK_GROWTH = 10
"""Pixels by which the mask is larger than the figure, as a mask for a replacement has to be."""


def write_sound(path: Path, sound: Sound) -> None:
    """An MP3, mono."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libmp3lame", rate=RATE, layout="mono")
        stream.bit_rate = 96_000
        samples = np.round(np.clip(sound, -1, 1) * 32_767).astype("<i2")[None]
        for start in range(0, samples.shape[1], 1152):
            frame = av.AudioFrame.from_ndarray(samples[:, start : start + 1152].copy(), "s16p", "mono")
            frame.sample_rate, frame.pts = RATE, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def write_video(path: Path, frames: Sequence[Image.Image], quality: int) -> None:
    """H.264, yuv420p, faststart; quality is x264's crf."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        stream: Any = out.add_stream("libx264", rate=FPS)
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(quality), "preset": "slow"}
        stream.width, stream.height = frames[0].size
        for picture in frames:
            out.mux(stream.encode(av.VideoFrame.from_image(picture)))
        out.mux(stream.encode())


def walk(clothes: Clothes, ground: Image.Image, shadow: bool) -> list[Image.Image]:
    """The frames of the walk from left to right."""
    count = FPS * SECONDS
    return [
        walker(ground, n / FPS / STRIDE % 1.0, 0.3 + 0.4 * n / (count - 1), clothes, shadow)
        for n in range(count)
    ]


def masks() -> list[Image.Image]:
    """White where the figure is and a little around it, black elsewhere; the same frames as the walk."""
    black = Image.new("RGB", backdrop().size, "black")
    found = []
    for picture in walk(Clothes.plain("white"), black, shadow=False):
        grey = np.asarray(picture.convert("L")) > 40
        grown = grey.copy()
        for dx in range(-MASK_GROWTH, MASK_GROWTH + 1, 2):
            for dy in range(-MASK_GROWTH, MASK_GROWTH + 1, 2):
                if dx * dx + dy * dy <= MASK_GROWTH**2:
                    grown |= np.roll(grey, (dy, dx), (0, 1))
        found.append(Image.fromarray((grown * 255).astype("uint8")).convert("RGB"))
    return found


def wave(sound: Sound) -> Image.Image:
    """The sound as a picture, for its tile."""
    picture = Image.new("RGB", SMALL, "#1c1e20")
    canvas = Canvas(picture)
    bars = np.array([np.abs(part).max() for part in np.array_split(sound, 44)])
    for number, height in enumerate(bars / bars.max()):
        x = 26 + number * (SMALL[0] - 52) / 43
        half = 4 + 66 * float(height)
        canvas.limb((x, SMALL[1] / 2 - half), (x, SMALL[1] / 2 + half), 4, 4, "#c6f04d")
    return canvas.finished()


def halves(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures beside each other, each its left or right half."""
    both = left.copy()
    both.paste(right.crop((right.width // 2, 0, right.width, right.height)), (right.width // 2, 0))
    return both


def save(picture: Image.Image, path: Path, size: tuple[int, int] | None = None, quality: int = 86) -> None:
    """A JPEG."""
    picture = picture.resize(size, Image.Resampling.LANCZOS) if size else picture
    picture.save(path, quality=quality, optimize=True, progressive=True)


def main() -> None:
    """Writes all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder to write to")
    folder = parser.parse_args().to
    folder.mkdir(parents=True, exist_ok=True)
    sound = sung()
    write_sound(folder / "voice.mp3", sound)
    save(wave(sound), folder / "voice-tile.jpg")
    steps, white = walk(Clothes(), backdrop(), shadow=True), masks()
    write_video(folder / "walk.mp4", steps, 23)
    write_video(folder / "walk-mask.mp4", white, 26)
    at = len(steps) // 2
    save(steps[at], folder / "walk-tile.jpg", SMALL)
    save(halves(steps[at], white[at]), folder / "mix-tile.jpg", SMALL)
    person = character()
    save(person, folder / "character.jpg")
    save(person, folder / "character-tile.jpg", SMALL)
    made = [folder / name for name in ("voice.mp3", "walk.mp4", "walk-mask.mp4", "character.jpg")]
    made += sorted(folder.glob("*-tile.jpg"))
    for path in made:
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
