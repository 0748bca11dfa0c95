"""A greedy visitor beside ten others on a disk of 1 GB: whose clips go, and who is refused.

The files and the database are real, the figures of the disk are made up. Each line is a new data folder with
six clips of 8 MB of each of the ten; at its end one of the ten submits once more.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from backend.jobs.job import CANCELLED, DONE, FAILED, Job
from backend.storage.retention_policy import PROTECTED_SECONDS
from tests.support.data_folder import DataFolder

MB = 1_000_000
OTHERS = [f"visitor-{number}" for number in range(10)]
CLIPS, CLIP, SOUND = 6, 8 * MB, 86 * MB


def start(base: Path, others: int = 0) -> DataFolder:
    folder = DataFolder(base, 1000 * MB, others)
    for owner in OTHERS:
        for days in range(1, CLIPS + 1):
            folder.clip(owner, CLIP, days)
    return folder


def submits(
    folder: DataFolder, times: int, size: int, status: str = "", result: int = CLIP, owners: int = 1
) -> int:
    """So many submits, ended as `status` (or not at all), a housekeeping pass after every fourth. Returns how
    many were taken."""
    taken = 0
    for number in range(times):
        job = folder.submit(f"greedy-{number % owners}", size, result)
        if job is not None:
            taken += 1
            if status:
                folder.end(job, status, result if status == DONE else 0)
        folder.pass_by(PROTECTED_SECONDS / 4)
        if number % 4 == 3:
            folder.retention.run_once()
    return taken


def pinned(folder: DataFolder) -> int:
    taken = 0
    for _ in range(60):
        job = folder.submit("greedy-0", MB, 20 * MB)
        if job is not None:
            done: Job = folder.end(job, DONE, 20 * MB)
            folder.store.pin(done.id, True)
            taken += 1
        folder.pass_by(PROTECTED_SECONDS)
    return taken


def uploads(folder: DataFolder) -> int:
    for number in range(16):
        path = folder.cache / f"{number:064x}" / "sound.wav"
        path.parent.mkdir()
        path.write_bytes(b"u" * (SOUND // 4))
    return 16


SCENES: dict[str, tuple[int, Callable[[DataFolder], int]]] = {
    "16 sounds of 86 MB, cancelled": (16, lambda f: submits(f, 16, SOUND, CANCELLED)),
    "16 sounds of 86 MB, all fail": (16, lambda f: submits(f, 16, SOUND, FAILED)),
    "60 sounds of 20 MB, all fail": (60, lambda f: submits(f, 60, 20 * MB, FAILED)),
    "16 sounds of 20 MB, all wait": (16, lambda f: submits(f, 16, 20 * MB)),
    "120 clips of 8 MB, one after the other": (120, lambda f: submits(f, 120, MB, DONE)),
    "300 clips of 500 kB": (300, lambda f: submits(f, 300, 100_000, DONE, 400_000)),
    "40 made-up visitors, 3 sounds each wait": (120, lambda f: submits(f, 120, 20 * MB, owners=40)),
    "40 made-up visitors, 3 clips each": (120, lambda f: submits(f, 120, MB, DONE, owners=40)),
    "60 clips of 20 MB, each pinned": (60, pinned),
    "16 uploads of 21 MB, nothing submitted": (16, uploads),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=0, help="MB of the disk that models take")
    models = parser.parse_args().models * MB
    whole = len(OTHERS) * CLIPS
    print(f"{'what the greedy visitor does':42} taken   their clips  others' clips  others' next")
    for name, (times, play) in SCENES.items():
        with tempfile.TemporaryDirectory(prefix="wan-quota-") as base:
            folder = start(Path(base), models)
            folder.retention.run_once()
            before = sum(len(folder.clips().get(owner, ())) for owner in OTHERS)
            taken = play(folder)
            folder.retention.run_once()
            clips = folder.clips()
            left = sum(len(clips.get(owner, ())) for owner in OTHERS)
            theirs = sum(len(ids) for owner, ids in clips.items() if owner not in OTHERS)
            after = "taken" if folder.submit(OTHERS[0], MB, CLIP) is not None else "refused"
            lost = f"{before - left} of {before} lost" + (f" ({whole} at first)" if before < whole else "")
            print(f"{name:42} {taken:3}/{times:3} {theirs:12} {lost:>14}  {after}", flush=True)
            folder.store.close()


if __name__ == "__main__":
    main()
