"""Opens and reads sound and video files inside the child process.

The container format is chosen by the first bytes. PyAV is imported on first use. At most one packet and its
frames are in memory.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from backend.media import check
from backend.media.pictures import regular_file
from backend.media.sniff import HEAD_BYTES, container_of, id3_bytes, kind_of

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

THREADS = 2
"""Of one decoder. Each thread holds a frame: 12 to 25 MB in 4K."""
_READ_BYTES = 1 << 18
_MAX_TAGS = 4
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BROKEN_SHARE = 0.5


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
        start, tags = 0, 0
        while tags < _MAX_TAGS and (tag := id3_bytes(head)):
            start, tags = start + tag, tags + 1
            file.seek(start)
            head = file.read(HEAD_BYTES)
        # The format is always given: when guessing, FFmpeg also accepts playlists, which open other files and
        # URLs.
        form = container_of(head) or ("mp3" if tags else "")
        if not form:
            refuse = check.not_a_sound if kind == "sound" else check.not_a_video
            raise refuse(name, field, kind_of(head))
        file.seek(0)
        # Two safeguards: no protocol is allowed, and opening a second file is refused.
        options = {"protocol_whitelist": "none"}
        if form == "wav":
            options["max_size"] = str(1 << 16)  # a packet; 4 kB would cost a second for each minute
        try:
            with av.open(
                file,
                mode="r",
                format=form,
                container_options=options,
                buffer_size=_READ_BYTES,
                io_open=_no_other_file,
                metadata_errors="replace",
            ) as container:
                yield container
        except FFmpegError as error:
            if isinstance(error, MemoryError) or getattr(error, "errno", None) in _DISK:
                raise
            raise check.damaged(name, field, detail=str(error)) from error


def _no_other_file(url: str, flags: int, options: dict[str, Any]) -> NoReturn:
    raise PermissionError(errno.EACCES, "a media file may not open another one")


def picture_track(container: InputContainer) -> VideoStream | None:
    """The first video track, ignoring cover pictures and thumbnails; None without one."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return next((s for s in container.streams.video if not s.disposition & still), None)


def sound_track(container: InputContainer) -> AudioStream | None:
    """The first sound track that can be decoded; None without one."""
    return next((s for s in container.streams.audio if s.codec_context is not None), None)


def discard_others(container: InputContainer, track: Any) -> None:
    """Skip the packets of all other tracks where the container allows it."""
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
            self.packets += packet.size > 0
            yield packet

    def frames(self) -> Iterator[Any]:
        """All frames from the current position of the container."""
        from av.error import FFmpegError

        flushed = False
        for packet in self.demux():
            flushed = packet.size == 0
            try:
                yield from packet.decode()
            except FFmpegError as error:
                if isinstance(error, (MemoryError, EOFError)):
                    raise
                self.broken += 1
        if not flushed:
            try:
                yield from self._track.codec_context.decode(None)
            except FFmpegError:
                self.broken += 1

    @property
    def mostly_broken(self) -> bool:
        """Whether more than _BROKEN_SHARE of the packets are broken."""
        return self.broken > 2 and self.broken > _BROKEN_SHARE * self.packets
