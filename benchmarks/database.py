"""The job database: jobs per second written and read, and lists with many jobs. On the disk of --folder."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from backend.jobs.job import DONE, RUNNING, Job, StoredInput
from backend.jobs.store import Store
from benchmarks.served import load
from workflows.params.media import Media


def job(number: int, owners: int) -> Job:
    prompt = f"A boat drifts slowly to the right past lighthouse {number}, camera static. " * 3
    return Job(
        uuid.uuid4().hex, f"owner{number % owners:027d}", "image_to_video",
        {"prompt": prompt, "seed": number, "seconds": 5.0, "resolution": "480p", "speed": "fast"},
        {"image": StoredInput(Media(f"wan-studio/{uuid.uuid4().hex}.png", 1280, 720), "inputs/image")},
        created=1_790_000_000.0 + number, seed=number, width=832, height=480, frames=81, fps=16.0, steps=4,
        evaluations=4,
    )  # fmt: skip


def timed(runs: int, call: Callable[..., object], *arguments: object) -> str:
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        call(*arguments)
        found.append(1000 * (time.perf_counter() - began))
    return f"{statistics.median(found):8.2f} ms ({min(found):.2f} to {max(found):.2f})"


def life(store: Store, one: Job) -> None:
    """The writes of one job: queued, started, finished."""
    store.add(one)
    running = one.moved(RUNNING, started=one.created + 1, prompt_id=str(uuid.uuid4()))
    store.save(running)
    store.save(running.moved(DONE, finished=one.created + 30, size=3_000_000, engine="GPU"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    print(load())
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        store = Store(Path(folder, "studio.db"))
        rates = []
        for _ in range(arguments.runs):
            jobs = [job(n, 50) for n in range(50)]
            began = time.perf_counter()
            for one in jobs:
                life(store, one)
            rates.append(len(jobs) / (time.perf_counter() - began))
        print(
            f"whole jobs, three writes each, every one on the disk: {statistics.median(rates):.0f} a second"
            f" ({min(rates):.0f} to {max(rates):.0f})"
        )
        store.close()
    for count in (1_000, 10_000, 100_000):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            store = Store(Path(folder, "studio.db"))
            store._db.execute("BEGIN")  # one transaction for the set-up, which is not measured
            for number in range(count):
                store.add(replace(job(number, count // 100), status=DONE, finished=1_790_000_100.0 + number,
                                  size=3_000_000, engine="GPU"))  # fmt: skip
            store._db.execute("COMMIT")
            owner = f"owner{1:027d}"
            size = sum(path.stat().st_size for path in Path(folder).iterdir())
            print(f"with {count:,} jobs of {count // 100} owners ({size / count / 1000:.1f} kB a job):")
            runs = arguments.runs
            print("  one by its id             ", timed(runs, store.get, "0" * 32))
            print("  library, 60 of an owner   ", timed(runs, store.of_owner, owner, 60))
            print("  search among an owner's   ", timed(runs, store.of_owner, owner, 60, "", "9"))
            print("  estimate, 20 of a mode    ", timed(runs, store.done_on, "GPU", "image_to_video"))
            print("  unfinished, at the start  ", timed(runs, store.unfinished))
            print("  what is too old, hourly   ", timed(runs, store.ended_before, 1_790_000_000.0))
            print("  all that ended            ", timed(runs, store.ended_before, float("inf")))
            store.close()


if __name__ == "__main__":
    main()
