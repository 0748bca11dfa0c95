"""Opens and reads sound and video files inside the child process.

The container format is chosen by the first bytes. PyAV is imported on first use. At most one packet and its
frames are in memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from backend.media import check
from backend.media.formats import CODECS
from backend.media.layouts import keep_of
from backend.media.locate import locate
from backend.media.pictures import regular_file
from backend.media.sniff import HEAD_BYTES, kind_of
from backend.media.spliced import Spliced
from backend.media.timeline import Timeline

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

THREADS = 2
"""Of one decoder. Each thread holds a frame: 12 to 25 MB in 4K."""
_READ_BYTES = 1 << 18
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BROKEN_SHARE = 0.5
JUMP_BACK = 0.25
"""Seconds by which the times of a track in order may run back within one recording."""
_CODEC_LIST = ",".join(sorted(CODECS))
_LARGE_PACKETS = ("wav", "w64")
_PROTECTED_TAGS = ("drmi", "drms", "drmt")
"""Codec tags of Apple's protected sounds and videos."""
_ASF_PROTECTION = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
)
"""Objects in the header of a protected WMA or WMV."""


class ProtectedError(Exception):
    """The track is encrypted."""


@contextmanager
def opened(
    path: str, name: str, field: str = "", max_mb: int = 0, kind: str = "video"
) -> Iterator[InputContainer]:
    """The container of a sound or video file; `kind` (sound or video) is the word in error messages.

    Raises BadMedia when the file is neither, or when reading fails inside the `with` block.
    """
    import av
    from av.error import FFmpegError

    with regular_file(path, name, field, max_mb, kind) as file:
        head = file.read(HEAD_BYTES)
        found = kind_of(head)
        form, start = locate(file, head)
        if not form or (kind == "sound" and found.family == "raster"):
            refuse = check.not_a_sound if kind == "sound" else check.not_a_video
            raise refuse(name, field, found)
        if form == "asf" and any(mark in head for mark in _ASF_PROTECTION):
            raise check.protected(name, field, kind)
        file.seek(0)
        # Two safeguards: no protocol is allowed, and opening a second file is refused.
        options = {"protocol_whitelist": "none", "codec_whitelist": _CODEC_LIST}
        if form in _LARGE_PACKETS:
            options["max_size"] = str(1 << 16)  # a packet; 4 kB would cost a second for each minute
        size = os.fstat(file.fileno()).st_size
        whole = Spliced(file, [(start, size - start)]) if start else file
        try:
            with av.open(
                whole,
                mode="r",
                format=form,
                container_options=options,
                buffer_size=_READ_BYTES,
                io_open=_no_other_file,
                metadata_errors="replace",
            ) as container:
                yield container
        except ProtectedError as error:
            raise check.protected(name, field, kind) from error
        except FFmpegError as error:
            if isinstance(error, MemoryError) or getattr(error, "errno", None) in _DISK:
                raise
            raise check.damaged(name, field, detail=str(error)) from error


def _no_other_file(url: str, flags: int, options: dict[str, Any]) -> NoReturn:
    raise PermissionError(errno.EACCES, "a media file may not open another one")


def picture_track(container: InputContainer) -> VideoStream | None:
    """The first video track that can be decoded, of those that move if there is one; None without one."""
    found = [track for track in moving_tracks(container) if decodable(track)]
    return next((track for track in found if track.frames != 1), found[0] if found else None)


def moving_tracks(container: InputContainer) -> list[VideoStream]:
    """All video tracks besides cover pictures and thumbnails."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [track for track in container.streams.video if not track.disposition & still]


def sound_track(container: InputContainer) -> AudioStream | None:
    """The first sound track that can be decoded; None without one."""
    return next(filter(decodable, container.streams.audio), None)


def decodable(track: Any) -> bool:
    """Whether the track is in a codec of the table. Raises ProtectedError for a protected one."""
    context = track.codec_context
    if context is None or context.codec.name not in CODECS:
        return False
    with contextlib.suppress(UnicodeDecodeError):  # a tag that is not four letters
        if context.codec_tag in _PROTECTED_TAGS:
            raise ProtectedError(context.codec_tag)
    return True


def runs_through(container: InputContainer, track: Any, until: float) -> bool:
    """Whether the first `until` seconds of the track are one recording, so that it can be reached by seeking.
    Reads the packets."""
    step = float(1 / track.average_rate) if getattr(track, "average_rate", None) else 0.04
    timeline, began = Timeline(step, max(JUMP_BACK, 4 * step)), None
    for packet in Reader(container, track).demux():
        time = packet.dts if packet.dts is not None else packet.pts
        if not packet.size or time is None:
            continue
        at = timeline.at(float(time * packet.time_base))
        began = at if began is None else began
        if timeline.jumps or at - began > until:
            break
    return not timeline.jumps


def discard_others(container: InputContainer, track: Any) -> None:
    """Skips the packets of all other tracks where the container allows it."""
    from av.stream import Discard

    for stream in container.streams:
        stream.discard = Discard.default if stream.index == track.index else Discard.all


class Reader:
    """Packets and frames of one track of a possibly damaged file. `broken` counts packets that cannot be
    decoded and are skipped; `cut`: the file ends in the middle of a packet."""

    def __init__(self, container: InputContainer, track: Any) -> None:
        self._container, self._track = container, track
        self.packets = 0
        self.broken = 0
        self.cut = False
        discard_others(container, track)

    def demux(self) -> Iterator[Any]:
        """All packets, including the empty one at the end that flushes the decoder."""
        from av.error import FFmpegError

        packets = self._container.demux(self._track)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise
                self.cut = True
                return
            if packet is None:
                return
            if packet.size and packet.has_sidedata("encryption_info"):
                raise ProtectedError("encrypted packets")
            self.packets += packet.size > 0
            yield packet

    def frames(self) -> Iterator[Any]:
        """All frames from the current position of the container."""
        from av.error import FFmpegError

        flushed = False
        for packet in self.demux():
            flushed = packet.size == 0
            try:
                yield from keep_of(packet.decode())
            except FFmpegError as error:
                if isinstance(error, (MemoryError, EOFError)):
                    raise
                self.broken += 1
        if not flushed:
            try:
                yield from keep_of(self._track.codec_context.decode(None))
            except FFmpegError:
                self.broken += 1

    @property
    def mostly_broken(self) -> bool:
        """Whether more than _BROKEN_SHARE of the packets are broken."""
        return self.broken > 2 and self.broken > _BROKEN_SHARE * self.packets
