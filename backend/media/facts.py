"""Facts about media files, and the limits for uploaded ones. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backend.notices import phrases
from workflows.notice import Notice

# A picture ends as one frame of about 1 megapixel. 80 megapixels are 320 MB in memory, which the child's
# limit below holds twice over (a copy is made on the way).
MAX_PIXELS = 80_000_000
# JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, row by row, so the largest phone cameras
# (16320 x 12240) fit in far less. Progressive files cannot, they need all coefficients in memory.
MAX_PIXELS_JPEG = 200_000_000
MIN_SIDE = 32
# 8:1 at the area of 832 x 480 is 1787 x 223: inside the 64..1920 that a video side may have.
MAX_RATIO = 8.0
# Enough for twice the side of a 720p frame's square, so that the engine's own resize has good data.
MAX_STORED_SIDE = 2048
MAX_NAME = 60

SOUND_SECONDS_MIN = 0.2
"""The shortest sound that makes a video; the model fails on 20 ms."""
SOUND_PART_MAX = 600.0
"""The longest part of a sound that one video is made of."""
SOUND_FILE_MAX = 3600.0
"""The longest file that a part can be chosen from: its waveform needs decoding all of it."""
VIDEO_SECONDS_MIN = 0.25
VIDEO_PART_MAX = 300.0
"""The longest part of a driving video."""
VIDEO_FILE_MAX = 1800.0
"""The longest video that a part can be chosen from."""
VIDEO_MAX_PIXELS = 4096 * 2304
"""4K, including the cinema format. 8K needs 50 to 100 MB a frame, and up to 16 frames at once."""
VIDEO_MAX_FRAMES = 500_000
"""More than VIDEO_FILE_MAX seconds at 240 frames a second."""
VIDEO_MIN_SIDE = 64
SILENT_BELOW = 0.001
"""A peak of -60 dB: inaudible, and too quiet to drive lips."""
WAVE_POINTS_MAX = 4000


@dataclass(frozen=True)
class PictureFacts:
    """A picture as displayed, after applying its rotation flag. Width and height in pixels.

    `format` is the display name ("JPEG"), `frames` counts frames or pages, `notes` say what will be changed
    (note_first_frame), `bytes` is the file size.
    """

    width: int
    height: int
    format: str = ""
    frames: int = 1
    notes: tuple[Notice, ...] = ()
    bytes: int = 0

    @property
    def note(self) -> str:
        """The words of the notes as one line; "" for none."""
        return phrases(self.notes)


@dataclass(frozen=True)
class VideoFacts:
    """A video's first picture stream as displayed: width and height in pixels after its rotation flag.

    `frames` and `seconds` are those in the file, `fps` is the average, `codec` and `pix_fmt` are FFmpeg's
    names. `rotated`: applied rotation, clockwise degrees (0, 90, 180, 270), after which it was mirrored if
    `mirrored`. `variable`: the frame times are uneven. `notes` say what will be changed.
    `channels`: of its sound; `sound_lost`: it has one that cannot be read.
    """

    width: int
    height: int
    frames: int
    fps: float
    seconds: float
    codec: str
    pix_fmt: str
    has_audio: bool
    rotated: int = 0
    variable: bool = False
    notes: tuple[Notice, ...] = ()
    mirrored: bool = False
    channels: int = 0
    sound_lost: bool = False

    @property
    def note(self) -> str:
        """The words of the notes as one line; "" for none."""
        return phrases(self.notes)


@dataclass(frozen=True)
class SoundFacts:
    """A file's first sound track. `seconds`: decodable length; `rate` in Hz; `codec`: FFmpeg's name; `peak`:
    the largest absolute sample (1.0: full scale, which floating-point files may exceed)."""

    seconds: float
    rate: int
    channels: int
    codec: str
    peak: float
    silent: bool = False
    notes: tuple[Notice, ...] = ()

    @property
    def note(self) -> str:
        """The words of the notes as one line; "" for none."""
        return phrases(self.notes)


@dataclass(frozen=True)
class LoopSeam:
    """How the last frame of a clip leads into its first, in steps of 255: `jump`, the mean difference of
    their pixels, and `usual`, the median of that between neighbouring frames; `brightness` and `colour`, the
    difference of their means."""

    jump: float
    usual: float
    brightness: float
    colour: float

    @property
    def doubled(self) -> bool:
        """Whether the first frame repeats the last one in a clip that moves."""
        return self.usual > NOISE and self.jump < DOUBLED_SHARE * self.usual

    @property
    def step(self) -> float:
        """The jump as a multiple of the usual step; 1 where nothing moves."""
        return max(self.jump, NOISE) / max(self.usual, NOISE)

    def to_json(self) -> dict[str, Any]:
        """As the API names it."""
        return {**asdict(self), "doubled": self.doubled}

    @staticmethod
    def from_json(data: Mapping[str, float]) -> LoopSeam | None:
        """A stored seam; None for {} and where a figure is missing."""
        figures = [data.get(name) for name in ("jump", "usual", "brightness", "colour")]
        return None if None in figures else LoopSeam(*(float(one or 0.0) for one in figures))


NOISE = 0.5
"""The difference between two frames, in steps of 255, that encoding alone makes."""
DOUBLED_SHARE = 0.2
"""A step of less than this share of the usual one repeats a frame."""


@dataclass(frozen=True)
class StoredMedia:
    """A file written by the decoder. `name` contains a hash of the content; it is the file's name on the
    engine.

    Pictures have a size, sounds have `seconds`, videos have all fields; fields that do not apply are 0.
    """

    path: Path
    name: str
    width: int
    height: int
    bytes: int
    frames: int = 0
    fps: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Seam:
    """How a seam looks. `doubled`: a frame is shown twice there. `brightness`, `colour`: how far apart the
    means of the two frames are, in levels of 255. `motion`: the difference of the two frames, as a multiple
    of the usual one between neighbours around it."""

    doubled: bool
    brightness: float
    colour: float
    motion: float
