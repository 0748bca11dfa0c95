"""A disk that is really full: a small file system of its own, filled to the last byte."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from backend.errors import DiskFull, StudioError
from backend.jobs.limits import Limits
from backend.jobs.obstacles import FULL
from backend.jobs.store import Store
from tests.support.fake_engine import FakeEngine
from tests.support.job_views import stored_job
from tests.support.scripted import OWNER, Make, ended, until
from tests.support.small_disk import small_disk

pytestmark = pytest.mark.full

SMALL = {"width": 64, "height": 64, "seconds": 0.5}
MEGABYTE = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """6 MB where `make` has its data folder."""
    with small_disk(tmp_path / "data", 6) as folder:
        yield folder


def fill(folder: Path) -> Path:
    """Not a byte is left."""
    path = folder / "ballast"
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return path


def test_a_new_job_is_refused_with_a_sentence_and_none_is_lost(
    disk: Path, make: Make, engine: FakeEngine, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    Image.effect_noise((640, 360), 60).convert("RGB").save(picture)
    engine.hold.clear()
    studio = make()
    running = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    waiting = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    ballast = fill(disk)
    before = sorted(path.name for path in studio.settings.jobs_dir.iterdir())
    with pytest.raises(DiskFull) as refused:
        studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert "disk is full" in refused.value.message and refused.value.hint
    assert sorted(path.name for path in studio.settings.jobs_dir.iterdir()) == before, "nothing is left of it"
    ballast.unlink()
    engine.hold.set()
    assert ended(studio, running).status == "done" and ended(studio, waiting).status == "done"


def test_a_result_waits_until_there_is_room(
    disk: Path, make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.hold.clear()
    studio = make(limits=Limits(room=0.2))
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    engine.known.add(engine.prompts[0].id)
    ballast = fill(disk)
    engine.hold.set()
    until(lambda: studio.progress(job.id, job.key).waits == FULL)
    ballast.unlink()
    done = ended(studio, job)
    assert done.status == "done" and studio.result_path(job.id, job.key).stat().st_size > 0
    assert {prompt.id for prompt in engine.prompts} == {engine.prompts[0].id}, (
        "it is fetched, not drawn again"
    )


def test_the_database_is_whole_after_any_write_that_failed(disk: Path) -> None:
    store = Store(disk / "studio.db")
    ballast = fill(disk)
    os.truncate(ballast, ballast.stat().st_size - MEGABYTE)
    kept, full = 0, False
    for number in range(2000):
        try:
            store.add(stored_job(number, params={"prompt": "x" * 3000}))
            kept += 1
        except StudioError as error:
            assert isinstance(error, DiskFull), error
            full = True
            break
    assert full and kept
    ballast.unlink()
    store.add(stored_job(5000))
    store.close()
    again = Store(disk / "studio.db")
    assert again._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert all(again.get(f"job{number}") is not None for number in range(kept))
    assert again.get("job5000") is not None
    again.close()


def test_a_size_limit_counts_as_full(tmp_path: Path) -> None:
    """A quota, as a limit on file sizes: what the process may not write is no traceback."""
    store = Store(tmp_path / "studio.db")
    done = threading.Event()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
    try:
        with pytest.raises(DiskFull):
            for number in range(2000):
                store.add(stored_job(number, params={"prompt": "x" * 3000}))
        done.set()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, old)
    assert done.is_set()
    store.add(stored_job(5000))
    assert store.get("job5000") is not None and store.check() is None
    store.close()
