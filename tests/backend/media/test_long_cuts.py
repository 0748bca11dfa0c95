"""Cuts that take long: progress, cancelling, a child that hangs or dies, memory."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media.decoder import Decoder
from tests.support.media_files import (
    numbered,
    repeat,
    write_video,
)

pytestmark = pytest.mark.full


@pytest.fixture
def long_video(tmp_path: Path) -> Path:
    """A video long enough that a test can act during its cut."""
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (720, 1280, 3), np.uint8) for _ in range(4)]
    return repeat(write_video(tmp_path / "noise.mp4", noise, 2), tmp_path / "long.mp4", 100)


def test_progress_grows(tmp_path: Path) -> None:
    path = write_video(tmp_path / "drive.mp4", numbered(40), 25)
    every = "import backend.media.child as c; c.main(progress_seconds=0.0)"  # not just two a second
    for part in ({"frames": 40}, {"seconds": 1.6}, {}):
        reported: list[float] = []
        with Decoder(command=(sys.executable, "-c", every)) as decoder:
            decoder.cut_video(path, tmp_path / "cut.mp4", fps=25, on_progress=reported.append, **part)
        assert (
            len(reported) >= 40 and reported == sorted(reported) and reported[-1] == 1.0 and reported[0] < 0.1
        )


def test_an_exception_in_progress_ends_the_work(tmp_path: Path, long_video: Path) -> None:
    class Cancelled(Exception):
        pass

    def cancel(share: float) -> None:
        raise Cancelled

    with Decoder() as decoder:
        with pytest.raises(Cancelled):
            decoder.cut_video(long_video, tmp_path / "cut.mp4", fps=16, on_progress=cancel)
        assert decoder.pids() == ()
        assert not list(tmp_path.glob(".*.part")) and not (tmp_path / "cut.mp4").exists()
        assert decoder.video(long_video).seconds == 200


def at_work(decoder: Decoder, long_video: Path, out: Path, meet: Callable[[int], None]) -> object:
    """Cuts in a thread; `meet` is called with the child's pid at each progress report."""

    def reported(share: float) -> None:
        for pid in decoder.pids():
            meet(pid)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(decoder.cut_video, long_video, out, fps=16, on_progress=reported).result(60)


def test_a_child_that_hangs_in_a_long_cut_is_killed(tmp_path: Path, long_video: Path) -> None:
    with Decoder(stall_seconds=1.0) as decoder:
        with pytest.raises(BadMedia, match="more memory or time") as caught:
            at_work(decoder, long_video, tmp_path / "cut.mp4", lambda pid: os.kill(pid, signal.SIGSTOP))
        assert "MP4" in caught.value.hint and decoder.pids() == ()
        assert not list(tmp_path.glob(".*.part"))
        assert decoder.video(long_video).width == 1280


def test_a_long_cut_whose_child_dies_is_retried_once(tmp_path: Path, long_video: Path) -> None:
    killed: list[int] = []

    def kill(pid: int) -> None:
        if pid not in killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    with Decoder() as decoder:
        with pytest.raises(BadMedia, match="damaged"):
            at_work(decoder, long_video, tmp_path / "cut.mp4", kill)
        assert len(killed) == 2 and decoder.pids() == ()
        assert not list(tmp_path.glob(".*.part"))
        assert decoder.video(long_video).width == 1280


def test_pictures_do_not_wait_for_a_long_cut(tmp_path: Path, long_video: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    started, looked = threading.Event(), threading.Event()

    def reported(share: float) -> None:
        started.set()
        assert looked.wait(60)
        raise KeyError("enough")

    with Decoder(workers=1) as decoder, ThreadPoolExecutor(1) as pool:
        work = pool.submit(decoder.cut_video, long_video, tmp_path / "c.mp4", fps=16, on_progress=reported)
        assert started.wait(60)
        assert decoder.picture(tmp_path / "p.png").width == 64
        looked.set()
        with pytest.raises(KeyError):
            work.result(60)


def test_close_ends_a_long_cut(tmp_path: Path, long_video: Path) -> None:
    decoder = Decoder()
    started = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(
            decoder.cut_video, long_video, tmp_path / "c.mp4", fps=16, on_progress=lambda s: started.set()
        )
        assert started.wait(60)
        decoder.close()
        with pytest.raises(Exception, match="shutting down"):
            work.result(60)
    assert decoder.pids() == ()


def test_a_file_grows_no_larger_than_its_limit(tmp_path: Path, long_video: Path) -> None:
    with Decoder(file_bytes_max=300_000) as decoder, pytest.raises(Exception, match="could not be kept"):
        decoder.cut_video(long_video, tmp_path / "cut.mp4", 0, 20, fps=16)
    assert not list(tmp_path.glob(".*.part"))


def high_water(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1000 for line in status if line.startswith("VmHWM")), 0.0)


@pytest.mark.deep
def test_memory_stays_flat_on_five_minutes_of_4k(tmp_path: Path) -> None:
    """A group of pictures of 2 s, copied 150 times."""
    random = np.random.default_rng(0)
    picture = np.kron(random.integers(0, 255, (270, 480, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    moving = [np.ascontiguousarray(np.roll(picture, 40 * i, axis=1)) for i in range(2)]
    group = write_video(tmp_path / "group.mp4", moving, 1)
    path = repeat(group, tmp_path / "long.mp4", 150)
    peaks: list[float] = []
    stop = threading.Event()
    with Decoder() as decoder:

        def watch() -> None:
            while not stop.is_set():
                for pid in decoder.pids():
                    with contextlib.suppress(OSError):
                        peaks.append(high_water(pid))
                time.sleep(0.02)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            facts = decoder.video(path)
            cut = decoder.cut_video(path, tmp_path / "cut.mp4", fps=4, width=832, height=480)
        finally:
            stop.set()
            watcher.join()
    assert (facts.width, facts.frames, facts.seconds) == (3840, 300, 300.0)
    assert (cut.width, cut.height, cut.frames) == (854, 480, 1200)
    assert 60 < max(peaks) < 350, "MB"
