"""Packs a job for an engine that takes it whole (RunPod): its files within the 10 MB of a request.

Small files are sent unchanged. When they exceed the limit together, copies are sent: pictures as JPEG, the
chosen part of a sound as AAC, the chosen part of driving videos in the size and rate at which they are used.
The sound of the finished video is added here from the original file, without loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.engines.base import EngineInfo, Request
from backend.engines.kinds import takes_whole
from backend.errors import TooLargeToSend
from backend.jobs.job import Job, StoredInput
from backend.jobs.layout import WORK
from backend.jobs.segments import title_of
from backend.media.decoder import Decoder
from workflows.compile import Compiled
from workflows.compiled import Derived
from workflows.modes.animate.params import Animate
from workflows.modes.registry import MODES
from workflows.modes.sound_to_video import SoundToVideo
from workflows.notice import Notice, notice
from workflows.spec import ModeParams

ROOM = 7_200_000
"""Bytes of all files together: a request is 10 MB, base64 adds a third, settings are small."""
QUALITY, SIDE = 92, 2048
KBPS = (192, 96, 48)
CRF_FIRST, CRF_LAST = 14, 33
"""x264's scale: 6 more halve the file. At 33 a pose is still detected."""
SPARE = 0.3
"""Seconds sent beyond the chosen part, because the length that a file declares is that inexact."""
SENT = Path(WORK) / "sent"
"""Below the job's folder; removed when the job has ended."""
UNSURE = notice("pose_detection_unknown")

_PICTURE_BYTES = 0.5  # a pixel, as JPEG
_SOUND_BYTES = KBPS[-1] * 125  # a second
_VIDEO_BYTES = 0.03 / 8  # a pixel of each frame at CRF_LAST


def as_one(compiled: Compiled) -> Compiled:
    """The same job as a single graph, whose result is the whole video without sound."""
    return replace(
        compiled,
        graphs=compiled.graphs[:1],
        labels=compiled.labels[:1],
        derived=((),),
        kept=(compiled.frames,),
        segment_names=("",),
        sound=chosen_sound(compiled),
        warnings=warnings(compiled),
    )


def warnings(compiled: Compiled) -> tuple[Notice, ...]:
    """The warnings of a job for a worker whose nodes are not known: the worker may have a pose detector."""
    return tuple(UNSURE if one.code == "no_pose_detector" else one for one in compiled.warnings)


def chosen_sound(compiled: Compiled) -> Derived | None:
    """The sound to add to the video: for a job of one graph, the sound that it reads without a lead-in."""
    if compiled.sound is not None:
        return compiled.sound
    found = [item for item in compiled.derived[0] if item.kind == "sound" and not item.silence]
    return found[-1] if found else None


def check_stored(
    params: ModeParams, inputs: Mapping[str, StoredInput], folder: Path, engines: Sequence[EngineInfo]
) -> None:
    """Raises TooLargeToSend when the stored files of a job will not fit, and an engine takes jobs whole.
    OSError."""
    if any(takes_whole(info) for info in engines):
        sent = {name: folder / item.unpadded for name, item in inputs.items() if item.file}
        check(params, {name: path.stat().st_size for name, path in sent.items()})


def check(params: ModeParams, sizes: Mapping[str, int], room: int = ROOM) -> None:
    """Raises TooLargeToSend when the files will not fit, by estimate. sizes: parameter -> bytes."""
    least = {field: min(size, _least(params, field)) for field, size in sizes.items()}
    if sum(least.values()) <= room:
        return
    raise _too_large(max(least, key=lambda field: least[field]))


def request(
    decoder: Decoder,
    folder: Path,
    job: Job,
    params: ModeParams,
    stop: Callable[[], None],
    room: int = ROOM,
) -> Request:
    """The job's values and files. `stop` is called while files are made smaller; what it raises ends that.

    Raises TooLargeToSend, BadMedia, DiskFull.
    """
    files = {name: folder / item.unpadded for name, item in job.inputs.items()}
    values: dict[str, Any] = {**job.params, "seed": job.seed}
    if "width" in MODES[job.mode].by_name:  # a smaller copy of a picture would give another size
        values["width"], values["height"] = params.size
    if _total(files) > room:
        titles = {name: title_of(job, name) for name in job.inputs}
        _Squeeze(decoder, folder / SENT, params, files, values, lambda share: stop(), room, titles).work()
    titles = {name: item.title for name, item in job.inputs.items()}
    return Request(job.mode, values, files, titles, job.resolved)


