"""Renders the frames of a scene: a camera move over the input image, or a generated gradient.

A frame depends only on its index, so cut, joined and preview frames are equal to those of the whole clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw

from backend.engines.demo.camera import Camera, camera_for
from backend.engines.demo.paint import Painting
from backend.engines.demo.values import Frames, Scene, Sound, fit
from backend.engines.demo.watermark import add_watermark, without_watermark

FPS = 16.0  # WAN's frame rate; times the hand-held movement
ROOM = 1.18  # the image is kept larger than the frame by this factor, so that zooming in stays sharp
HAND_HELD = Camera(0, 0, 0, motion=3.0, phase=0.0)  # the same in every chunk of a long clip
INSET = 0.24  # width of the driving video's inset, as a share of the frame width


@dataclass(frozen=True)
class RenderedScene:
    """The frames of a scene, `width` x `height` pixels, rendered on demand."""

    scene: Scene
    width: int
    height: int
    count: int
    marked: bool = True  # previews get their watermark after scaling

    def frame(self, index: int) -> Image.Image:
        """One frame as RGB."""
        again = self.scene.again
        shown = 0 if again is None else again.count
        if again is not None and self.scene.anchor is not None and index <= shown:
            image = self.scene.anchor.frame(0) if index == 0 else again.frame(index - 1)
            return fit(image, self.width, self.height)
        image = self._draw(*self._moment(index, shown), index)
        if not self.marked:
            return image
        if self.scene.driving is not None:
            driving = self.scene.driving
            inset(image, driving.frame(min(index, driving.count - 1)))
        return add_watermark(image)

    def _moment(self, index: int, shown: int = 0) -> tuple[float, float]:
        """Position in the clip behind its `shown` first frames, 0 to 1, and seconds since its start. In a
        loop both go back and forth once, fastest at the seam."""
        frame = index + self.scene.offset
        if self.scene.loop:
            at = 0.5 + 0.5 * math.sin(2 * math.pi * (frame % self.scene.loop) / self.scene.loop)
            return at, at * self.scene.loop / FPS / 2
        at = (index - shown) / (self.count - 1 - shown) if self.count > 1 + shown else 0.0
        return at, frame / FPS

    def _draw(self, at: float, seconds: float, index: int) -> Image.Image:
        beat = self._loudness[min(index, len(self._loudness) - 1)] if self._loudness else 0.0
        start, end = self._start, self._end
        if end is None:
            if start is None:
                return self._painting.frame(at, seconds, beat)
            return self._view(start, self._camera, at, seconds, beat)
        arrived = self._view(end, self._arrival, at, 0.0, 0.0)
        mix = min(1.0, max(0.0, (at - 0.3) / 0.65))
        mix = mix * mix * (3 - 2 * mix)
        if start is None or mix >= 1.0:
            return arrived
        left = self._view(start, self._departure, at, seconds, 0.0)
        return Image.blend(left, arrived, mix) if mix > 0.0 else left

    def _view(
        self, image: Image.Image, camera: Camera, at: float, seconds: float, beat: float
    ) -> Image.Image:
        box = camera.box(image.width, image.height, at, seconds, beat)
        return image.resize((self.width, self.height), Image.Resampling.BICUBIC, box=box)

    @cached_property
    def _camera(self) -> Camera:
        if self.scene.sound is not None or self.scene.driving is not None:
            return HAND_HELD
        return camera_for(self.scene.text, self.scene.seed, self.scene.motion)

    @cached_property
    def _departure(self) -> Camera:
        return Camera(0, 0, 1, 0.8 * self.scene.motion, self._camera.phase)

    @cached_property
    def _arrival(self) -> Camera:
        return Camera(0, 0, -1, 0.6 * self.scene.motion, 0.0)

    @cached_property
    def _start(self) -> Image.Image | None:
        return self._roomy(self.scene.start)

    @cached_property
    def _end(self) -> Image.Image | None:
        return self._roomy(self.scene.end)

    def _roomy(self, frames: Frames | None) -> Image.Image | None:
        if frames is None:
            return None
        image = without_watermark(frames.frame(0))
        return fit(image, round(self.width * ROOM), round(self.height * ROOM))

    @cached_property
    def _painting(self) -> Painting:
        return Painting(self.scene.text, self.scene.seed, self.width, self.height)

    @cached_property
    def _loudness(self) -> list[float]:
        return loudness(self.scene.sound, self.count)


def inset(image: Image.Image, small: Image.Image) -> None:
    """Draws a frame of the driving video into the lower left corner, with rounded corners."""
    width = max(16, round(image.width * INSET))
    height = max(9, round(width * small.height / small.width))
    edge = max(2, round(min(image.size) * 0.03))
    corners = Image.new("L", (width * 2, height * 2))
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, width * 2 - 1, height * 2 - 1), edge * 2, fill=255)
    corner = (edge, image.height - height - edge)
    image.paste(fit(small, width, height), corner, corners.resize((width, height)))


def loudness(sound: Sound | None, count: int) -> list[float]:
    """The smoothed loudness of each frame, 0 to 1; empty without sound."""
    if sound is None or sound.samples.shape[1] == 0:
        return []
    mono = sound.samples.mean(axis=0)
    step = max(1, round(sound.rate / FPS))
    frames = min(count, len(mono) // step)
    if frames == 0:
        return [0.0]
    levels = np.sqrt((mono[: frames * step].reshape(frames, step) ** 2).mean(axis=1))
    levels = np.convolve(levels, (0.25, 0.5, 0.25), "same") / max(float(levels.max()), 1e-6)
    return [float(level) for level in levels] + [0.0]
