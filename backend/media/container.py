"""Opens and reads sound and video files inside the child process.

The container format is chosen by the first bytes. PyAV is imported on first use. At most one packet and its
frames are in memory.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from backend.errors import BadMedia
from backend.media import check, iso_items, protection, wav
from backend.media.formats import CODECS
from backend.media.layouts import keep_of
from backend.media.locate import locate
from backend.media.pictures import regular_file
from backend.media.sniff import HEAD_BYTES, kind_of, webp_moves
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
_GIF_SHORT, _GIF_USUAL = 1, 10
"""Hundredths of a second."""
_NOTHING = ("video_without_frames", "no_pictures", "no_sound", "too_short_sound")
"""Reasons that are not true of a file whose index ends early."""
_BROKEN_SHARE = 0.5
JUMP_BACK = 0.25
"""Seconds by which the times of a track in order may run back within one recording."""
_CODEC_LIST = ",".join(sorted(CODECS))
_STILL_CODECS = ("mjpeg", "png", "bmp", "gif", "webp")
"""Of a cover that is not marked as one, in a file with another video track."""
_TRANSPARENT = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Codec -> the decoder that reads its transparency, which FFmpeg's own does not."""
_OPTIONS = {
    # A packet; 4 kB would cost a second for each minute.
    "wav": {"max_size": str(1 << 16)},
    "w64": {"max_size": str(1 << 16)},
    "apng": {"max_fps": "99", "default_fps": "10"},  # as browsers show frames without a delay
}
"""Container -> options of its demuxer."""


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
            if kind == "video" and webp_moves(head):
                raise check.moving_picture("WebP", name, field)
            refuse = check.not_a_sound if kind == "sound" else check.not_a_video
            raise refuse(name, field, found)
        if protection.of_file(file, form, start, head):
            raise check.protected(name, field, kind)
        size = os.fstat(file.fileno()).st_size
        whole = Spliced(file, [(start, size - start)]) if start else file
        if form == "gif":  # browsers show nothing where nothing is drawn, FFmpeg the colour of this number
            whole = Spliced(file, [(0, 11), b"\xff", (12, size - 12)])
        if form == "wav" and (other := wav.view(file, start, size)) is not None:
            form, whole = other[0], Spliced(file, other[1])
        file.seek(0)
        # Two safeguards: no protocol is allowed, and opening a second file is refused.
        options = {"protocol_whitelist": "none", "codec_whitelist": _CODEC_LIST, **_OPTIONS.get(form, {})}
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
        except BadMedia as error:
            if form == "mp4" and error.why.code in _NOTHING and iso_items.index_is_cut(file, size):
                raise check.damaged(name, field, detail="its index is cut") from error
            raise
        except FFmpegError as error:
            if isinstance(error, MemoryError) or getattr(error, "errno", None) in _DISK:
                raise
            raise check.damaged(name, field, detail=str(error)) from error


def _no_other_file(url: str, flags: int, options: dict[str, Any]) -> NoReturn:
    raise PermissionError(errno.EACCES, "a media file may not open another one")


def picture_track(container: InputContainer) -> VideoStream | None:
    """The video track that players show: of those that can be decoded and move, the default one, else the
    first; None without one."""
    found = _decodable(moving_tracks(container))
    found = [track for track in found if track.frames != 1] or found
    found = [track for track in found if track.codec_context.name not in _STILL_CODECS] or found
    return found[0] if found else None


def moving_tracks(container: InputContainer) -> list[VideoStream]:
    """All video tracks besides cover pictures and thumbnails."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [track for track in container.streams.video if not track.disposition & still]


def sound_track(container: InputContainer) -> AudioStream | None:
    """The default sound track, else the first, of those that can be decoded; None without one."""
    return next(iter(_decodable(container.streams.audio)), None)


def _decodable(tracks: Iterable[Any]) -> list[Any]:
    """Those in a codec of the table, default ones first. Raises ProtectedError when all others are
    protected."""
    from av.stream import Disposition

    known = [
        track
        for track in tracks
        if track.codec_context is not None and track.codec_context.codec.name in CODECS
    ]
    found = [track for track in known if not protection.of_track(track)]
    if known and not found:
        raise ProtectedError(f"{len(known)} tracks")
    return sorted(found, key=lambda track: not track.disposition & Disposition.default)


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


def ends_early(path: str, container: InputContainer) -> bool:
    """Whether an open MP4 or MOV ends in the middle of a box. Its fragments do not say how many there are."""
    if not container.format.name.startswith(("mov", "mp4")):
        return False
    with Path(path).open("rb") as file:
        return iso_items.is_cut(file, os.fstat(file.fileno()).st_size)


def discard_others(container: InputContainer, track: Any) -> None:
    """Skips the packets of all other tracks where the container allows it."""
    from av.stream import Discard

    for stream in container.streams:
        stream.discard = Discard.default if stream.index == track.index else Discard.all


def _transparent(track: Any) -> Any:
    """A decoder for the transparency of a WebM; None for all other tracks."""
    import av

    name = _TRANSPARENT.get(track.codec_context.codec.canonical_name)
    if name is None or track.metadata.get("alpha_mode") != "1":
        return None
    decoder = av.CodecContext.create(name, "r")
    decoder.thread_count = THREADS
    return decoder


class Reader:
    """Packets and frames of one track of a possibly damaged file. `broken` counts packets that cannot be
    decoded and are skipped; `cut`: the file ends in the middle of a packet."""

    def __init__(self, container: InputContainer, track: Any) -> None:
        self._container, self._track = container, track
        self.packets = 0
        self.broken = 0
        self.cut = False
        self._later = 0
        self._decoder: Any = None
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
            self._as_browsers_delay(packet)
            yield packet

    def _as_browsers_delay(self, packet: Any) -> None:
        """Shows a picture of a GIF that asks for 10 ms or less for 100 ms."""
        if self._track.codec_context.name != "gif" or packet.pts is None:
            return
        delay = packet.duration or 0
        packet.pts = packet.dts = packet.pts + self._later
        if 0 < delay <= _GIF_SHORT:
            packet.duration = _GIF_USUAL
            self._later += _GIF_USUAL - delay

    def frames(self) -> Iterator[Any]:
        """All frames from the current position of the container."""
        from av.error import FFmpegError

        decoder = self._decoder = self._decoder or _transparent(self._track) or self._track.codec_context
        flushed = False
        for packet in self.demux():
            flushed = packet.size == 0
            try:
                yield from keep_of(decoder.decode(packet))
            except FFmpegError as error:
                if isinstance(error, (MemoryError, EOFError)):
                    raise
                self.broken += 1
        if not flushed:
            try:
                yield from keep_of(decoder.decode(None))
            except FFmpegError:
                self.broken += 1

    @property
    def mostly_broken(self) -> bool:
        """Whether more than _BROKEN_SHARE of the packets are broken."""
        return self.broken > 2 and self.broken > _BROKEN_SHARE * self.packets