class _Squeeze:
    """Makes `files` smaller in steps until they fit, and adapts `values` to their new content."""

    def __init__(
        self,
        decoder: Decoder,
        folder: Path,
        params: ModeParams,
        files: dict[str, Path],
        values: dict[str, Any],
        on_progress: Callable[[float], None],
        room: int,
        titles: Mapping[str, str],
    ) -> None:
        self.room, self.titles = room, titles
        self.decoder, self.folder, self.params = decoder, folder, params
        self.files, self.values, self.on_progress = files, values, on_progress
        self.originals = dict(files)
        folder.mkdir(parents=True, exist_ok=True)

    def work(self) -> None:
        """Raises TooLargeToSend."""
        kinds = {name: MODES[self.params.MODE].files[name].kind for name in self.files}
        pictures = [name for name, kind in kinds.items() if kind == "picture"]
        videos = [name for name, kind in kinds.items() if kind == "video"]
        for name in pictures:
            self._take(name, self._picture)
        if isinstance(self.params, Animate) and videos:
            self._videos(self.params, videos)
        elif isinstance(self.params, SoundToVideo):
            for kbps in KBPS:
                if _total(self.files) > self.room:
                    self._sound(self.params, kbps)
        if _total(self.files) > self.room:
            raise _too_large(max(self.files, key=lambda name: _size(self.files[name])))

    def _take(self, name: str, make: Callable[[Path, Path], object]) -> None:
        target = self.folder / name
        make(self.originals[name], target)
        self.files[name] = min(self.files[name], target, key=_size)

    def _picture(self, source: Path, target: Path) -> None:
        self.decoder.compress_picture(
            source, target, max_side=SIDE, quality=QUALITY, name=self.titles.get(target.name, ""),
            field=target.name,
        )  # fmt: skip

    def _sound(self, params: SoundToVideo, kbps: int) -> None:
        target = self.folder / "audio"
        self.decoder.compress_sound(
            self.originals["audio"], target, params.start, params.seconds + SPARE, kbps=kbps,
            name=self.titles.get("audio", ""), on_progress=self.on_progress,
        )  # fmt: skip
        self.files["audio"] = target
        self.values |= {"start": 0.0, "duration": params.seconds}

    def _videos(self, params: Animate, names: list[str]) -> None:
        """Cuts all videos alike, so that they stay in step."""
        self.values |= {"start": 0.0, "seconds": params.driving_seconds}
        sources, start, crf = dict(self.originals), params.start, CRF_FIRST
        while True:
            for name in names:
                target = self.folder / f"{name}-{crf}"
                self.decoder.cut_video(
                    sources[name], target, start, params.driving_seconds + SPARE, fps=params.fps,
                    width=params.size[0], height=params.size[1], crf=crf, field=name,
                    name=self.titles.get(name, ""), on_progress=self.on_progress,
                )  # fmt: skip
                self.files[name] = target
            if crf == CRF_FIRST:  # all further copies are made from these small ones
                sources, start = dict(self.files), 0.0
            excess = _total(self.files) - self.room
            if excess <= 0 or crf == CRF_LAST:
                return
            moving = sum(_size(self.files[name]) for name in names)
            share = max(0.01, 1 - excess / moving)
            crf = min(CRF_LAST, crf + 1 + math.ceil(-6 * math.log2(share)))


def _least(params: ModeParams, field: str) -> int:
    """The smallest size of a file in bytes, by estimate."""
    kind = MODES[params.MODE].files[field].kind
    media = getattr(params, field)
    if kind == "picture":
        pixels = min(media.width * media.height, SIDE * SIDE)
        return round(pixels * _PICTURE_BYTES)
    if kind == "sound":
        return round((getattr(params, "seconds", media.seconds) + SPARE) * _SOUND_BYTES)
    width, height = params.size
    return round(params.frames * width * height * _VIDEO_BYTES)


def _size(path: Path) -> int:
    return path.stat().st_size


def _total(files: Mapping[str, Path]) -> int:
    return sum(_size(path) for path in files.values())


def _too_large(field: str) -> TooLargeToSend:
    return TooLargeToSend.of("request_too_large", input=field, field=field)
