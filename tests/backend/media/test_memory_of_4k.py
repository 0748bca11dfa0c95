"""Memory of the decoder's processes on 4K in the codecs of cameras and editors: a look, a still, a cut."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from backend.media.decoder import Decoder
from tests.support.media_files import repeat, write_video

pytestmark = pytest.mark.deep

SIZE = (3840, 2160)
SECONDS = 20
KINDS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "HEVC, 10 bit": (
        "a.mp4",
        "libx265",
        "yuv420p10le",
        {"preset": "ultrafast", "x265-params": "log-level=none"},
    ),
    "VP9": ("a.webm", "libvpx-vp9", "yuv420p", {"cpu-used": "8", "deadline": "realtime"}),
    "VP9 with alpha": ("a.webm", "libvpx-vp9", "yuva420p", {"cpu-used": "8", "deadline": "realtime"}),
    "AV1": ("a.mp4", "libsvtav1", "yuv420p10le", {"preset": "13"}),
    "ProRes 422": ("a.mov", "prores_ks", "yuv422p10le", {}),
    "ProRes 4444 with alpha": ("a.mov", "prores_ks", "yuva444p10le", {}),
    "motion JPEG": ("a.avi", "mjpeg", "yuvj444p", {}),
    "H.264, interlaced": ("a.mp4", "libx264", "yuv420p", {"preset": "ultrafast", "x264-params": "tff=1"}),
}
_NOT_COPIED = ("libsvtav1", "libx265")
LIMIT = {"ProRes 4444 with alpha": 800, "VP9 with alpha": 800}
"""Megabytes of the largest process; 650 for all others. A process may take 2,000 MB of addresses."""


def high_water(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1000 for line in status if line.startswith("VmHWM")), 0.0)


@contextmanager
def watched(decoder: Decoder, peaks: list[float]) -> Iterator[None]:
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            for pid in decoder.pids():
                with contextlib.suppress(OSError):
                    peaks.append(high_water(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


@pytest.mark.parametrize("kind", KINDS)
def test_memory(kind: str, tmp_path: Path) -> None:
    name, codec, pixels, options = KINDS[kind]
    random = np.random.default_rng(0)
    noise = np.kron(random.integers(0, 255, (270, 480, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    moving = [np.ascontiguousarray(np.roll(noise, 40 * index, axis=1)) for index in range(2)]
    path = tmp_path / name
    if codec in _NOT_COPIED:
        write_video(path, moving * 4, 1, codec, pixels, options=options)
    else:
        group = write_video(tmp_path / f"group-{name}", moving, 1, codec, pixels, options=options)
        repeat(group, path, SECONDS // 2)
    peaks: list[float] = []
    with Decoder() as decoder, watched(decoder, peaks):
        facts = decoder.video(path)
        decoder.poster(path, tmp_path / "poster.jpg")
        cut = decoder.cut_video(path, tmp_path / "cut.mp4", fps=4, width=832, height=480)
    print(f"| {kind} | {facts.note or '-'} | {max(peaks):.0f} MB |")
    assert (facts.width, facts.height) == SIZE
    assert (cut.width, cut.height) == (854, 480) and cut.frames == pytest.approx(4 * facts.seconds, abs=4)
    assert 60 < max(peaks) < LIMIT.get(kind, 650)


def test_the_bundled_ffmpeg_reads_transparency() -> None:
    """Its own decoders of VP8 and VP9 do not."""
    assert {"libvpx", "libvpx-vp9"} <= av.codecs_available
