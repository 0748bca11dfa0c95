"""A chain of jobs survives an end of the app at every write to the database, without loss or repetition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.errors import StoreClosed, StudioError
from backend.jobs.job import DONE, TERMINAL
from backend.jobs.store import Store
from backend.studio import Studio
from tests.backend.jobs.test_result_inputs import chain
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended, until

pytestmark = pytest.mark.full
WRITES = ("save", "link_inputs")


class Stops:
    """Lets so many writes of a store through, and none after them, as if the process had ended there.
    `before`: the last one is not done either."""

    def __init__(self, store: Store, writes: int, names: tuple[str, ...] = WRITES) -> None:
        self.left, self.stopped = writes, False
        for name in names:
            setattr(store, name, self.guarded(getattr(store, name)))

    def guarded(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if self.left <= 0:
                self.stopped = True
                raise StoreClosed.of("database_closed")
            self.left -= 1
            return real(*args)

        return call


def rest(second: Studio, engine: FakeEngine, parent_id: str) -> None:
    job = second.store.get(parent_id)
    assert job is not None
    view = second._library.view(job)
    done = ended(second, view)
    assert done.status == DONE and [child.status for child in done.children] == [DONE] * len(done.children)
    names = [str(prompt.graph) for prompt in engine.prompts]
    for child in done.children:
        assert sum(child.id in name for name in names) <= 2, "begun again at most once"
        assert second.result_path(child.id, child.key).is_file()
        assert not (second.settings.jobs_dir / child.id / "sources").exists()
    assert len(list(second.settings.jobs_dir.rglob("*.mp4"))) == len(done.children) + 1


def stopped_and_begun_again(
    make: Make, engine: FakeEngine, picture: Path, writes: int, names: tuple[str, ...], count: int = 2
) -> bool:
    """False when the chain ended before so many writes were done."""
    first = make()
    stops = Stops(first.store, writes, names)
    parent = first.submit_family(chain(count, picture))

    def over() -> bool:
        try:
            job = first.store.get(parent.id)
        except StudioError:
            return True
        return stops.stopped or (job is not None and job.status in TERMINAL)

    until(over)
    first.close()
    engine.closed = False
    rest(make(), engine, parent.id)
    return stops.stopped


@pytest.mark.parametrize("writes", [0, pytest.param(1, marks=pytest.mark.deep)])
def test_a_stop_before_or_after_the_link_makes_nothing_twice(
    make: Make, engine: FakeEngine, picture: Path, writes: int
) -> None:
    assert stopped_and_begun_again(make, engine, picture, writes, ("link_inputs",), 2 + writes)


@pytest.mark.deep
@pytest.mark.parametrize("writes", range(40))
def test_a_chain_survives_a_stop_at_every_write(
    make: Make, engine: FakeEngine, picture: Path, writes: int
) -> None:
    stopped_and_begun_again(make, engine, picture, writes, WRITES)


@pytest.mark.deep
def test_a_chain_of_twenty_is_stored_at_once_and_made(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(WAN_MAX_QUEUED_PER_OWNER="20")
    adds: list[int] = []
    real = studio.store.add
    studio.store.add = lambda *jobs: (adds.append(len(jobs)), real(*jobs))[1]  # type: ignore[method-assign]
    done = ended(studio, studio.submit_family(chain(20, picture)))
    assert adds == [21], "one transaction"
    assert done.status == DONE and {child.status for child in done.children} == {DONE}
    assert len(engine.prompts) == 20
    for child in done.children:
        studio.delete(OWNER, child.id, child.key)
    assert studio.result_path(done.id, done.key).is_file()
