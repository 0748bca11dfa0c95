"""The file of a recorded tour: pictures with the pointer drawn on them, in their planned time, as H.264."""

from __future__ import annotations

import bisect
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1280, 800
FPS = 15
"""Frames per second: enough for a page, and a small file."""
PRESSED_SECONDS = 0.35
SCALE = 4  # the pointer is drawn this much larger, then reduced: smooth edges
ARROW = ((0, 0), (0, 17), (4, 13.2), (6.6, 19.4), (9.4, 18.2), (6.8, 12.2), (12.2, 12.2))


@dataclass
class Tour:
    """What was recorded. Times in seconds, all by one clock."""

    pictures: list[tuple[float, bytes]] = field(default_factory=list)
    """(time, JPEG) of each picture that the browser painted."""
    steps: list[tuple[float, float, float]] = field(default_factory=list)
    """(from, to, seconds to show) of each step that may take longer than it is shown, in order."""
    moves: list[tuple[float, float, float]] = field(default_factory=list)
    """(time, x, y) of the pointer, in order."""
    presses: list[float] = field(default_factory=list)
    carried: list[tuple[float, float, str]] = field(default_factory=list)
    """(from, to, file name) of each file that is dragged over the page."""

    end: float = 0.0

    def times(self) -> list[float]:
        """The recorded time of every frame of the file: a step that took too long runs faster."""
        found: list[float] = []
        now = self.pictures[0][0]
        steps = iter(self.steps)
        step = next(steps, None)
        while now < self.end:
            found.append(now)
            while step is not None and now >= step[1]:
                step = next(steps, None)
            faster = 1.0
            if step is not None and now >= step[0]:
                faster = max(1.0, (step[1] - step[0]) / step[2])
            now += faster / FPS
        return found

    def frames(self) -> Iterator[Image.Image]:
        """Every frame of the file."""
        painted = [at for at, _ in self.pictures]
        shown, picture = -1, Image.new("RGB", (WIDTH, HEIGHT))
        for at in self.times():
            number = bisect.bisect_right(painted, at) - 1
            if number != shown:
                shown = number
                picture = Image.open(io.BytesIO(self.pictures[number][1])).convert("RGB")
            yield self._with_pointer(picture.resize((WIDTH, HEIGHT)), at)

    def _with_pointer(self, picture: Image.Image, at: float) -> Image.Image:
        place = self._place(at)
        if place is None:
            return picture
        x, y = place
        box = (round(x) - 16, round(y) - 16)
        mark = Image.new("RGBA", (64 * SCALE, 64 * SCALE))
        draw = ImageDraw.Draw(mark)
        pressed = next((at - one for one in self.presses if 0 <= at - one < PRESSED_SECONDS), None)
        if pressed is not None:
            radius = (6 + 9 * pressed / PRESSED_SECONDS) * SCALE
            middle = 16 * SCALE
            corners = (middle - radius, middle - radius, middle + radius, middle + radius)
            draw.ellipse(corners, outline=(198, 240, 77, 230), width=2 * SCALE)
        outline = [((16 + dx) * SCALE, (16 + dy) * SCALE) for dx, dy in ARROW]
        draw.polygon(outline, fill="white", outline="black", width=SCALE)
        mark = mark.resize((64, 64), Image.Resampling.LANCZOS)
        picture.paste(mark, box, mark)
        for begin, end, name in self.carried:
            if begin <= at < end:
                label(picture, name, round(x) + 14, round(y) + 18)
        return picture

    def _place(self, at: float) -> tuple[float, float] | None:
        """Where the pointer is; None before it has moved."""
        number = bisect.bisect_right(self.moves, at, key=lambda move: move[0])
        if number == 0:
            return None
        before = self.moves[number - 1]
        after = self.moves[number] if number < len(self.moves) else before
        if after[0] <= before[0]:
            return before[1:]
        share = (at - before[0]) / (after[0] - before[0])
        return (before[1] + share * (after[1] - before[1]), before[2] + share * (after[2] - before[2]))


def label(picture: Image.Image, name: str, left: int, top: int) -> None:
    """Draws the name of a file that is dragged."""
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(15)
    right, bottom = (round(value) for value in draw.textbbox((left + 12, top + 8), name, font=font)[2:])
    draw.rounded_rectangle((left, top, right + 12, bottom + 9), 8, fill="white", outline="#17191A")
    draw.text((left + 12, top + 8), name, font=font, fill="#17191A")


def encode(tour: Tour, target: Path) -> float:
    """Writes a tour as H.264 at FPS, without sound. Returns its length in seconds."""
    with av.open(str(target), "w", options={"movflags": "faststart"}) as made:
        stream = made.add_stream("libx264", rate=FPS, options={"crf": "28", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        count = 0
        for count, picture in enumerate(tour.frames(), 1):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = count - 1, Fraction(1, FPS)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return count / FPS
