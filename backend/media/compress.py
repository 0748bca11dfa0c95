"""Smaller copies of inputs inside the child process, for requests with a size limit (RunPod)."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from backend.media import check
from backend.media.container import opened, sound_track
from backend.media.join import AacEncoder
from backend.media.pictures import regular_file
from backend.media.sound_reader import SoundReader


def picture(path: str, out: str, name: str, field: str, max_side: int, quality: int) -> tuple[int, int]:
    """Writes a stored picture (PNG) as JPEG, at most `max_side` pixels a side. Returns width and height."""
    with regular_file(path, name, field) as file, Image.open(file, formats=["PNG"]) as image:
        plain = image.convert("RGB")
    plain.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    plain.save(out, format="JPEG", quality=quality, subsampling=0)
    return plain.size


def sound(
    path: str,
    out: str,
    name: str,
    field: str,
    start: float,
    seconds: float,
    kbps: int,
    progress: Callable[[float], None],
) -> float:
    """Writes `seconds` of the sound from `start` on as AAC in MP4. Returns the seconds written.

    Raises BadMedia.
    """
    import av

    with (
        opened(path, name, field, kind="sound") as container,
        av.open(out, "w", format="mp4", container_options={"fflags": "+bitexact"}) as target,
    ):
        track = sound_track(container)
        if track is None:
            raise check.no_sound(name, field)
        reader = SoundReader(container, track)
        encoder = AacEncoder(reader, target, start, seconds, kbps * 1000)
        written = 0.0
        for time, packet in encoder.packets():
            written = time
            progress(min(1.0, time / seconds))
            target.mux(packet)
    if not reader.samples or not written:
        raise check.no_sound_at(start, name, field)
    return written
