"""The values that demo nodes exchange: descriptions instead of ComfyUI's tensors.

Images are lazy (`Frames`): a frame is rendered only when a node that saves requests it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL import Image


class Frames(Protocol):
    """A batch of images of one size in pixels. `frame` returns RGB and may be called in any order."""

    @property
    def width(self) -> int:
        """Width in pixels."""
        ...

    @property
    def height(self) -> int:
        """Height in pixels."""
        ...

    @property
    def count(self) -> int:
        """The number of frames."""
        ...

    def frame(self, index: int) -> Image.Image:
        """The frame with this index, as RGB."""
        ...


@dataclass(frozen=True)
class Sound:
    """Sound. samples: float32 of shape (channels, samples), -1 to 1; rate: Hz."""

    samples: Any
    rate: int

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return float(self.samples.shape[1]) / self.rate


@dataclass(frozen=True)
class Video:
    """Frames with their rate and, optionally, a sound."""

    frames: Frames
    fps: float
    sound: Sound | None = None


@dataclass(frozen=True)
class ModelHandle:
    """A loaded model or encoder, represented by its kind and file name."""

    kind: str
    name: str
    loras: tuple[str, ...] = ()
    wraps: int = 0  # latents of the windows that wrap from the end of a clip to its beginning; 0: none


@dataclass(frozen=True)
class Scene:
    """The result of sampling: everything that determines its frames."""

    text: str = ""
    seed: int = 0
    motion: float = 1.0  # camera motion: 1 is normal, subtle is less, dynamic more
    start: Frames | None = None
    end: Frames | None = None
    sound: Sound | None = None
    driving: Frames | None = None
    anchor: Frames | None = None  # of a part that goes on from a clip: its first frame
    again: Frames | None = None  # the last frames of that clip, which follow the anchor
    offset: int = 0  # frames of the clip before this chunk, for continuous motion across chunks
    loop: int = 0  # frames after which it begins again; 0: never


@dataclass(frozen=True)
class Conditioning:
    """A text, and the inputs that a WAN node added to it."""

    text: str = ""
    guide: Scene = field(default_factory=Scene)


@dataclass(frozen=True)
class Latent:
    """A latent. width, height: in latents of 8 pixels; length: in latent frames. `video`: a WAN latent, whose
    `length` latent frames are 4 * length - 3 frames. `scene` is None until a sampler has run."""

    width: int
    height: int
    length: int = 1
    batch: int = 1
    video: bool = True
    scene: Scene | None = None
    source: Frames | None = None  # the images it was encoded from
    first: int = 0  # its first latent frame, counted in the clip that it was cut from

    @property
    def frames(self) -> int:
        """The number of frames that the latent decodes to."""
        return self.batch * (4 * self.length - 3 if self.video else self.length)

    def with_length(self, length: int) -> Latent:
        """The latent with another length, in latent frames."""
        return replace(self, length=length, source=None if length != self.length else self.source)


@dataclass(frozen=True)
class StillImage:
    """One image, repeated `count` times."""

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
class _SameSize:
    """Frames that are made from others of the same size."""

    frames: Frames

    @property
    def width(self) -> int:
        return self.frames.width

    @property
    def height(self) -> int:
        return self.frames.height


@dataclass(frozen=True)
class DerivedFrames(_SameSize):
    """Frames that are made from others, as many and of the same size."""

    @property
    def count(self) -> int:
        return self.frames.count


@dataclass(frozen=True)
class FrameRange(_SameSize):
    """`count` frames of a batch, beginning with `first`."""

    first: int
    count: int

    def frame(self, index: int) -> Image.Image:
        return self.frames.frame(self.first + index)


@dataclass(frozen=True)
class ConcatenatedFrames:
    """Batches one after another, all scaled to the size of the first."""

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
    """Frames scaled to another size; `crop` keeps the aspect ratio and crops to the centre."""

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
    """The centred box of a width x height image with the aspect ratio of to_width x to_height, in pixels."""
    scale = min(width / to_width, height / to_height)
    w, h = to_width * scale, to_height * scale
    left, top = max(0.0, (width - w) / 2), max(0.0, (height - h) / 2)
    return (left, top, min(float(width), left + w), min(float(height), top + h))


def fit(image: Image.Image, width: int, height: int) -> Image.Image:
    """The image, cropped to the centre and scaled to width x height."""
    if image.size == (width, height):
        return image
    from PIL import Image as Pil

    box = crop_box(image.width, image.height, width, height)
    return image.resize((width, height), Pil.Resampling.LANCZOS, box=box)


def iter_frames(frames: Frames) -> Iterator[Image.Image]:
    """All frames of a batch, in order."""
    for index in range(frames.count):
        yield frames.frame(index)
