"""Decoder: inspects and converts pictures, sounds and videos in child processes that can be killed safely.

At most `workers` children, started on first use and kept running, and one more for long work. A child that
dies, hangs or replies invalidly is killed and replaced, and its file is refused with BadMedia. All methods
may be called from any thread. Shared arguments: `name` is the file's name in messages (default: the path's
base name), `field` the parameter that the error names, `on_progress` is called with the share done (0..1)
about twice a second; an exception in it ends the work.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.errors import InternalError
from backend.media import budget
from backend.media.facts import (
    MAX_STORED_SIDE,
    LoopSeam,
    PictureFacts,
    Seam,
    SoundFacts,
    StoredMedia,
    VideoFacts,
)
from backend.media.pool import Pool
from backend.media.process import Progress

__all__ = ["Decoder", "PictureFacts", "Seam", "SoundFacts", "StoredMedia", "VideoFacts"]

AnyPath = str | Path


class Decoder(Pool):
    """The operations on media files. The constructor's arguments are those of Pool."""

    def __enter__(self) -> Decoder:
        return self

    def picture(self, path: AnyPath, *, name: str = "", field: str = "image") -> PictureFacts:
        """Facts about the picture, after decoding all of it. Raises BadMedia."""
        return PictureFacts(**self._ask_cached("picture", path, name=name, field=field, max_mb=self._max_mb))

    def lit(self, path: AnyPath) -> bool:
        """Whether any frame of a picture, animated or not, has a pixel that is not black. Raises BadMedia."""
        return bool(self._ask_cached("lit", path)["lit"])

    def sound(self, path: AnyPath, *, name: str = "", field: str = "audio") -> SoundFacts:
        """Facts about a sound file or the sound of a video, after decoding all of it. Raises BadMedia."""
        request: dict[str, Any] = {
            "name": name,
            "field": field,
            "max_mb": self._max_mb,
            "budget": budget.LOOK,
        }
        return SoundFacts(**self._ask_cached("sound", path, kind="sound", **request))

    def video(self, path: AnyPath, *, name: str = "", field: str = "video") -> VideoFacts:
        """Facts about an uploaded video of a container in the table of formats. Raises BadMedia."""
        request: dict[str, Any] = {
            "name": name,
            "field": field,
            "max_mb": self._max_mb,
            "budget": budget.LOOK,
        }
        return VideoFacts(**self._ask_cached("video", path, kind="video", **request))

    def video_facts(self, video: AnyPath) -> VideoFacts:
        """Facts about a result of any length, from its header if possible. Raises BadMedia."""
        return VideoFacts(**self._ask_cached("result", video, kind="video"))

    def loop_seam(self, video: AnyPath) -> LoopSeam | None:
        """How a clip's last frame leads into its first; None for one too short to tell. Raises BadMedia."""
        found = self._ask_cached("loop_seam", video, kind="video", budget=budget.LOOK)
        figures = {name: found[name] for name in ("jump", "usual", "brightness", "colour")}
        return LoopSeam(**figures) if found["frames"] > 2 else None

    def waveform(
        self, path: AnyPath, points: int = 600, *, name: str = "", field: str = "audio"
    ) -> list[float]:
        """The peaks (0..1) of `points` equal pieces of the sound, at most 4000. Raises BadMedia."""
        request: dict[str, Any] = {"name": name, "field": field, "points": points, "budget": budget.LOOK}
        peaks = self._ask_cached("waveform", path, kind="sound", **request)["peaks"]
        return peaks

    def normalise(
        self,
        src: AnyPath,
        dst: AnyPath,
        *,
        pad_to: tuple[int, int] | None = None,
        max_side: int = MAX_STORED_SIDE,
        name: str = "",
        field: str = "image",
    ) -> StoredMedia:
        """Writes the picture to the file `dst` as PNG: upright, sRGB, opaque, no metadata, at most `max_side`
        pixels a side, or in exactly the ratio of `pad_to` (width, height) on a blurred background.

        Equal pictures give equal bytes and names. Raises BadMedia, DiskFull.
        """
        extra = {"pad_to": pad_to, "max_side": max_side, "max_mb": self._max_mb}
        return self._store("normalise", src, dst, ".png", name=name, field=field, **extra)

    def preview(self, picture: AnyPath, dst: AnyPath, max_side: int = 960) -> StoredMedia:
        """Writes an uploaded picture to the file `dst` as JPEG, for browsers that cannot show its format.

        Raises BadMedia, DiskFull.
        """
        return self._store("preview", picture, dst, ".jpg", max_side=max_side)

    def poster(self, video: AnyPath, dst: AnyPath, max_side: int = 640) -> StoredMedia:
        """Writes the video's first frame to the file `dst` as JPEG. Raises BadMedia, DiskFull."""
        return self._store("poster", video, dst, ".jpg", kind="video", max_side=max_side)

    def frame(
        self, video: AnyPath, dst: AnyPath, number: int = -1, *, name: str = "", field: str = "video"
    ) -> StoredMedia:
        """Writes one frame of a video, from 0, to the file `dst` as PNG; -1 is the last. Raises BadMedia,
        also when there is no such frame, DiskFull."""
        return self._store(
            "frame", video, dst, ".png", name=name, field=field, kind="video", number=number,
            budget=budget.LOOK,
        )  # fmt: skip

    def cut_sound(
        self,
        src: AnyPath,
        dst: AnyPath,
        start: float = 0.0,
        seconds: float = 0.0,
        *,
        silence: float = 0.0,
        level: tuple[float, float] | None = None,
        name: str = "",
        field: str = "audio",
        on_progress: Progress | None = None,
    ) -> StoredMedia:
        """Writes `seconds` (0: to the end) of the sound from `start` on to the file `dst` as 16-bit WAV, mono
        or stereo, at most 48 kHz, after `silence` seconds of silence. `level` (start, seconds; 0: to the
        end): applies the gain that brings that part of the source to a common loudness, so that all pieces
        cut from one part have the same gain. In a video, times count from its first picture.

        Equal parts of equal files give equal bytes and names. Raises BadMedia, DiskFull.
        """
        request = {"start": start, "seconds": seconds, "silence": silence, "level": level}
        bounds = budget.cut_sound(start, seconds, silence, level)
        return self._store(
            "cut_sound", src, dst, ".wav", name=name, field=field, kind="sound", budget=bounds,
            progress=on_progress, **request,
        )  # fmt: skip

    def cut_video(
        self,
        src: AnyPath,
        dst: AnyPath,
        start: float = 0.0,
        seconds: float = 0.0,
        *,
        fps: float = 16.0,
        width: int = 0,
        height: int = 0,
        first_frame: int = 0,
        frames: int = 0,
        crf: int = 12,
        name: str = "",
        field: str = "video",
        on_progress: Progress | None = None,
    ) -> StoredMedia:
        """Writes frames `first_frame` .. `first_frame + frames` of the part that begins at `start` and is
        `seconds` long (0: to the end) to the file `dst`, re-timed to `fps` by choosing the nearest frames.

        `frames` 0: all of the part; otherwise exactly that many, repeating the last frame of the source after
        its end. Upright, without sound, scaled down (never up) until it just covers width x height, with even
        sides, so that the engine's centre crop loses no resolution. FFV1 (lossless) if `dst` ends in .mkv,
        otherwise H.264 of this `crf` in MP4. Equal cuts give equal bytes and names. Raises BadMedia,
        DiskFull.
        """
        suffix = ".mkv" if Path(dst).suffix.lower() == ".mkv" else ".mp4"
        bounds = budget.cut_video(start, seconds, fps, first_frame, frames, (width, height))
        return self._store(
            "cut_video", src, dst, suffix, name=name, field=field, kind="video", budget=bounds,
            progress=on_progress, start=start, seconds=seconds, fps=fps, size=(width, height),
            first_frame=first_frame, frames=frames, lossless=suffix == ".mkv", crf=crf,
        )  # fmt: skip

    def compress_picture(
        self, src: AnyPath, dst: AnyPath, *, max_side: int, quality: int, name: str = "", field: str = "image"
    ) -> StoredMedia:
        """Writes a stored picture to the file `dst` as JPEG. Raises BadMedia, DiskFull."""
        extra = {"max_side": max_side, "quality": quality}
        return self._store("compress_picture", src, dst, ".jpg", name=name, field=field, **extra)

    def compress_sound(
        self,
        src: AnyPath,
        dst: AnyPath,
        start: float,
        seconds: float,
        *,
        kbps: int,
        name: str = "",
        field: str = "audio",
        on_progress: Progress | None = None,
    ) -> StoredMedia:
        """Writes `seconds` of the sound from `start` on to the file `dst` as AAC in MP4.

        Raises BadMedia, DiskFull.
        """
        bounds = budget.cut_sound(start, seconds, 0.0)
        return self._store(
            "compress_sound", src, dst, ".m4a", name=name, field=field, kind="sound", budget=bounds,
            start=start, seconds=seconds, kbps=kbps, progress=on_progress,
        )  # fmt: skip

    def frames_to_video(
        self, pictures: Sequence[AnyPath], dst: AnyPath, fps: float, *, on_progress: Progress | None = None
    ) -> StoredMedia:
        """Writes PNGs of one size to the file `dst` as lossless FFV1 in Matroska.

        Raises BadMedia, DiskFull.
        """
        paths = _all(pictures)
        return self._store(
            "frames_to_video", paths[0], dst, ".mkv", kind="video", paths=paths, fps=fps,
            budget=budget.frames_to_video(pictures), progress=on_progress,
        )  # fmt: skip

    def join(
        self,
        videos: Sequence[AnyPath],
        dst: AnyPath,
        sound: AnyPath | None = None,
        *,
        frames: int = 0,
        on_progress: Progress | None = None,
    ) -> StoredMedia:
        """Concatenates H.264 segments of one size and encoder in the MP4 `dst` without encoding them again,
        and add `sound` as AAC, cut to the length of the pictures. `frames` 0: all of them. One segment is
        enough.

        Raises BadMedia when the segments do not fit together, DiskFull.
        """
        paths = _all(videos)
        sound_path = str(Path(sound).absolute()) if sound else ""
        return self._store(
            "join", paths[0], dst, ".mp4", kind="video", paths=paths, sound=sound_path, frames=frames,
            budget=budget.join(videos), progress=on_progress,
        )  # fmt: skip

    def video_sheet(
        self, videos: Sequence[AnyPath], dst: AnyPath, *, on_progress: Progress | None = None
    ) -> StoredMedia:
        """Writes videos side by side, playing together, to the file `dst` as H.264 in MP4 without sound; see
        backend/media/sheet.py. Raises BadMedia, DiskFull."""
        paths = _all(videos)
        return self._store(
            "video_sheet", paths[0], dst, ".mp4", kind="video", paths=paths,
            budget=budget.sheet(videos), progress=on_progress,
        )  # fmt: skip

    def picture_sheet(self, pictures: Sequence[AnyPath], dst: AnyPath) -> StoredMedia:
        """Writes PNGs side by side to the file `dst` as PNG. Raises BadMedia, DiskFull."""
        paths = _all(pictures)
        return self._store("picture_sheet", paths[0], dst, ".png", paths=paths, budget=budget.sheet(pictures))

    def last_frames(
        self, video: AnyPath, dst: AnyPath, frame: int, count: int, size: tuple[int, int]
    ) -> StoredMedia:
        """Writes the `count` frames of a finished video up to `frame` (-1: the last) to the file `dst` as
        FFV1 in Matroska, without loss, scaled to `size`. Raises BadMedia where there are fewer, DiskFull."""
        return self._store(
            "last_frames", video, dst, ".mkv", kind="video", budget=budget.LOOK, frame=frame, count=count,
            size=size,
        )  # fmt: skip

    def extension(
        self,
        pieces: Sequence[tuple[AnyPath, int, int]],
        dst: AnyPath,
        seconds: float,
        *,
        on_progress: Progress | None = None,
    ) -> tuple[StoredMedia, tuple[int, ...], tuple[Seam, ...]]:
        """Joins parts (file, first frame used, frames of the joined video) in the MP4 `dst`, without sound,
        in size and rate of the first, each matched in brightness and colour to the one before; see
        backend/media/extension.py. `seconds`: of all together, at most. Returns the file, the frames of each
        part, and the seams, measured in that file. Raises BadMedia, DiskFull."""
        paths = _all([piece[0] for piece in pieces])
        sent = [(path, piece[1], piece[2]) for path, piece in zip(paths, pieces, strict=True)]
        ok, name, size = self._write(
            "extension", paths[0], dst, ".mp4", kind="video", pieces=sent,
            budget=budget.extension(paths, seconds), progress=on_progress,
        )  # fmt: skip
        fps = ok["fps"]
        made = StoredMedia(
            Path(dst), name, ok["width"], ok["height"], size, ok["frames"], fps, ok["frames"] / fps
        )
        return made, tuple(ok["counts"]), tuple(Seam(**one) for one in ok["seams"])

    def with_sound(
        self, video: AnyPath, sound: AnyPath, dst: AnyPath, seconds: float, *,
        on_progress: Progress | None = None,
    ) -> StoredMedia:  # fmt: skip
        """Writes the pictures of `video` with the first `seconds` of the sound of the video `sound` to the
        MP4 `dst`, both copied as they are. Raises BadMedia (also for a sound that it cannot copy), DiskFull.
        """
        return self._store(
            "with_sound", video, dst, ".mp4", kind="video", sound=str(Path(sound).absolute()),
            seconds=seconds, budget=budget.copy([video, sound]), progress=on_progress,
        )  # fmt: skip

    def metadata(self, path: AnyPath, *, name: str = "") -> dict[str, str]:
        """The texts in a file's metadata by key, and the whole of a JSON file; see backend/media/metadata.py.
        Raises BadMedia."""
        with tempfile.TemporaryDirectory(prefix="wan-texts-") as folder:  # the pipe is for short replies
            out = Path(folder) / "texts"
            self._write("metadata", path, out, ".json", name=name, kind="video")
            found = json.loads(out.read_text(encoding="ascii"))
        return {str(key): str(value) for key, value in found.items()}

    def with_metadata(self, src: AnyPath, dst: AnyPath, texts: AnyPath) -> None:
        """Copies a result (MP4 or PNG) to `dst` with the texts of a JSON file as its only metadata, without
        encoding it again; `dst` may be `src`. Raises BadMedia, DiskFull."""
        self._write(
            "with_metadata", src, dst, Path(dst).suffix, kind="video", texts=str(Path(texts).absolute()),
            budget=budget.copy([src]),
        )  # fmt: skip

    def stripped(self, src: AnyPath, dst: AnyPath, *, name: str = "") -> None:
        """Copies a picture, video, sound or text to `dst` without its metadata and without encoding it again;
        `dst` may be `src`. Raises BadMedia for a file from which it cannot be removed, DiskFull."""
        self._write("strip", src, dst, Path(dst).suffix, name=name, kind="video", budget=budget.copy([src]))

    def _store(self, op: str, src: AnyPath, dst: AnyPath, suffix: str, **request: Any) -> StoredMedia:
        ok, name, size = self._write(op, src, dst, suffix, **request)
        frames, fps = ok.get("frames", 0), ok.get("fps", 0.0)
        seconds = ok.get("seconds", frames / fps if fps else 0.0)
        return StoredMedia(
            Path(dst), name, ok.get("width", 0), ok.get("height", 0), size, frames, fps, seconds
        )


def _all(paths: Sequence[AnyPath]) -> list[str]:
    if not paths:
        raise InternalError.of("nothing_to_join")
    return [str(Path(path).absolute()) for path in paths]
