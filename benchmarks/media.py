"""Time and memory of the most expensive media work: preparing five minutes of 4K, refusing three hours of
sound.

The video is one encoded group of pictures of 2 s, copied 150 times. Memory is that of this process and
the decoder's children together, sampled fifty times a second; the app adds what it takes beyond this one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil

from backend.errors import BadMedia
from backend.media.decoder import Decoder
from tests.support.media_files import repeat, tone, write_sound, write_video

HOURS = 3


def resident(pid: int) -> float:
    """Resident memory of the process in MB."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).memory_info().rss / 1e6
    return 0.0


def measured(decoder: Decoder, work: Callable[[], object]) -> tuple[float, float, float, object]:
    """Seconds, peak MB of all, peak MB of the children, and the result or the error message."""
    peaks, stop = [0.0, 0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            children = sum(resident(pid) for pid in decoder.pids())
            peaks[0] = max(peaks[0], children + resident(os.getpid()))
            peaks[1] = max(peaks[1], children)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        result = work()
    except BadMedia as error:
        result = error.message
    seconds = time.perf_counter() - began
    stop.set()
    watcher.join()
    return seconds, *peaks, result


def five_minutes(folder: Path, codec: str, pix_fmt: str) -> Path:
    """3840 x 2160, 30 frames a second, 9000 frames."""
    random = np.random.default_rng(0)
    picture = np.kron(random.integers(0, 255, (270, 480, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    moving = [np.ascontiguousarray(np.roll(picture, 12 * i, axis=1)) for i in range(60)]
    group = write_video(folder / f"{codec}.mp4", moving, 30, codec, pix_fmt)
    return repeat(group, folder / f"{codec}-long.mp4", 150)


def three_hours(folder: Path) -> list[Path]:
    """A sparse WAV file, and an M4A and an MP3 that repeat one minute."""
    rate, size = 8000, HOURS * 3600 * 8000
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1,
                       rate, rate, 1, 8, b"data", size)  # fmt: skip
    wav, mp3 = folder / "long.wav", folder / "long.mp3"
    wav.write_bytes(head)
    os.truncate(wav, len(head) + size)
    minute = write_sound(folder / "minute.m4a", tone(60), 44_100, "aac", "ipod")
    m4a = repeat(minute, folder / "long.m4a", HOURS * 60, "audio")
    mp3.write_bytes(
        write_sound(folder / "minute.mp3", tone(60), 44_100, "libmp3lame").read_bytes() * HOURS * 60
    )
    return [wav, m4a, mp3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="of the 4K video that are prepared")
    parser.add_argument("--hevc", action="store_true", help="HEVC in 10 bits too")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in three_hours(folder):
            with Decoder() as decoder:
                decoder.prewarm()
                time.sleep(1)
                seconds, whole, _, said = measured(decoder, lambda path=path: decoder.sound(path))
            print(f"refusing {path.name:9} {1000 * seconds:6.0f} ms, {whole:4.0f} MB: {said}", flush=True)
        for codec, pix_fmt in [("libx264", "yuv420p")] + [("libx265", "yuv420p10le")] * wanted.hevc:
            # In another process, whose memory is not counted.
            maker = get_context("spawn").Process(target=five_minutes, args=(folder, codec, pix_fmt))
            maker.start()
            maker.join()
            prepare(folder / f"{codec}-long.mp4", codec, wanted.seconds)


def prepare(path: Path, codec: str, length: float) -> None:
    """Prints time and memory of probing the video and of cutting it."""
    out = path.with_name("cut.mp4")
    with Decoder() as decoder:
        seconds, whole, children, facts = measured(decoder, lambda: decoder.video(path))
        size = path.stat().st_size / 1e6
        print(f"{codec}: looking at {size:.0f} MB {seconds:.1f} s, "
              f"children {children:.0f} MB, all {whole:.0f} MB: {facts}", flush=True)  # fmt: skip
        seconds, whole, children, made = measured(
            decoder, lambda: decoder.cut_video(path, out, 0.0, length, fps=16, width=832, height=480)
        )
        print(f"{codec}: preparing {length:g} s of it {seconds:.0f} s, "
              f"children {children:.0f} MB, all {whole:.0f} MB: {made}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
