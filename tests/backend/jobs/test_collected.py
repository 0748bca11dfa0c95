"""A result that was collected from the engine before the app ended is used, also by another engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import StoreClosed
from backend.jobs.job import DONE, Job
from backend.jobs.recovery import AGAIN
from backend.jobs.store import Store
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, SOUND, Make, ended
from tests.support.waiting import until

pytestmark = pytest.mark.full


def stop_after(store: Store, segments: int) -> Callable[[], bool]:
    """Lets no write through from that on which says that so many segments are done, as if the process had
    ended before it. Returns whether that has been reached."""
    stopped: list[Job] = []
    real = store.save

    def save(job: Job) -> bool:
        if stopped or job.segments_done >= segments:
            stopped.append(job)
            raise StoreClosed.of("database_closed")
        return real(job)

    store.save = save  # type: ignore[method-assign]
    return lambda: bool(stopped)


def stopped_after_one(make: Make, engine: FakeEngine, picture: Path) -> tuple[Studio, JobView]:
    """A studio that ended once the result of its job was collected, and the job."""
    studio = make()
    stopped = stop_after(studio.store, 1)
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    until(stopped)
    studio.close()
    engine.closed = False
    return studio, job


def test_a_collected_result_is_not_made_again(make: Make, engine: FakeEngine, picture: Path) -> None:
    """The engine has been restarted meanwhile, so it knows nothing of the prompt."""
    _, job = stopped_after_one(make, engine, picture)
    done = ended(make(), job)
    assert done.status == DONE and AGAIN not in done.warnings and len(engine.prompts) == 1


@pytest.mark.deep
@pytest.mark.parametrize("segments", [1, 2])
def test_a_collected_segment_is_not_made_again(
    make: Make, engine: FakeEngine, tone: Path, segments: int
) -> None:
    first = make()
    stopped = stop_after(first.store, segments)
    job = first.submit(OWNER, "sound_to_video", SOUND, {"audio": tone})
    until(stopped)
    first.close()
    engine.closed = False
    drawn = [prompt.index for prompt in engine.prompts]
    done = ended(make(), job)
    assert done.status == DONE and AGAIN not in done.warnings
    indexes = [prompt.index for prompt in engine.prompts]
    assert drawn == indexes[: len(drawn)] and indexes == sorted(set(indexes)), "each segment once"


@pytest.mark.deep
def test_another_plan_takes_nothing_over(make: Make, engine: FakeEngine, picture: Path) -> None:
    first, job = stopped_after_one(make, engine, picture)
    plan = first.settings.jobs_dir / job.id / "work" / "plan"
    plan.write_text("another")
    second = make()
    done = ended(second, job)
    assert done.status == DONE and AGAIN in done.warnings and len(engine.prompts) == 2
