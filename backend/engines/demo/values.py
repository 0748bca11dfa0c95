"""What flows between the demo engine's nodes: small descriptions where ComfyUI passes tensors.

Pictures are lazy (`Frames`): nothing is drawn before a node that saves asks for it, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL import Image


class Frames(Protocol):
    """A batch of pictures of one size, in pixels. `frame` gives RGB and may be called in any order."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def count(self) -> int: ...

    def frame(self, index: int) -> Image.Image: ...


@dataclass(frozen=True)
class Sound:
    """Samples as float32 of shape (channels, samples), -1 to 1; `rate` in Hz."""

    samples: Any
    rate: int

    @property
    def seconds(self) -> float:
        return float(self.samples.shape[1]) / self.rate


@dataclass(frozen=True)
class Video:
    frames: Frames
    fps: float
    sound: Sound | None = None


@dataclass(frozen=True)
class ModelHandle:
    """A model, encoder or the like: only its name matters here."""

    kind: str
    name: str
    loras: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """What a sampler drew: enough to paint every frame of it."""

    text: str = ""
    seed: int = 0
    motion: float = 1.0  # 1 is a calm camera; subtle is less, dynamic more
    start: Frames | None = None
    end: Frames | None = None
    sound: Sound | None = None
    driving: Frames | None = None
    offset: int = 0  # frames of the whole clip before this shot: chunks must not jump at their seams


@dataclass(frozen=True)
class Conditioning:
    """A text, and what a WAN node added to it."""

    text: str = ""
    guide: Scene = field(default_factory=Scene)


@dataclass(frozen=True)
class Latent:
    """`width` and `height` in latents (8 pixels each), `length` in latent frames; `video`: WAN's kind,
    where `length` latents are 4 * length - 3 frames. `shot` is None until a sampler ran."""

    width: int
    height: int
    length: int = 1
    batch: int = 1
    video: bool = True
    scene: Scene | None = None
    source: Frames | None = None  # encoded from pictures

    @property
    def frames(self) -> int:
        return self.batch * (4 * self.length - 3 if self.video else self.length)

    def with_length(self, length: int) -> Latent:
        return replace(self, length=length, source=None if length != self.length else self.source)


@dataclass(frozen=True)
class StillImage:
    """One picture (or the same picture `count` times)."""

    image: Image.Image
    count: int = 1

    @property
    def width(self) -> int:
        return self.image.width

    @property
    def height(self) -> int:
        return self.image.height

    def frame(self, index: int) -> Image.Image:
        return self.image


@dataclass(frozen=True)
class FrameRange:
    """`count` frames of `frames` from `first` on."""

    frames: Frames
    first: int
    count: int

    @property
    def width(self) -> int:
        return self.frames.width

    @property
    def height(self) -> int:
        return self.frames.height

    def frame(self, index: int) -> Image.Image:
        return self.frames.frame(self.first + index)


@dataclass(frozen=True)
class ConcatenatedFrames:
    """One batch after the other, all in the size of the first."""

    batches: tuple[Frames, ...]

    @property
    def width(self) -> int:
        return self.batches[0].width

    @property
    def height(self) -> int:
        return self.batches[0].height

    @property
    def count(self) -> int:
        return sum(batch.count for batch in self.batches)

    def frame(self, index: int) -> Image.Image:
        for batch in self.batches:
            if index < batch.count:
                return fit(batch.frame(index), self.width, self.height)
            index -= batch.count
        raise IndexError(index)


@dataclass(frozen=True)
class ScaledFrames:
    """The frames at another size; `crop` keeps the ratio and cuts evenly, as ComfyUI's "center"."""

    frames: Frames
    width: int
    height: int
    crop: bool = True

    @property
    def count(self) -> int:
        return self.frames.count

    def frame(self, index: int) -> Image.Image:
        image = self.frames.frame(index)
        if self.crop:
            return fit(image, self.width, self.height)
        return image.resize((self.width, self.height))


def crop_box(width: int, height: int, to_width: int, to_height: int) -> tuple[float, float, float, float]:
    """The centred part of a width x height picture that has the ratio of to_width x to_height."""
    scale = min(width / to_width, height / to_height)
    w, h = to_width * scale, to_height * scale
    left, top = max(0.0, (width - w) / 2), max(0.0, (height - h) / 2)
    return (left, top, min(float(width), left + w), min(float(height), top + h))


def fit(image: Image.Image, width: int, height: int) -> Image.Image:
    """Centre-cropped to the ratio and resized to width x height."""
    if image.size == (width, height):
        return image
    from PIL import Image as Pil

    box = crop_box(image.width, image.height, width, height)
    return image.resize((width, height), Pil.Resampling.LANCZOS, box=box)


def iter_frames(frames: Frames) -> Iterator[Image.Image]:
    for index in range(frames.count):
        yield frames.frame(index)
