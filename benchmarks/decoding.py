"""Waiting time for the decoder: one visitor with 200 files, another with one file, and a finishing job.

The first visitor's pictures are all different, 12 megapixels each. The others start shortly after it.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from backend import requester
from backend.errors import MediaBusy
from backend.media.decoder import Decoder
from tests.support.media_files import numbered, write_video

SIZE = (4000, 3000)


def pictures(folder: Path, count: int) -> list[Path]:
    """JPEGs that differ in a few bytes after the image data."""
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), np.uint8)
    first = folder / "first.jpg"
    Image.fromarray(noise).resize(SIZE).save(first, quality=90)
    data = first.read_bytes()
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(data + number.to_bytes(4, "big"))
    return paths


class Waits:
    """Runs calls in threads and records how long each takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.refused: dict[str, int] = {}
        self._threads: list[threading.Thread] = []

    def start(
        self, label: str, who: contextlib.AbstractContextManager[None], call: Callable[[], object]
    ) -> None:
        def run() -> None:
            began = time.perf_counter()
            try:
                with who:
                    call()
                self.seconds.setdefault(label, []).append(time.perf_counter() - began)
            except MediaBusy:
                self.refused[label] = self.refused.get(label, 0) + 1

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=200)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Decoder() as decoder:
        folder, waits = Path(name), Waits()
        *greedy, theirs = pictures(folder, wanted.looks + 1)
        result = write_video(folder / "result.mp4", numbered(49), 16)
        alone = time.perf_counter()
        decoder.picture(folder / "first.jpg")
        alone = time.perf_counter() - alone
        for path in greedy:
            waits.start("greedy", requester.visitor("greedy"), lambda path=path: decoder.picture(path))
        time.sleep(0.3)

        def end() -> None:
            decoder.join([result], folder / "joined.mp4")
            decoder.video_facts(folder / "joined.mp4")
            decoder.poster(folder / "joined.mp4", folder / "poster.jpg")

        waits.start("other", requester.visitor("other"), lambda: decoder.picture(theirs))
        waits.start("again", requester.visitor("third"), lambda: decoder.picture(folder / "first.jpg"))
        waits.start("job", requester.job("job"), end)
        waits.finish()
    print(f"one look alone, with the start of a child: {alone:.2f} s")
    for label, words in [
        ("greedy", f"{wanted.looks} looks of one visitor, median"),
        ("other", "one probe by another visitor"),
        ("again", "a probe of a file that was probed before"),
        ("job", "the end of a job: join, facts, poster"),
    ]:
        found = waits.seconds.get(label, [])
        figure = f"{statistics.median(found):.2f} s" if found else "-"
        print(f"{words}: {figure}; {len(found)} answered, {waits.refused.get(label, 0)} refused")


if __name__ == "__main__":
    main()
